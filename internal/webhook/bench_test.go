package webhook

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// emitter returns a dispatcher that is not running, and one client event. What is
// emitted is dropped when the intake is full.
func emitter(tb testing.TB, endpoints ...apps.Endpoint) (*Dispatcher, hub.Notice) {
	tb.Helper()
	app := newApp("1", endpoints...)
	registry, err := apps.NewRegistry(app)
	if err != nil {
		tb.Fatal(err)
	}
	d, err := New(Options{Transport: &receiver{}, Registry: registry, QueueBytes: 1 << 20, GraceDelay: time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	n := clientEvent(app, "presence-c", 1)
	n.UserID, n.Data = "10", protocol.PayloadOfText(strings.Repeat("x", 200))
	return d, n
}

// One encoding, however many endpoints there are, is all that Emit allocates.
func TestEmitAllocations(t *testing.T) {
	for endpoints, want := range map[int]float64{0: 0, 1: 1, 3: 1} {
		t.Run(fmt.Sprintf("endpoints=%d", endpoints), func(t *testing.T) {
			all := make([]apps.Endpoint, endpoints)
			for i := range all {
				all[i] = hook()
			}
			d, n := emitter(t, all...)
			for range 10_000 { // until the ring has its size
				d.Emit(n)
			}
			if got := testing.AllocsPerRun(1000, func() { d.Emit(n) }); got > want {
				t.Errorf("%v allocations, want at most %v", got, want)
			}
		})
	}
}

func BenchmarkEmit(b *testing.B) {
	for _, endpoints := range []int{0, 1, 3} {
		b.Run(fmt.Sprintf("client_event/endpoints=%d", endpoints), func(b *testing.B) {
			all := make([]apps.Endpoint, endpoints)
			for i := range all {
				all[i] = hook()
			}
			d, n := emitter(b, all...)
			b.ReportAllocs()
			for b.Loop() {
				d.Emit(n)
			}
		})
	}
	b.Run("cancelled_edges", func(b *testing.B) {
		d, n := emitter(b, hook())
		falling, rising := edgeNotice(n.App, hub.ChannelVacated, "c", ""), edgeNotice(n.App, hub.ChannelOccupied, "c", "")
		b.ReportAllocs()
		for b.Loop() {
			d.Emit(falling)
			d.Emit(rising)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	_, n := emitter(b)
	pair := auth.Key{Key: testKey, Secret: testSecret}
	for _, count := range []int{1, batchEvents} {
		b.Run(fmt.Sprintf("events=%d", count), func(b *testing.B) {
			e := event{json: appendNotice(nil, n), batching: true}
			now := time.Now()
			var batch batch
			b.ReportAllocs()
			for b.Loop() {
				for range count {
					batch.add(e, now, batchWindow)
				}
				seal(laneKey{app: "1", url: hookURL}, pair, now.UnixMilli(), batch.events, batch.count)
				batch.reset()
			}
		})
	}
}

// From Emit to the answer of a receiver on loopback, each event on one of many
// channels.
func BenchmarkDeliver(b *testing.B) {
	for _, batching := range []bool{false, true} {
		b.Run(fmt.Sprintf("batching=%v", batching), func(b *testing.B) {
			server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
				_, _ = io.Copy(io.Discard, req.Body)
			}))
			defer server.Close()
			app := newApp("1", apps.Endpoint{URL: server.URL, Batching: batching})
			d, err := New(Options{Allow: loopback, QueueBytes: 1 << 30})
			if err != nil {
				b.Fatal(err)
			}
			ran := make(chan error, 1)
			go func() { ran <- d.Run(b.Context()) }()
			for range 2 { // the second finds room once Run has taken the first
				d.wake <- struct{}{}
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := range b.N { // b.Loop would stop the clock before Close
				d.Emit(clientEvent(app, fmt.Sprint("private-", i%10_000), i))
			}
			if err := d.Close(b.Context()); err != nil { // which delivers all
				b.Fatal(err)
			}
			if err := <-ran; err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

// A payload is added and leaves while a million others wait.
func BenchmarkSchedule(b *testing.B) {
	for _, channels := range []int{1, 1_000, 1_000_000} {
		b.Run(fmt.Sprintf("waiting=1000000/channels=%d", channels), func(b *testing.B) {
			var s Schedule
			add := func(i int) { s.Add(&Payload{Channels: []uint64{uint64(i % channels)}}) }
			for i := range 1_000_000 {
				add(i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				add(i)
				s.Remove(s.Pop(time.Time{}, TurnFirst))
			}
		})
	}
}
