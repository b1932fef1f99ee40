package webhook

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

const (
	// maxInFlight bounds the attempts in flight of one endpoint.
	maxInFlight = 32
	// maxRetrying bounds the retries among them, so that payloads which keep
	// failing leave room for new ones.
	maxRetrying = maxInFlight / 2
	// firstPatience is how long an unanswered first attempt holds back the next.
	firstPatience = 250 * time.Millisecond
	// sealChunk is how many events are sealed before attempts are looked after.
	sealChunk = 256
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
	signer  func(*apps.App) auth.Key
	wake    chan struct{} // capacity 1, never closed
	results chan attempt  // capacity maxInFlight, so that no attempt waits; never closed

	intake intake

	// Owned by run.
	buf      [sealChunk]event
	closed   bool // none will follow those in the intake
	more     bool // the intake holds more than was taken
	batch    batch
	queue    Queue
	attempts sync.WaitGroup
	inFlight int
	retrying int
	first    *Payload // in its first attempt, which began at firstAt
	firstAt  time.Time
	report   reporter
}

func newLane(d *Dispatcher, key laneKey) *lane {
	label, fault := target(key.url)
	log := d.options.Log.With("app", string(key.app), "url", label)
	l := &lane{
		key:     key,
		fault:   fault,
		log:     log,
		metrics: d.metrics.lane(key.app),
		sender:  d.sender,
		signer:  d.oldestKey,
		wake:    make(chan struct{}, 1),
		results: make(chan attempt, maxInFlight),
		intake:  intake{maxBytes: d.options.QueueBytes},
		report:  reporter{log: log},
	}
	l.queue = d.options.OpenQueue(QueueSpec{
		App: key.app, URL: key.url, Nth: key.nth, MaxBytes: d.options.QueueBytes, Wake: l.signal,
	})
	return l
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
		l.startAttempts(ctx, now)
		l.metrics.waiting(l.queue.Waiting())
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

// stop takes back what was in flight when ctx ended. The results of the last
// attempts fit into the channel.
func (l *lane) stop() {
	l.attempts.Wait()
	for l.inFlight > 0 {
		l.settle(<-l.results)
	}
	l.report.flush()
	l.metrics.waiting(Backlog{})
}

func (l *lane) idle() bool {
	return l.closed && !l.more && l.batch.count == 0 && l.inFlight == 0 && l.queue.Waiting().Payloads == 0
}

// left returns how many events were not delivered and counts them as dropped.
// To be called once, after run has ended or when it will not start.
func (l *lane) left() int {
	_, dropped, _, _ := l.intake.take(nil)
	l.metrics.drop(DropOverflow, dropped)
	left := l.intake.len() + l.batch.count + l.queue.Waiting().Events
	l.metrics.drop(DropStopped, left)
	return left
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
	if l.batch.count > 0 && !l.batch.fits(e) {
		l.seal(now)
	}
	l.batch.add(e, now)
	if !e.batching || l.batch.full() {
		l.seal(now)
	}
}

func (l *lane) seal(now time.Time) {
	p := seal(l.key, l.signer(l.batch.app), now.UnixMilli(), l.batch.events, l.batch.count)
	l.batch.reset()
	l.put(p)
}

func (l *lane) put(p *Payload) {
	for _, victim := range l.queue.Put(p) {
		l.drop(DropOverflow, victim.Events)
	}
}

func (l *lane) startAttempts(ctx context.Context, now time.Time) {
	for l.inFlight < maxInFlight {
		p := l.queue.Pop(now, l.turn(now))
		if p == nil {
			return
		}
		if p.expired(now) {
			l.giveUp(p)
			continue
		}
		l.start(ctx, p, now)
	}
}

// turn tells which attempts may start. First attempts go in order: the next one
// when the one before has ended or shows no sign of ending (§8.6).
func (l *lane) turn(now time.Time) (t Turn) {
	if l.retrying < maxRetrying {
		t |= TurnRetry
	}
	if l.first == nil || now.Sub(l.firstAt) >= firstPatience {
		t |= TurnFirst
	}
	return t
}

func (l *lane) start(ctx context.Context, p *Payload, now time.Time) {
	l.inFlight++
	if p.Failures > 0 {
		l.retrying++
	} else {
		l.first, l.firstAt = p, now
	}
	l.attempts.Go(func() { l.results <- l.sender.post(ctx, p) })
}

// settle decides what becomes of a payload after an attempt.
func (l *lane) settle(a attempt) {
	p := a.payload
	l.inFlight--
	if p.Failures > 0 {
		l.retrying--
	}
	if l.first == p {
		l.first = nil
	}
	l.metrics.attempt(a)
	if a.outcome == Aborted { // it counts as not made
		l.put(p)
		return
	}
	l.report.attempt(a)
	if a.outcome == Delivered {
		l.queue.Done(p)
		return
	}
	p.Failures++
	p.Due = time.Now().Add(retryDelay(p.Failures))
	if p.expired(p.Due) {
		l.giveUp(p)
		return
	}
	l.put(p)
}

func (l *lane) giveUp(p *Payload) {
	l.queue.Done(p)
	l.drop(DropExpired, p.Events)
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
		if t.Before(next) {
			next = t
		}
	}
	if l.batch.count > 0 {
		sooner(l.batch.due)
	}
	w := l.queue.Waiting()
	if l.inFlight < maxInFlight {
		if w.First && l.first != nil {
			sooner(l.firstAt.Add(firstPatience))
		}
		if !w.Retry.IsZero() && l.retrying < maxRetrying {
			sooner(w.Retry)
		}
	}
	return next.Sub(now)
}
