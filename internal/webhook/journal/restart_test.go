package journal

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// restarted runs a check on the journal as a crash leaves it, and then as a
// proper end does.
func restarted(t *testing.T, path string, j *Journal, check func(t *testing.T, j *Journal)) {
	t.Helper()
	flush(t, j)
	copied := crash(t, path)
	shut(t, j)
	for name, path := range map[string]string{"after a crash": copied, "after a stop": path} {
		t.Run(name, func(t *testing.T) {
			check(t, open(t, path, Options{}))
		})
	}
}

func TestPayloadsAreAsTheyWere(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l := lane(t, j, hookURL)
	sealed := time.Now().Add(-time.Hour).UnixMilli()
	put := &webhook.Payload{
		Key: "key", Signature: "signature", TimeMS: sealed, Events: 2,
		Body: []byte(`{"x":"\u0000é"}`), Channels: []uint64{3, 1 << 63},
	}
	l.Put(put)
	id := put.ID
	restarted(t, path, j, func(t *testing.T, j *Journal) {
		t.Helper()
		got := lane(t, j, hookURL).pop()
		if got.App != "1" || got.URL != hookURL || got.Key != "key" || got.Signature != "signature" ||
			got.TimeMS != sealed || got.Events != 2 || string(got.Body) != `{"x":"\u0000é"}` ||
			!slices.Equal(got.Channels, []uint64{3, 1 << 63}) || got.ID != id || got.Failures != 0 || !got.Due.IsZero() {
			t.Errorf("got %+v", got)
		}
	})
}

func TestOrderIsKept(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{WindowBytes: 200})
	l := lane(t, j, hookURL)
	bodies := l.put(100)
	l.Put(&webhook.Payload{Events: 1, TimeMS: time.Now().UnixMilli(), Body: []byte("last"), Channels: []uint64{5}})
	bodies = append(bodies, "last")
	restarted(t, path, j, func(t *testing.T, j *Journal) {
		t.Helper()
		l := lane(t, j, hookURL)
		want(t, "waiting", l.Waiting().Payloads, 101)
		var got []string
		for range 100 { // that of channel 5 is held back by the fifth
			p := l.pop()
			got = append(got, string(p.Body))
			if p.Channels[0] != 5 {
				l.Done(p)
			}
		}
		want(t, "order", got, bodies[:100])
		if p := l.Pop(time.Now(), webhook.TurnFirst); p != nil {
			t.Errorf("%s overtakes an undelivered one of its channel", p.Body)
		}
	})
}

func TestDeliveredPayloadsDoNotReturn(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l := lane(t, j, hookURL)
	l.put(3)
	first, second := l.pop(), l.pop()
	l.Done(second)
	first.Failures, first.Due = 4, time.Now().Add(time.Hour).Truncate(time.Millisecond)
	due := first.Due
	l.Put(first)
	restarted(t, path, j, func(t *testing.T, j *Journal) {
		t.Helper()
		l := lane(t, j, hookURL)
		want(t, "first", string(l.pop().Body), "body 3")
		w := l.Waiting()
		if w.First || !w.Retry.Equal(due) || w.Payloads != 1 {
			t.Errorf("waiting %+v, want a retry at %v", w, due)
		}
		p := l.Pop(due, webhook.TurnRetry)
		if p == nil || string(p.Body) != "body 1" || p.Failures != 4 {
			t.Errorf("got %+v, want the first after 4 failures", p)
		}
	})
}

// Payloads that pass between two commits are never written.
func TestEndpointsDoNotMix(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	specs := []webhook.QueueSpec{
		{App: "1", URL: "https://a.example/"},
		{App: "1", URL: "https://a.example/", Nth: 1},
		{App: "1", URL: "https://b.example/"},
		{App: "2", URL: "https://a.example/"},
	}
	for i, spec := range specs {
		spec.MaxBytes = 1 << 20
		l := laneFor(t, j, spec)
		l.n = 100 * i
		l.put(i + 1)
	}
	restarted(t, path, j, func(t *testing.T, j *Journal) {
		t.Helper()
		for i, spec := range slices.Backward(specs) {
			spec.MaxBytes = 1 << 20
			bodies := laneFor(t, j, spec).all()
			want(t, "payloads of an endpoint", len(bodies), i+1)
			want(t, "the first of them", bodies[0], string(payload(100*i+1).Body))
		}
	})
}

func TestEdgesAreRemembered(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	member := hub.Edge{App: "1", Channel: "presence-c", UserID: "u", Member: true}
	tell := func(e hub.Edge, c webhook.Change) { j.Record(webhook.Record{Edge: e, Change: c}, func(int64) {}) }
	tell(edgeOf("a"), webhook.GoesOn)
	tell(edgeOf("b"), webhook.GoesOn)
	tell(member, webhook.GoesOn)
	flush(t, j)
	tell(edgeOf("b"), webhook.GoesOff)
	for range 3 {
		tell(edgeOf("c"), webhook.GoesOn)
		tell(edgeOf("c"), webhook.GoesOff)
	}
	tell(edgeOf("d"), webhook.GoesOff)
	tell(edgeOf("d"), webhook.GoesOn)
	restarted(t, path, j, func(t *testing.T, j *Journal) {
		t.Helper()
		want(t, "told to be on", j.Told(), []hub.Edge{edgeOf("a"), edgeOf("d"), member})
		want(t, "told a second time", j.Told(), []hub.Edge(nil))
	})
}

func TestForgottenEdges(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	on := func(j *Journal, channel string) {
		j.Record(webhook.Record{Edge: edgeOf(channel), Change: webhook.GoesOn}, func(int64) {})
	}
	for _, channel := range []string{"a", "b", "c"} {
		on(j, channel)
	}
	flush(t, j)
	j.Forget(edgeOf("b"))
	on(j, "d")
	j.Forget(edgeOf("d"))
	j.Forget(edgeOf("never told"))
	flush(t, j)
	again := open(t, crash(t, path), Options{})
	want(t, "told after single ones", again.Told(), []hub.Edge{edgeOf("a"), edgeOf("c")})
	on(j, "e")
	j.ForgetAll()
	on(j, "f")
	restarted(t, path, j, func(t *testing.T, j *Journal) {
		t.Helper()
		want(t, "told after all of it", j.Told(), []hub.Edge{edgeOf("f")})
	})
	restarted(t, path, open(t, path, Options{}), func(t *testing.T, j *Journal) {
		t.Helper()
		j.ForgetAll()
		want(t, "told by earlier processes", j.Told(), []hub.Edge(nil))
	})
}

func record(j *Journal, l *laneOf, text string) (seq int64) {
	j.Record(webhook.Record{Events: []webhook.RecordedEvent{{Queue: l.queue, Channel: 7, JSON: []byte(text)}}},
		func(s int64) { seq = s })
	return seq
}

func texts(events []webhook.UnsealedEvent) (all []string) {
	for _, e := range events {
		all = append(all, string(e.JSON))
	}
	return all
}

func TestUnsealedEventsReturn(t *testing.T) {
	for name, flushes := range map[string]bool{"written before they are sealed": true, "sealed at once": false} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			j := open(t, path, Options{})
			l, other := lane(t, j, hookURL), lane(t, j, "https://other.example/")
			seal := func(l *laneOf, seq int64) {
				p := payload(1)
				p.Seq = seq
				l.Put(p)
			}
			step := func() {
				if flushes {
					flush(t, j)
				}
			}
			record(j, l, "1")
			two := record(j, l, "2")
			record(j, l, "3") // in one row with those that will be sealed
			record(j, other, "A")
			step()
			seal(l, two)
			step()
			record(j, l, "4")
			b := record(j, other, "B")
			step()
			seal(other, b)
			restarted(t, path, j, func(t *testing.T, j *Journal) {
				t.Helper()
				l, other := lane(t, j, hookURL), lane(t, j, "https://other.example/")
				events := l.Unsealed()
				want(t, "unsealed", texts(events), []string{"3", "4"})
				want(t, "of the other endpoint", texts(other.Unsealed()), []string(nil))
				want(t, "a second time", texts(l.Unsealed()), []string(nil))
				if events[0].Channel != 7 || events[0].Seq <= two {
					t.Errorf("event %+v, want channel 7 and a number beyond %d", events[0], two)
				}
				want(t, "payloads", [2]int{l.Waiting().Payloads, other.Waiting().Payloads}, [2]int{1, 1})
			})
		})
	}
}

// Restored events that are sealed later do not return once more.
func TestRestoredEventsAreSealed(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	record(j, lane(t, j, hookURL), "1")
	flush(t, j)
	shut(t, j)
	j = open(t, path, Options{})
	l := lane(t, j, hookURL)
	p := payload(1)
	p.Seq = l.Unsealed()[0].Seq
	l.Put(p)
	if later := record(j, l, "2"); later <= p.Seq {
		t.Errorf("number %d after %d", later, p.Seq)
	}
	restarted(t, path, j, func(t *testing.T, j *Journal) {
		t.Helper()
		want(t, "unsealed", texts(lane(t, j, hookURL).Unsealed()), []string{"2"})
	})
}

func TestPayloadsWaitForTheirCommit(t *testing.T) {
	j := open(t, file(t), Options{})
	l := lane(t, j, hookURL)
	committing := block(t, j)
	l.put(1)
	if p := l.Pop(time.Now(), webhook.TurnFirst); p != nil {
		t.Fatal("handed out before it was committed")
	}
	committing()
	l.pop()
}

// block keeps the writer busy until the returned function is called.
func block(t *testing.T, j *Journal) (release func()) {
	t.Helper()
	began, end := make(chan struct{}), make(chan struct{})
	c := &command{done: make(chan error, 1), run: func(*writer) error { close(began); <-end; return nil }}
	go func() { _ = j.order(context.Background(), c) }() //nolint:usetesting // ended by release
	<-began
	return func() { close(end) }
}

func TestCloseWithoutAnythingToDo(t *testing.T) {
	j := open(t, file(t), Options{})
	shut(t, j)
	l := lane(t, j, hookURL)
	l.put(1) // has no effect beyond memory
	want(t, "handed out from memory", string(l.pop().Body), "body 1")
}
