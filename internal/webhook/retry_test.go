package webhook

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

var errRefused = errors.New("connection refused")

func TestRetryDelay(t *testing.T) {
	for failures, base := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 8 * time.Second, 5: 16 * time.Second,
		6: 32 * time.Second, 7: 64 * time.Second, 8: 128 * time.Second, 9: 128 * time.Second, 1000: 128 * time.Second,
	} {
		for range 100 {
			if got := retryDelay(failures); got < base*8/10 || got > base*12/10 {
				t.Fatalf("after %d failures %v, want %v ± 20 %%", failures, got, base)
			}
		}
	}
	if low, high := spread(10*time.Second, 0), spread(10*time.Second, 0.999999); low != 8*time.Second || high < 11999*time.Millisecond {
		t.Errorf("10 s spread to %v … %v, want 8 s … 12 s", low, high)
	}
}

// P-240, P-241, P-242: each kind of failure is retried with growing delays and
// identical requests; no attempt starts later than 290 s after time_ms; then the
// payload is dropped and counted.
func TestFailuresAreRetriedUntilTooOld(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		err     error
		took    time.Duration // by each attempt
		outcome Outcome
	}{
		"error status":       {500, nil, 0, Status5xx},
		"gone":               {410, nil, 0, Status4xx}, // no special meaning (§8.6)
		"redirect":           {302, nil, 0, Status3xx},
		"not modified":       {304, nil, 0, Status3xx},
		"odd status":         {999, nil, 0, StatusOther},
		"timeout":            {0, errHang, 10 * time.Second, TimedOut},
		"refused connection": {0, errRefused, 0, NotConnected},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{answer: func(request) (int, error) { return c.status, c.err }}
				app := newApp("1", hook())
				d := start(t, Options{Transport: r})
				sealed := time.Now()
				d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
				time.Sleep(10 * time.Minute)
				synctest.Wait()

				got := r.requests()
				if len(got) < 7 || len(got) > 9 {
					t.Fatalf("got %d attempts, want 7 to 9", len(got))
				}
				checkDelays(t, got, c.took)
				for _, again := range got[1:] {
					checkSame(t, got[0], again)
				}
				if last := got[len(got)-1].at.Sub(sealed); last > 290*time.Second {
					t.Errorf("last attempt after %v, want at most 290 s", last)
				}
				if n := testutil.ToFloat64(d.metrics.attempts.WithLabelValues("1", string(c.outcome))); int(n) != len(got) {
					t.Errorf("counted %v attempts as %s, want %d", n, c.outcome, len(got))
				}
				if n := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropExpired))); n != 1 {
					t.Errorf("counted %v expired events, want 1", n)
				}
				if err := d.Close(t.Context()); err != nil {
					t.Errorf("something is left: %v", err)
				}
			})
		})
	}
}

func checkDelays(t *testing.T, got []request, took time.Duration) {
	t.Helper()
	base := time.Second
	before := time.Duration(0)
	for i := 1; i < len(got); i++ {
		pause := got[i].at.Sub(got[i-1].at) - took
		if pause < base*8/10 || pause > base*12/10 || pause <= before {
			t.Errorf("attempt %d came %v after the failure before, want %v ± 20 %%", i+1, pause, base)
		}
		before = pause
		base *= 2
	}
}

func checkSame(t *testing.T, first, again request) {
	t.Helper()
	if again.body != first.body {
		t.Errorf("body became %s, was %s", again.body, first.body)
	}
	for name := range first.header {
		if again.header.Get(name) != first.header.Get(name) {
			t.Errorf("%s became %q, was %q", name, again.header.Get(name), first.header.Get(name))
		}
	}
	if len(again.header) != len(first.header) {
		t.Errorf("headers became %v, were %v", again.header, first.header)
	}
}

// P-241: a retry carries the signature of the first attempt even if the key was
// replaced in between.
func TestRetryKeepsItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(request) (int, error) { return 503, nil }}
		before := newApp("1", hook())
		registry := registryOf(t, before)
		d := start(t, Options{Transport: r, Registry: registry})
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "c", ""))
		synctest.Wait()
		after := newApp("1", hook())
		after.Keys[0].Key, after.Keys[0].Secret = "rotated", "rotated"
		if err := registry.Replace(after); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		got := r.requests()
		if len(got) != 2 {
			t.Fatalf("got %d attempts, want 2", len(got))
		}
		checkSame(t, got[0], got[1])
	})
}

// P-243: any 2xx ends delivery.
func TestAny2xxEndsDelivery(t *testing.T) {
	for _, status := range []int{200, 201, 202, 204, 226, 299} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{answer: func(request) (int, error) { return status, nil }}
				app := newApp("1", hook())
				d := start(t, Options{Transport: r})
				d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if got := len(r.requests()); got != 1 {
					t.Errorf("got %d attempts, want 1", got)
				}
			})
		})
	}
}

// A payload that waited too long for its first attempt is not attempted any more.
func TestTooOldForAFirstAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(request) (int, error) { return 0, errHang }}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r, Timeout: 10 * time.Second})
		const n = 2000 // 32 at a time, 10 s each: far too slow
		for i := range n {
			d.Emit(clientEvent(app, "private-c", i))
		}
		sealed := time.Now()
		time.Sleep(20 * time.Minute)
		synctest.Wait()
		for _, req := range r.requests() {
			if after := req.at.Sub(sealed); after > 290*time.Second {
				t.Fatalf("an attempt started after %v, want at most 290 s", after)
			}
		}
		if got := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropExpired))); got != n {
			t.Errorf("counted %v expired events, want %d", got, n)
		}
	})
}
