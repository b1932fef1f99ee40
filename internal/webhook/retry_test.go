package webhook

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
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

// A system's clock that is set ahead makes nothing too old that this process has sealed.
func TestClocksThatAreSetMakeNothingOld(t *testing.T) {
	now := time.Now()
	before := now.Add(-window(0))
	for _, tt := range []struct {
		name   string
		p      Payload
		age    time.Duration
		expire bool
	}{
		{"sealed here, before the clock was set ahead", Payload{TimeMS: now.Add(-time.Hour).UnixMilli(), sealed: now.Add(-time.Second)}, time.Second, false},
		{"sealed here, before it was set back", Payload{TimeMS: now.Add(time.Hour).UnixMilli(), sealed: now.Add(-time.Hour)}, time.Hour, true},
		{"sealed by another process", Payload{TimeMS: now.Add(-time.Hour).UnixMilli()}, time.Hour, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.p.age(now).Round(time.Second); got != tt.age {
				t.Errorf("age %v, want %v", got, tt.age)
			}
			var s Schedule
			s.Add(&tt.p)
			if got := s.PopExpired(before) != nil; got != tt.expire {
				t.Errorf("expired %v, want %v", got, tt.expire)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 29, 0, 59, 30, 500, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                               0,
		"0":                              0,
		"7":                              7 * time.Second,
		" 120 ":                          2 * time.Minute,
		"3600":                           time.Hour,
		"86400":                          time.Hour,
		"18446744073709551615":           time.Hour,
		"18446744073709551616":           0,
		"-1":                             0,
		"1.5":                            0,
		"soon":                           0,
		"Sun, 29 Mar 2026 01:00:00 GMT":  30*time.Second - 500,
		"Sunday, 29-Mar-26 01:00:00 GMT": 30*time.Second - 500,
		"Sun Mar 29 01:00:00 2026":       30*time.Second - 500,
		"Sun, 29 Mar 2026 00:59:30 GMT":  0,
		"Mon, 01 Jan 0001 00:00:00 GMT":  0,
		"Fri, 31 Dec 9999 23:59:59 GMT":  time.Hour,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q asks for %v, want %v", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"", "120", "Sun, 29 Mar 2026 01:00:00 GMT", "-1", "99999999999999999999"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if got := retryAfter(value, time.Now()); got < 0 || got > longestAsked {
			t.Errorf("%q asks for %v", value, got)
		}
	})
}

// What a receiver asks for by Retry-After is a lower bound, which does not keep
// a payload from its last attempt.
func TestRetryAfterIsHonoured(t *testing.T) {
	for name, c := range map[string]struct {
		value    string
		retryFor time.Duration
		status   int
		min, max time.Duration // of the first pause
	}{
		"longer than the pause":    {"60", 0, 503, time.Minute, time.Minute},
		"a date":                   {"Sat, 01 Jan 2000 00:02:00 GMT", 0, 429, 2 * time.Minute, 2 * time.Minute},
		"shorter than the pause":   {"0", 0, 503, 800 * time.Millisecond, 1200 * time.Millisecond},
		"longer than the window":   {"3600", 0, 503, 289 * time.Second, 289 * time.Second},
		"within a longer window":   {"1800", time.Hour, 503, 30 * time.Minute, 30 * time.Minute},
		"longer than any":          {"99999", 72 * time.Hour, 503, time.Hour, time.Hour},
		"not a number, not a date": {"later", 0, 503, 800 * time.Millisecond, 1200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{answer: func(request) (int, error) { return c.status, nil }, retryAfter: c.value}
				endpoint := hook()
				endpoint.RetryFor = c.retryFor
				app := newApp("1", endpoint)
				d := start(t, Options{Transport: r})
				d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				got := r.requests()
				if len(got) < 2 {
					t.Fatalf("got %d attempts, want more", len(got))
				}
				if pause := got[1].at.Sub(got[0].at); pause < c.min || pause > c.max {
					t.Errorf("the second attempt came after %v, want %v to %v", pause, c.min, c.max)
				}
			})
		})
	}
}

// With retry_for attempts go on after the window of §8.6, but then each is sealed
// anew: the same events with the present time and a signature of the key that is
// the oldest then.
func TestRetryForSealsAfresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const retryFor = 6 * time.Hour
		r := &receiver{answer: func(request) (int, error) { return 503, nil }}
		endpoint := hook()
		endpoint.RetryFor = retryFor
		before, after := newApp("1", endpoint), newApp("1", endpoint)
		after.Keys[0].Key, after.Keys[0].Secret = "rotated", "rotated"
		registry := registryOf(t, before)
		d := start(t, Options{Transport: r, Registry: registry})
		sealed := time.Now()
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "c", ""))
		time.Sleep(retryFor / 2)
		if err := registry.Replace(after); err != nil {
			t.Fatal(err)
		}
		d.Emit(edgeNotice(after, hub.ChannelOccupied, "c", "")) // lets the dispatcher see it
		time.Sleep(retryFor/2 + time.Hour)
		synctest.Wait()

		var late, rotated int
		var last request
		for _, req := range r.requests() {
			age := req.at.Sub(sealed)
			switch {
			case age <= lastStart:
				checkSame(t, r.requests()[0], req)
			case age <= retryFor:
				late++
				last = req
				name := req.header.Get(headerDelivery) // of the second event once the first is given up
				if name != r.requests()[0].header.Get(headerDelivery) && age < retryFor-longestRetry {
					t.Errorf("a late attempt has the name %s", name)
				}
				checkFresh(t, req, before, after)
				if req.header.Get("X-Pusher-Key") == "rotated" {
					rotated++
				}
			}
		}
		if most := int(retryFor / time.Minute); late < 72 || late > most || rotated < late/4 {
			t.Errorf("%d attempts after 290 s, %d with the new key; want 72 to %d, about half", late, rotated, most)
		}
		if pause := retryFor - last.at.Sub(sealed); pause > longestRetry {
			t.Errorf("the last attempt came %v before the end, want at most %v", pause, longestRetry)
		}
		if n := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropExpired))); n != 1 {
			t.Errorf("counted %v expired events, want the first", n)
		}
	})
}

// checkFresh holds an attempt against what sealing it at that time gives.
func checkFresh(t *testing.T, req request, before, after *apps.App) {
	t.Helper()
	want := fmt.Sprintf(`{"time_ms":%d,"events":[{"name":"channel_occupied","channel":"c"}]}`, req.at.UnixMilli())
	if req.body != want {
		t.Errorf("body %s, want %s", req.body, want)
	}
	pair := before.Keys[0]
	if req.header.Get("X-Pusher-Key") == "rotated" {
		pair = after.Keys[0]
	}
	if got := req.header.Get("X-Pusher-Signature"); got != pair.Secret.Sign([]byte(req.body)) {
		t.Errorf("signature %s is not that of %s over the body", got, pair.Key)
	}
}

// The events are found in a body whatever they contain.
func TestResealed(t *testing.T) {
	pair := auth.Key{Key: testKey, Secret: testSecret}
	for _, events := range []string{
		`{"name":"channel_occupied","channel":"c"}`,
		`{"name":"client_event","data":",\"events\":[]}"},{"name":"x","channel":"]}"}`,
	} {
		now := time.UnixMilli(1700000000123)
		p := seal(laneKey{app: "1", url: hookURL}, pair, 1, []byte(events), 2)
		got, want := p.resealed(pair, now), seal(laneKey{app: "1", url: hookURL}, pair, now.UnixMilli(), []byte(events), 2)
		if string(got.Body) != string(want.Body) || got.Signature != want.Signature || got.Events != 2 {
			t.Errorf("got %s, want %s", got.Body, want.Body)
		}
		if p.TimeMS != 1 {
			t.Error("the payload itself has changed")
		}
		if got.Delivery() != p.Delivery() {
			t.Errorf("delivery %s, before %s", got.Delivery(), p.Delivery())
		}
	}
}
