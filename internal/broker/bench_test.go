package broker_test

import (
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

func benchEvent() broker.Event {
	return broker.Event{Place: broker.Place{Lane: 3, Number: 1 << 20, After: 1 << 14}, Relayed: hub.Relayed{
		App: "1", Channel: "private-room-1234", Frame: frame("private-room-1234", strings.Repeat("x", 256)),
	}}
}

func BenchmarkEventAppend(b *testing.B) {
	e := benchEvent()
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = e.Append(buf[:0], origin)
	}
}

func BenchmarkEventRead(b *testing.B) {
	e := benchEvent()
	_, body, err := broker.Open(e.Append(nil, origin))
	if err != nil {
		b.Fatal(err)
	}
	var names broker.Names
	b.ReportAllocs()
	for b.Loop() {
		if _, err := broker.ReadEvent(body, &names); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAllocations(t *testing.T) {
	e := benchEvent()
	buf := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { buf = e.Append(buf[:0], origin) }); n > 0 {
		t.Errorf("writing an event allocates %v times", n)
	}
	_, body, _ := broker.Open(buf)
	var names broker.Names
	if n := testing.AllocsPerRun(100, func() { _, _ = broker.ReadEvent(body, &names) }); n > 0 {
		t.Errorf("reading an event without a socket id allocates %v times", n)
	}
}
