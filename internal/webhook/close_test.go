package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// Close seals at once what waits for a delay or a batch, in order.
func TestCloseFlushesDelaysAndBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", batching())
		d := start(t, Options{Transport: r, GraceDelay: delay})
		began := time.Now()
		d.Emit(edgeNotice(app, hub.CacheMissed, "presence-cache-c", ""))
		d.Emit(edgeNotice(app, hub.MemberRemoved, "presence-cache-c", "u"))
		d.Emit(edgeNotice(app, hub.ChannelVacated, "presence-cache-c", ""))
		if err := d.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %v, want no waiting", took)
		}
		wantEvents(t, r.events(), "cache_miss presence-cache-c",
			"member_removed presence-cache-c u", "channel_vacated presence-cache-c")
		if got := r.sizes(); len(got) != 1 {
			t.Errorf("requests had %v events, want one request", got)
		}
	})
}

// Close waits for retries; when it may not wait longer it abandons attempts and
// tells what is left.
func TestCloseDrainsUntilItsContextEnds(t *testing.T) {
	for name, c := range map[string]struct {
		recovers time.Duration
		patience time.Duration
		want     string
		took     time.Duration
	}{
		"receiver recovers": {2 * time.Second, time.Minute, "", 0},
		"receiver is dead":  {time.Hour, 5 * time.Second, "stop webhooks: 3 events left undelivered", 5 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				r := &receiver{answer: func(request) (int, error) {
					if time.Since(began) < c.recovers {
						return 500, nil
					}
					return 200, nil
				}}
				app := newApp("1", hook())
				d := start(t, Options{Transport: r})
				for i := range 3 {
					d.Emit(clientEvent(app, "private-c", i))
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), c.patience)
				defer cancel()
				err := d.Close(ctx)
				if fmt.Sprint(err) != c.want && (err != nil || c.want != "") {
					t.Errorf("got %v, want %q", err, c.want)
				}
				if took := time.Since(began); c.took != 0 && took != c.took {
					t.Errorf("Close took %v, want %v", took, c.took)
				}
				stopped := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropStopped)))
				if want := strings.Count(c.want, "3") * 3; int(stopped) != want {
					t.Errorf("counted %v events as stopped, want %d", stopped, want)
				}
				if again := d.Close(t.Context()); again != err { //nolint:errorlint // the very same value
					t.Errorf("a second Close returns %v, want %v", again, err)
				}
			})
		})
	}
}

// Close ends attempts that hang, and counts their payloads as left.
func TestCloseAbandonsHangingAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(request) (int, error) { return 0, errHang }}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r, Timeout: time.Hour})
		for i := range 5 {
			d.Emit(clientEvent(app, fmt.Sprint("private-", i%3), i)) // two wait for others
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := d.Close(ctx); err == nil || err.Error() != "stop webhooks: 5 events left undelivered" {
			t.Errorf("got %v, want all 5 left", err)
		}
		if got := testutil.ToFloat64(d.metrics.attempts.WithLabelValues("1", string(Aborted))); got != 3 {
			t.Errorf("counted %v aborted attempts, want 3", got)
		}
	})
}

func TestEmitAfterCloseIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r, GraceDelay: delay})
		if err := d.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, name := range hub.NoticeNames {
			d.Emit(edgeNotice(app, name, "c", ""))
		}
		time.Sleep(2 * delay)
		wantEvents(t, r.events())
		if got := testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropClosed))); int(got) != len(hub.NoticeNames) {
			t.Errorf("counted %v, want %d", got, len(hub.NoticeNames))
		}
		if err := d.Run(t.Context()); err != nil {
			t.Errorf("Run after Close returned %v", err)
		}
	})
}

// Without Run nothing leaves, and Close says so.
func TestCloseWithoutRun(t *testing.T) {
	r := &receiver{}
	app := newApp("1", hook())
	d, err := New(Options{Transport: r, GraceDelay: delay})
	if err != nil {
		t.Fatal(err)
	}
	d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
	d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
	if err := d.Close(t.Context()); err == nil || err.Error() != "stop webhooks: 2 events left undelivered" {
		t.Errorf("got %v, want 2 events left", err)
	}
	wantEvents(t, r.events())
}

func TestRunAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cause := errors.New("second signal")
		r := &receiver{answer: func(request) (int, error) { return 0, errHang }}
		app := newApp("1", hook())
		d, err := New(Options{Transport: r, GraceDelay: delay, Timeout: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		ctx, abort := context.WithCancelCause(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- d.Run(ctx) }()
		synctest.Wait()
		if err := d.Run(t.Context()); err == nil {
			t.Error("Run runs twice")
		}
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
		d.Emit(edgeNotice(app, hub.ChannelVacated, "c", ""))
		synctest.Wait()
		abort(cause)
		if err := <-ran; !errors.Is(err, cause) {
			t.Errorf("Run returned %v, want the cause", err)
		}
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "d", ""))
		if err := d.Close(t.Context()); err == nil || err.Error() != "stop webhooks: 2 events left undelivered" {
			t.Errorf("Close returned %v, want 2 events left", err)
		}
	})
}

// Emitting while closing loses nothing uncounted.
func TestCloseWhileEmitting(t *testing.T) {
	r := &receiver{}
	app := newApp("1", batching())
	d := start(t, Options{Transport: r, GraceDelay: time.Hour})
	const senders, each = 8, 500
	var wg sync.WaitGroup
	halfway := make(chan struct{}, senders)
	for s := range senders {
		wg.Go(func() {
			for i := range each {
				if i == each/2 {
					halfway <- struct{}{}
				}
				d.Emit(edgeNotice(app, hub.ChannelVacated, fmt.Sprint("c", s, "-", i), ""))
			}
		})
	}
	<-halfway
	if err := d.Close(t.Context()); err != nil {
		t.Error(err)
	}
	wg.Wait()
	dropped := int(testutil.ToFloat64(d.metrics.dropped.WithLabelValues("1", string(DropClosed))))
	if got := len(r.events()) + dropped; got != senders*each {
		t.Errorf("delivered and dropped %d, want %d", got, senders*each)
	}
}
