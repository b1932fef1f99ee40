package history

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// benchFrames are events of 256 bytes of data on a thousand channels.
func benchFrames() []protocol.Event {
	data := protocol.PayloadOfText(strings.Repeat("x", 256))
	frames := make([]protocol.Event, 1000)
	for i := range frames {
		frames[i] = protocol.Event{Channel: protocol.ChannelName(fmt.Sprintf("private-room-%d", i)), Name: "client-message", Data: data}
	}
	return frames
}

// waitSettled returns when all that was appended is written.
func (f *fixture) waitSettled() {
	f.t.Helper()
	testkit.WaitFor(f.t, func() bool { events, _ := f.log.buffer.held(); return events == 0 }, "the buffer to be written")
}

// One operation is an event appended and written, as fast as the database takes
// it. It includes the reading of frames and everything else that Run does.
func BenchmarkAppend(b *testing.B) {
	f := newFixture(b, sqliteFile(b))
	f.run()
	frames := benchFrames()
	app := f.registry.ByID("1")
	const most = 24 << 20 // waiting, so that nothing is lost
	b.ReportAllocs()
	began, n := time.Now(), 0
	for b.Loop() {
		e := frames[n%len(frames)]
		f.log.Append(hub.Accepted{App: app, Channel: e.Channel, Frame: e.Encode()})
		if n++; n%4096 == 0 {
			testkit.WaitFor(b, func() bool { _, bytes := f.log.buffer.held(); return bytes < most }, "room")
		}
	}
	f.waitSettled()
	b.ReportMetric(float64(n)/time.Since(began).Seconds(), "events/s")
	if got := f.metric("events_written_total"); got != float64(n) {
		b.Fatalf("%v of %d events written", got, n)
	}
}

// What the hub has to wait for.
func BenchmarkAppendToBuffer(b *testing.B) {
	f := newFixture(b, sqliteFile(b))
	e := benchFrames()[0]
	a := hub.Accepted{App: f.registry.ByID("1"), Channel: e.Channel, Frame: e.Encode()}
	var taken []*chunk
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		f.log.Append(a)
		if n%4096 == 0 {
			taken = f.log.buffer.take(taken[:0], 1<<20)
			f.log.buffer.done(taken)
		}
	}
}

// benchEvents is how many events BenchmarkPage writes first.
var benchEvents = flag.Int("events", 100_000, "events of the busiest channel of BenchmarkPage")

// One operation is a page of 100 from the middle of many events, on a channel that
// has half of all, and on one of 999 that share the rest. For figures use
// -events 1000000.
func BenchmarkPage(b *testing.B) {
	f := newFixture(b, sqliteFile(b))
	f.run()
	frames := benchFrames()
	app := f.registry.ByID("1")
	for i := range 2 * *benchEvents {
		e := frames[0]
		if i%2 == 1 {
			e = frames[1+i/2%(len(frames)-1)]
		}
		f.log.Append(hub.Accepted{App: app, Channel: e.Channel, Frame: e.Encode()})
		if i%4096 == 0 {
			f.waitSettled()
		}
	}
	f.waitSettled()
	for _, bm := range []struct {
		name    string
		channel string
		limit   int
	}{{"busy", "private-room-0", 100}, {"quiet", "private-room-500", 10}} {
		first := f.page(bm.channel, limited(1)).Events[0].Time
		last := f.page(bm.channel, limited(1), oldestFirst).Events[0].Time
		middle := last.Add(first.Sub(last) / 2)
		for _, oldest := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/oldest=%v", bm.name, oldest), func(b *testing.B) {
				q := hub.HistoryQuery{App: "1", Channel: protocol.ChannelName(bm.channel), Limit: bm.limit, OldestFirst: oldest}
				if oldest {
					q.From = middle
				} else {
					q.To = middle
				}
				b.ReportAllocs()
				for b.Loop() {
					page, err := f.log.Page(b.Context(), q)
					if err != nil || len(page.Events) != bm.limit || page.Next == "" {
						b.Fatalf("%d events, %v", len(page.Events), err)
					}
				}
			})
		}
	}
}

// deliverySink is a connection that takes everything.
type deliverySink struct{ n int }

func (d *deliverySink) Outlet() hub.Outlet          { return d }
func (d *deliverySink) Deflates() bool              { return false }
func (d *deliverySink) Close(protocol.CloseError)   {}
func (d *deliverySink) Deliver(protocol.Wire) error { d.n++; return nil }

// newHub returns a hub of the fixture's apps with subscribers on a channel.
func (f *fixture) newHub(b *testing.B, events hub.EventLog, channel string, subscribers int) *hub.Hub {
	b.Helper()
	h := hub.New(hub.Options{Registry: f.registry, Events: events})
	for range subscribers {
		a, err := h.Attach(f.registry.ByID("1"), &deliverySink{})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { a.Detach(nil) })
		if refusal := a.Subscribe(nil, hub.SubscribeRequest{Channel: channel}); refusal != nil {
			b.Fatal(refusal)
		}
	}
	return h
}

// How long an event takes from the publisher to the last of its subscribers,
// without a history and with one, in turns: the percentiles of both, and how many
// times longer it takes. One operation is an event; they come at the given rate.
func BenchmarkDelivery(b *testing.B) {
	for _, rate := range []int{10_000, 50_000} {
		b.Run(fmt.Sprintf("rate=%d", rate), func(b *testing.B) {
			f := newFixture(b, sqliteFile(b))
			f.run()
			hubs := []*hub.Hub{f.newHub(b, nil, "room", 10), f.newHub(b, f.log, "room", 10)}
			p := hub.Publication{Channel: "room", Event: "my-event", Data: protocol.PayloadOfText(strings.Repeat("x", 256))}
			const turn = 5000
			pause := time.Second / time.Duration(rate)
			var took [2][]time.Duration
			n := 0
			for b.Loop() {
				which := n / turn % 2
				if n%turn == 0 {
					f.waitSettled()
				}
				due := time.Now().Add(pause)
				began := time.Now()
				hubs[which].Publish(f.registry.ByID("1"), p)
				took[which] = append(took[which], time.Since(began))
				n++
				for time.Now().Before(due) { // a timer is not that exact
				}
			}
			f.waitSettled()
			if n < 2*turn {
				return
			}
			for i := range took {
				slices.Sort(took[i])
			}
			at := func(i int, q float64) float64 { return float64(took[i][int(q*float64(len(took[i])-1))]) }
			for _, q := range []float64{0.5, 0.99} {
				name := fmt.Sprintf("p%.0f", 100*q)
				b.ReportMetric(at(0, q), name+"-without-ns")
				b.ReportMetric(at(1, q), name+"-with-ns")
				b.ReportMetric(at(1, q)/at(0, q), name+"-ratio")
			}
			if lost := f.metric("events_lost_total"); lost > 0 {
				b.Errorf("%v events lost", lost)
			}
		})
	}
}
