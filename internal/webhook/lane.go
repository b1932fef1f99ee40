package webhook

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

// sealChunk is how many events are sealed, and how many payloads given up, before
// attempts are looked after.
const sealChunk = 256

// Bounds of the bytes of events that wait to be sealed: the queue's, but within these. What
// overflows there is lost to the dead letters as well, so a small queue has room for a burst.
const (
	minIntake = 64 << 10
	maxIntake = 64 << 20
)

// laneKey names an endpoint of an app.
type laneKey struct {
	app apps.ID
	url string
	nth int // among the app's endpoints with this URL
}

// lane delivers to one endpoint. All but the intake belongs to the goroutine
// that is in run; attempts report back through results.
type lane struct {
	// Set by newLane, immutable.
	key     laneKey
	fault   error // the URL is unusable: everything is dropped
	log     *slog.Logger
	metrics *laneMetrics
	sender  *sender
	slots   *slots
	signer  func(app *apps.App, name string) auth.Key
	history AttemptLog    // nil: none
	wake    chan struct{} // capacity 1, never closed
	results chan attempt  // never closed

	intake   intake
	settings atomic.Pointer[settings] // of the endpoint, as they are now; changed by configure

	// Owned by run.
	buf      [sealChunk]event
	closed   bool // none will follow those in the intake
	more     bool // the intake holds more than was taken
	batch    batch
	queue    Queue
	durable  bool // the queue is the journal's
	attempts sync.WaitGroup
	inFlight int
	retrying int   // of those in flight
	share    share // of the slots
	refused  bool  // a slot; another one will come
	breaker  breaker
	report   reporter
}

func newLane(d *Dispatcher, key laneKey) *lane {
	label, fault := target(key.url)
	log := d.options.Log.With("app", string(key.app), "url", label)
	l := &lane{
		key:     key,
		fault:   fault,
		log:     log,
		metrics: d.metrics.lane(key),
		sender:  d.sender,
		slots:   d.slots,
		signer:  d.signingKey,
		history: d.options.Attempts,
		wake:    make(chan struct{}, 1),
		results: make(chan attempt, 32), // attempts seldom wait for the lane
		intake:  intake{maxBytes: min(max(d.options.QueueBytes, minIntake), maxIntake)},
		report:  reporter{log: log},
	}
	l.share.wake = l.signal
	l.queue, l.durable = d.openQueue(l, QueueSpec{
		App: key.app, URL: key.url, Nth: key.nth, Label: label, MaxBytes: d.options.QueueBytes,
		Wake: l.signal, Reseal: l.reseal, Dropped: l.drop,
	})
	return l
}

// configure gives the lane the present settings of its endpoint. It is called
// before run and whenever they have changed.
func (l *lane) configure(app *apps.App, endpoint apps.Endpoint) {
	l.settings.Store(settingsOf(app, endpoint))
}

// add takes an event in and reports whether the lane is open. Any goroutine may
// call it; it never blocks.
func (l *lane) add(e event) bool {
	if !l.intake.put(e) {
		return false
	}
	l.signal()
	return true
}

// close lets run return once everything is delivered or given up.
func (l *lane) close() {
	l.intake.close()
	l.signal()
}

func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run returns when the lane is closed and empty, or when ctx ends; attempts in
// flight have ended then.
func (l *lane) run(ctx context.Context) {
	if l.fault != nil {
		l.log.Error("webhook endpoint is unusable", "error", l.fault)
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	defer l.stop()
	for {
		l.takeIn(time.Now())
		now := time.Now() // sealing many takes a while
		l.expire(now)
		l.startAttempts(ctx, now)
		l.tell(now)
		if l.idle() {
			return
		}
		timer.Reset(l.nextLook(now))
		select {
		case <-l.wake:
		case a := <-l.results:
			l.settle(a)
		case <-timer.C:
		case <-ctx.Done():
			return
		}
	}
}

// stop takes back what was in flight when ctx ended.
func (l *lane) stop() {
	for l.inFlight > 0 {
		l.settle(<-l.results)
	}
	l.attempts.Wait()
	l.slots.withdraw(&l.share)
	l.report.flush()
	l.metrics.down(false)
	l.metrics.waiting(Backlog{})
}

// tell brings metrics and log up to date.
func (l *lane) tell(now time.Time) {
	l.metrics.waiting(l.queue.Waiting())
	l.metrics.down(l.breaker.open)
	l.report.down(l.breaker.open, now)
}

// idle reports whether a closed lane has nothing left to do. In a durable queue
// what cannot be attempted now is left to the next process.
func (l *lane) idle() bool {
	if !l.closed || l.more || l.batch.count > 0 || l.inFlight > 0 {
		return false
	}
	w := l.queue.Waiting()
	return w.Payloads == 0 || l.durable && (l.breaker.open || !w.First && !w.Soon)
}

// left returns how many events were not delivered, and how many of them are kept
// for the next process. It counts the others as dropped. To be called once, after
// run has ended or when it will not start.
func (l *lane) left() (left, kept int) {
	_, dropped, _, _ := l.intake.take(nil)
	l.metrics.drop(DropOverflow, dropped)
	left = l.intake.len() + l.batch.count + l.queue.Waiting().Events
	if l.durable {
		return left, left
	}
	l.metrics.drop(DropStopped, left)
	return left, 0
}

// takeIn moves events from the intake into the batch, and sealed batches into
// the queue.
func (l *lane) takeIn(now time.Time) {
	n, dropped, more, closed := l.intake.take(l.buf[:])
	l.more, l.closed = more, closed
	l.drop(DropOverflow, dropped)
	for i, e := range l.buf[:n] {
		l.buf[i] = event{}
		l.join(e, now)
	}
	if l.batch.count > 0 && (closed && !more || !now.Before(l.batch.due)) {
		l.seal(now)
	}
}

func (l *lane) join(e event, now time.Time) {
	if l.fault != nil {
		l.drop(DropURL, 1)
		return
	}
	s := l.settings.Load()
	if l.batch.count > 0 && !l.batch.fits(e, s.BatchBytes) {
		l.seal(now)
	}
	l.batch.add(e, now, s.BatchWait)
	if !e.batching || l.batch.count >= s.BatchEvents {
		l.seal(now)
	}
}

func (l *lane) seal(now time.Time) {
	pair := l.signer(l.batch.app, l.settings.Load().SigningKey)
	p := seal(l.key, pair, now.UnixMilli(), l.batch.events, l.batch.count)
	p.Channels, p.Seq, p.sealed = l.batch.distinct(), l.batch.seq, now
	l.batch.reset()
	l.put(p)
}

func (l *lane) put(p *Payload) {
	for _, victim := range l.queue.Put(p) {
		l.drop(DropOverflow, victim.Events)
	}
}

func (l *lane) drop(reason DropReason, events int) {
	if events > 0 {
		l.metrics.drop(reason, events)
		l.report.drop(reason, events)
	}
}

// nextLook returns after how long there may be something to do without a signal
// or a result.
func (l *lane) nextLook(now time.Time) time.Duration {
	if l.more {
		return 0
	}
	next := now.Add(time.Hour)
	sooner := func(t time.Time) {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	if l.batch.count > 0 {
		sooner(l.batch.due)
	}
	w := l.queue.Waiting()
	sooner(l.nextAttempt(w))
	if !w.Oldest.IsZero() {
		sooner(w.Oldest.Add(l.window() + time.Millisecond))
	}
	return next.Sub(now)
}
