package webhook

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// emitOnNewChannels emits as many events, each on a channel of its own.
func emitOnNewChannels(d *Dispatcher, app *apps.App, from, n int) {
	for i := from; i < from+n; i++ {
		d.Emit(clientEvent(app, fmt.Sprint("private-", i), i))
	}
}

// An endpoint that fails five different payloads gets single probes with growing
// pauses; when one succeeds, all that waits is delivered at once.
func TestEndpointThatIsDownIsProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		r := &receiver{answer: func(request) (int, error) {
			if up.Load() {
				return 200, nil
			}
			return 0, errRefused
		}}
		endpoint := hook()
		endpoint.MaxInFlight = 1 // so that exactly the fifth failure is the last
		app := newApp("1", endpoint)
		var text lockedBuffer
		d := start(t, Options{Transport: r, Log: slog.New(slog.NewTextHandler(&text, nil))})
		down := func() float64 {
			return testutil.ToFloat64(d.metrics.down.WithLabelValues("1", "http://hooks.example"))
		}
		emitOnNewChannels(d, app, 0, 100)
		synctest.Wait()
		if got := len(r.requests()); got != breakAfter {
			t.Errorf("%d attempts until the endpoint is down, want %d", got, breakAfter)
		}
		if down() != 1 {
			t.Error("the gauge does not tell")
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		got := r.requests()
		for i, base := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			base *= time.Second
			pause := got[breakAfter+i].at.Sub(got[breakAfter+i-1].at)
			if pause < base*8/10 || pause > base*12/10 {
				t.Errorf("probe %d came after %v, want %v ± 20 %%", i, pause, base)
			}
		}
		up.Store(true)
		time.Sleep(longestProbe * 12 / 10)
		time.Sleep(longestProbe) // those that have failed before are due by then
		synctest.Wait()
		if w := testutil.ToFloat64(d.metrics.payloads.WithLabelValues("1")); w != 0 || down() != 0 {
			t.Errorf("%v payloads wait and the gauge says %v after the receiver is back", w, down())
		}
		for line, want := range map[string]int{"webhook endpoint is down": 1, "webhook endpoint is up": 1} {
			if n := strings.Count(text.String(), line); n != want {
				t.Errorf("logged %d times %q, want %d:\n%s", n, line, want, text.String())
			}
		}
	})
}

// One payload that the receiver cannot digest does not make it be taken for
// down, however often it fails.
func TestOnePayloadDoesNotBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(req request) (int, error) {
			if req.number() == 0 {
				return 400, nil
			}
			return 200, nil
		}}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r})
		emitOnNewChannels(d, app, 0, 1)
		time.Sleep(200 * time.Second)
		synctest.Wait()
		if got := len(r.requests()); got < breakAfter {
			t.Fatalf("only %d attempts", got)
		}
		emitOnNewChannels(d, app, 1, 1)
		synctest.Wait()
		if got := r.requests(); got[len(got)-1].number() != 1 {
			t.Error("another payload is held back")
		}
	})
}

// While an endpoint is down, what becomes too old is given up, be it that it was
// attempted, is new, or is held back.
func TestDownEndpointStillExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(request) (int, error) { return 503, nil }}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r})
		emitOnNewChannels(d, app, 0, 100)
		emitOnNewChannels(d, app, 0, 100)
		time.Sleep(lastStart + time.Second)
		synctest.Wait()
		if got := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropExpired))); got != 200 {
			t.Errorf("counted %v expired events, want 200", got)
		}
		if err := d.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestBreaker(t *testing.T) {
	now := time.Now()
	fail := func(b *breaker, n int) (last *Payload) {
		for range n {
			last = &Payload{}
			b.started(last)
			b.failure(last, now, 0)
		}
		return last
	}
	t.Run("a success between starts the count anew", func(t *testing.T) {
		var b breaker
		fail(&b, breakAfter-1)
		b.succeeded()
		fail(&b, breakAfter-1)
		if b.open {
			t.Error("it is open")
		}
	})
	t.Run("a payload that failed in an earlier period counts again", func(t *testing.T) {
		var b breaker
		p := fail(&b, 1)
		b.succeeded()
		fail(&b, breakAfter-1)
		b.failure(p, now, 0)
		if !b.open {
			t.Error("it is closed")
		}
	})
	t.Run("a probe that is aborted counts as not made", func(t *testing.T) {
		var b breaker
		fail(&b, breakAfter)
		later := now.Add(time.Minute)
		p := &Payload{}
		b.started(p)
		if b.allows(later) {
			t.Error("two probes at once")
		}
		b.aborted(p)
		if !b.allows(later) {
			t.Error("no other probe")
		}
	})
	t.Run("attempts of before neither delay probes nor let a second start", func(t *testing.T) {
		var b breaker
		fail(&b, breakAfter)
		next := b.next
		probe := &Payload{}
		b.started(probe)
		b.failure(&Payload{}, now.Add(time.Hour), 0)
		if b.next != next || b.allows(now.Add(time.Hour)) {
			t.Error("the failure of an older attempt counts as the probe's")
		}
	})
	t.Run("the next probe waits as long as was asked for", func(t *testing.T) {
		var b breaker
		for range breakAfter {
			b.failure(&Payload{}, now, time.Minute)
		}
		if b.allows(now.Add(time.Minute-1)) || !b.allows(now.Add(time.Minute)) {
			t.Errorf("next after %v, want a minute", b.next.Sub(now))
		}
	})
}
