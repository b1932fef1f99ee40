package webhook

import (
	"fmt"
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
					batch.add(e, now)
				}
				seal(laneKey{app: "1", url: hookURL}, pair, now.UnixMilli(), batch.events, batch.count)
				batch.reset()
			}
		})
	}
}
