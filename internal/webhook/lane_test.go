package webhook

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// P-244: one failing payload does not stop later payloads of other channels.
// Those of its channel follow in order once it is given up.
func TestFailingPayloadDoesNotStopLaterOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(req request) (int, error) {
			if req.hook.Events[0].Data == "0" {
				return 500, nil
			}
			return 200, nil
		}}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r})
		for i := range 20 {
			d.Emit(clientEvent(app, fmt.Sprint("private-", i%4), i))
		}
		synctest.Wait() // no time passes
		if got := len(r.requests()); got != 16 {
			t.Fatalf("got %d attempts at once, want 15 and one that failed", got)
		}
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		var got []string
		for _, e := range r.events() {
			if strings.Contains(e, "private-0") {
				got = append(got, e)
			}
		}
		failing, rest := got[:len(got)-4], got[len(got)-4:]
		if len(failing) < 7 {
			t.Errorf("the failing one had %d attempts", len(failing))
		}
		for _, e := range failing {
			if e != "client_event private-0 0" {
				t.Errorf("%s came before the failing one was given up", e)
			}
		}
		wantEvents(t, rest, "client_event private-0 4", "client_event private-0 8",
			"client_event private-0 12", "client_event private-0 16")
	})
}

// Payloads of one channel go one after the other, so in order.
func TestPayloadsOfAChannelAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var running atomic.Int32
		r := &receiver{answer: func(request) (int, error) {
			if running.Add(1) > 1 {
				t.Error("an attempt starts before the previous one was answered")
			}
			time.Sleep(100 * time.Millisecond)
			running.Add(-1)
			return 200, nil
		}}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r})
		var want []string
		for i := range 50 {
			d.Emit(clientEvent(app, "private-c", i))
			want = append(want, fmt.Sprint("client_event private-c ", i))
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		wantEvents(t, r.events(), want...)
	})
}

// A slow receiver has at most as many attempts open as its endpoint allows. They
// start in order.
func TestAttemptsInFlightAreBounded(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint, total, want int
	}{
		"by default":                  {0, 0, 32},
		"by the endpoint":             {3, 0, 3},
		"one at a time":               {1, 0, 1},
		"by half of the common bound": {100, 10, 5},
		"by a common bound of one":    {0, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running, most atomic.Int32
				r := &receiver{answer: func(request) (int, error) {
					most.Store(max(most.Load(), running.Add(1)))
					time.Sleep(time.Second)
					running.Add(-1)
					return 200, nil
				}}
				endpoint := hook()
				endpoint.MaxInFlight = c.endpoint
				app := newApp("1", endpoint)
				d := start(t, Options{Transport: r, MaxInFlight: c.total})
				for i := range 100 {
					d.Emit(clientEvent(app, fmt.Sprint("private-", i), i))
				}
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				got := r.requests()
				if len(got) != 100 {
					t.Fatalf("got %d attempts, want 100", len(got))
				}
				for i, req := range got {
					if n := req.number(); n/c.want != i/c.want { // those of a second race each other
						t.Errorf("attempt %d was for %d", i, n)
					}
				}
				if int(most.Load()) != c.want {
					t.Errorf("up to %d attempts were open at once, want %d", most.Load(), c.want)
				}
			})
		})
	}
}

// A receiver that hangs on many channels is probed with the new payloads of
// others first, so that these do not wait behind the old ones.
func TestNewPayloadsAreProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(req request) (int, error) {
			if strings.HasPrefix(req.hook.Events[0].Channel, "private-bad") {
				return 0, errHang
			}
			return 200, nil
		}}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r})
		for i := range 40 {
			d.Emit(clientEvent(app, fmt.Sprint("private-bad", i), i))
		}
		time.Sleep(4 * time.Minute) // all had their first attempt, retries pile up
		synctest.Wait()
		before := len(r.requests())
		d.Emit(clientEvent(app, "private-good", 0))
		time.Sleep(10*time.Second + longestProbe*12/10) // until the probe in flight has ended, and the next
		synctest.Wait()
		found := slices.ContainsFunc(r.requests()[before:], func(req request) bool {
			return req.hook.Events[0].Channel == "private-good"
		})
		if !found {
			t.Error("a new payload waits behind retries")
		}
	})
}

// P-245: a dead endpoint slows neither Emit, which the hub calls, nor other
// endpoints, of the same app or another.
func TestDeadEndpointDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(req request) (int, error) {
			if strings.Contains(req.url, "dead") {
				return 0, errHang
			}
			return 200, nil
		}}
		dead, live := apps.Endpoint{URL: "http://dead.example/"}, apps.Endpoint{URL: "http://live.example/"}
		one, two := newApp("1", dead, live), newApp("2", live)
		d := start(t, Options{Transport: r, QueueBytes: 10_000})
		began := time.Now()
		for i := range 1000 {
			d.Emit(clientEvent(one, "private-c", i))
			d.Emit(clientEvent(two, "private-c", i))
			synctest.Wait()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("emitting took %v of the dead endpoint's time", took)
		}
		alive := 0
		for _, req := range r.requests() {
			if strings.Contains(req.url, "live") {
				alive++
			}
		}
		if alive != 2000 {
			t.Errorf("live endpoints got %d requests at once, want 2000", alive)
		}
	})
}

// What waits is bounded in bytes; the oldest go first, counted, and never one
// that is being attempted.
func TestOverflowDropsTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		r := &receiver{answer: func(request) (int, error) {
			if up.Load() {
				return 200, nil
			}
			return 0, errHang
		}}
		app := newApp("1", hook())
		size := len(seal(laneKey{}, app.Keys[0], time.Now().UnixMilli(), appendNotice(nil, clientEvent(app, "private-c", 10)), 1).Body)
		d := start(t, Options{Transport: r, QueueBytes: 5 * size})
		for i := range 30 {
			d.Emit(clientEvent(app, "private-c", 10+i))
			synctest.Wait()
		}
		if got := testutil.ToFloat64(d.metrics.payloads.WithLabelValues("1")); got != 5 {
			t.Errorf("%v payloads wait, want 5", got)
		}
		if got := testutil.ToFloat64(d.metrics.bytes.WithLabelValues("1")); int(got) != 5*size {
			t.Errorf("%v bytes wait, want %d", got, 5*size)
		}
		if got := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropOverflow))); got != 24 {
			t.Errorf("counted %v dropped events, want 24", got)
		}
		up.Store(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		// The first had been in flight; after its failure it is the oldest of what
		// waits, and there is no room for it.
		wantEvents(t, r.events(), "client_event private-c 10",
			"client_event private-c 35", "client_event private-c 36", "client_event private-c 37",
			"client_event private-c 38", "client_event private-c 39")
		if got := testutil.ToFloat64(d.metrics.payloads.WithLabelValues("1")); got != 0 {
			t.Errorf("%v payloads wait, want none", got)
		}
	})
}

// Before Run takes them, events are bounded the same way.
func TestIntakeOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", hook())
		size := len(appendNotice(nil, edgeNotice(app, hub.CacheMissed, "cache-10", "")))
		d, err := New(Options{Transport: r, QueueBytes: 3 * size})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 40 {
			d.Emit(edgeNotice(app, hub.CacheMissed, fmt.Sprint("cache-", 10+i), ""))
		}
		run(t, d)
		synctest.Wait()
		// Sealing adds to their size, so that the first of the three is dropped later.
		got := r.events()
		if len(got) == 0 || got[len(got)-1] != "cache_miss cache-49" {
			t.Errorf("got %q, want the newest", got)
		}
		dropped := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropOverflow)))
		if int(dropped)+len(got) != 40 || dropped < 37 {
			t.Errorf("dropped %v and delivered %d of 40", dropped, len(got))
		}
	})
}

// Settings that replace those checked by New may hold an unusable URL: its events
// are dropped and counted, others are not touched.
func TestUnusableURLOfReplacedSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", apps.Endpoint{URL: "ftp://hooks.example/"}, hook())
		d := start(t, Options{Transport: r})
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
		synctest.Wait()
		wantEvents(t, r.events(), "channel_occupied c")
		if got := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropURL))); got != 1 {
			t.Errorf("counted %v dropped events, want 1", got)
		}
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
