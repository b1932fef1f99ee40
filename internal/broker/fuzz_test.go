package broker_test

import (
	"reflect"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// FuzzMessage reads everything as every kind: no reader may panic, whatever the
// kind says that it is.
func FuzzMessage(f *testing.F) {
	for _, s := range samples() {
		f.Add(s.message)
	}
	readers := samples()
	f.Fuzz(func(_ *testing.T, message []byte) {
		_, body, err := broker.Open(message)
		if err != nil {
			return
		}
		for _, s := range readers {
			_, _ = s.read(body)
		}
	})
}

func FuzzEvent(f *testing.F) {
	for _, s := range samples()[:3] {
		f.Add(s.message[10:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var names broker.Names
		e, err := broker.ReadEvent(body, &names)
		if err != nil {
			return
		}
		_, again, err := broker.Open(e.Append(nil, origin))
		if err != nil {
			t.Fatal(err)
		}
		if other, err := broker.ReadEvent(again, &names); err != nil || !reflect.DeepEqual(other, e) {
			t.Fatalf("got %+v, %v, want %+v", other, err, e)
		}
	})
}

func FuzzState(f *testing.F) {
	for _, s := range samples() {
		if _, ok := s.value.(broker.State); ok {
			f.Add(s.message[10:])
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		s, err := broker.ReadState(body)
		if err != nil {
			return
		}
		s.Ignored = 0
		_, again, err := broker.Open(s.Append(nil, origin))
		if err != nil {
			t.Fatal(err)
		}
		other, err := broker.ReadState(again)
		if err != nil || len(other.Shares) != len(s.Shares) || len(other.Told) != len(s.Told) || other.Ignored != 0 {
			t.Fatalf("got %+v, %v, want %+v", other, err, s)
		}
	})
}

func FuzzSnapshot(f *testing.F) {
	for _, s := range samples() {
		if _, ok := s.value.(broker.Snapshot); ok {
			f.Add(s.message[10:])
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var names broker.Names
		s, err := broker.ReadSnapshot(body, &names)
		if err != nil {
			return
		}
		_, again, _ := broker.Open(s.Append(nil, origin))
		other, err := broker.ReadSnapshot(again, &names)
		if err != nil || len(other.Fills) != len(s.Fills) || other.End != s.End || other.Part != s.Part {
			t.Fatalf("got %+v, %v, want %+v", other, err, s)
		}
	})
}

func FuzzOwed(f *testing.F) {
	for _, s := range samples() {
		if _, ok := s.value.(broker.Owed); ok {
			f.Add(s.message[10:])
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := broker.ReadOwed(body)
		if err != nil {
			return
		}
		_, again, _ := broker.Open(o.Append(nil, origin))
		if other, err := broker.ReadOwed(again); err != nil || !reflect.DeepEqual(other, o) {
			t.Fatalf("got %+v, %v, want %+v", other, err, o)
		}
	})
}

func FuzzRecovered(f *testing.F) {
	for _, s := range samples() {
		if _, ok := s.value.(broker.Recovered); ok {
			f.Add(s.message[10:])
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		r, err := broker.ReadRecovered(body)
		if err != nil {
			return
		}
		_, again, _ := broker.Open(r.Append(nil, origin))
		if other, err := broker.ReadRecovered(again); err != nil || len(other.Messages) != len(r.Messages) {
			t.Fatalf("got %+v, %v, want %+v", other, err, r)
		}
	})
}
