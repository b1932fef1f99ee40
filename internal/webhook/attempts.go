package webhook

import (
	"context"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// AttemptLog keeps what became of attempts.
type AttemptLog interface {
	// LogAttempt takes an attempt that has ended, before the queue learns what
	// becomes of its payload. It is called by one goroutine per endpoint and must
	// not wait for a disk. The answer belongs to it.
	LogAttempt(a Attempt)
}

// Attempt tells how one attempt ended. It holds no secrets but those in the URL.
type Attempt struct {
	App apps.ID
	URL string // of the endpoint
	Nth int    // as in [QueueSpec]

	Payload int64 // its ID
	Start   time.Time
	Took    time.Duration
	Outcome Outcome
	Status  int    // 0 without an answer
	Answer  []byte // what its body began with, at most 512 bytes
	Error   string // "" with an answer; at most 256 bytes
}

// startAttempts starts what may be: as many as the endpoint's and the common
// bound leave room for, or a single probe if the endpoint is down.
func (l *lane) startAttempts(ctx context.Context, now time.Time) {
	refused := false
	for limit := l.limit(); l.inFlight < limit && l.breaker.allows(now); {
		turn := l.turn(limit)
		if !l.queue.Waiting().has(turn, now) {
			break
		}
		if refused = !l.slots.take(&l.share); refused {
			break
		}
		p := l.pop(now, turn)
		if p == nil {
			l.slots.release(&l.share)
			break
		}
		l.start(ctx, p, now)
	}
	if l.refused && !refused {
		l.slots.withdraw(&l.share)
	}
	l.refused = refused
}

func (l *lane) limit() int { return l.settings.Load().MaxInFlight }

func (l *lane) window() time.Duration { return window(l.settings.Load().RetryFor) }

// turn leaves half of the room to first attempts, so that payloads which keep
// failing do not take all.
func (l *lane) turn(limit int) Turn {
	if l.retrying < max(limit/2, 1) {
		return TurnFirst | TurnRetry
	}
	return TurnFirst
}

// has reports whether there is a payload to hand out.
func (b Backlog) has(turn Turn, now time.Time) bool {
	return b.First && turn&TurnFirst != 0 ||
		turn&TurnRetry != 0 && !b.Retry.IsZero() && !b.Retry.After(now)
}

// pop prefers new payloads as probes: if the breaker opened because of some that
// the receiver cannot digest, one of these tells.
func (l *lane) pop(now time.Time, turn Turn) *Payload {
	if l.breaker.open {
		if p := l.queue.Pop(now, turn&TurnFirst); p != nil {
			return p
		}
	}
	return l.queue.Pop(now, turn)
}

func (l *lane) start(ctx context.Context, p *Payload, now time.Time) {
	l.inFlight++
	if p.Failures > 0 {
		l.retrying++
	}
	l.breaker.started(p)
	sealed, s := p, l.settings.Load()
	if p.age(now) > lastStart {
		sealed = p.resealed(l.signer(s.app, s.SigningKey), now)
	}
	sealed.header = s.header
	l.attempts.Go(func() {
		a := l.sender.post(ctx, sealed)
		a.payload = p
		l.results <- a
	})
}

// settle decides what becomes of a payload after an attempt.
func (l *lane) settle(a attempt) {
	p := a.payload
	l.inFlight--
	if p.Failures > 0 {
		l.retrying--
	}
	l.slots.release(&l.share)
	l.metrics.attempt(a)
	l.logAttempt(a)
	if a.outcome == Aborted { // it counts as not made
		l.breaker.aborted(p)
		l.put(p)
		return
	}
	l.report.attempt(a)
	if a.outcome == Delivered {
		l.breaker.succeeded()
		l.queue.Done(p)
		return
	}
	l.fail(a, time.Now())
}

func (l *lane) fail(a attempt, now time.Time) {
	p := a.payload
	p.Failures++
	asked := p.bounded(a.retryAfter, now, l.window())
	l.breaker.failure(p, now, asked)
	due, ok := p.nextDue(now, asked, l.window())
	if !ok {
		l.giveUp(p, DropExpired)
		return
	}
	p.Due = due
	l.put(p)
}

// expire gives up what is too old for an attempt, be it held back or not due,
// or the endpoint be down.
func (l *lane) expire(now time.Time) {
	before := now.Add(-l.window())
	for range sealChunk {
		p := l.queue.PopExpired(before)
		if p == nil {
			return
		}
		l.giveUp(p, DropExpired)
	}
}

func (l *lane) giveUp(p *Payload, reason DropReason) {
	l.queue.Dead(p, reason)
	l.drop(reason, p.Events)
}

func (l *lane) logAttempt(a attempt) {
	if l.history == nil {
		return
	}
	l.history.LogAttempt(Attempt{
		App: l.key.app, URL: l.key.url, Nth: l.key.nth,
		Payload: a.payload.ID,
		Start:   a.began,
		Took:    a.took,
		Outcome: a.outcome,
		Status:  a.status,
		Answer:  a.answer,
		Error:   short(a.err),
	})
}

// nextAttempt returns when an attempt may start without a result or a signal
// before, zero if none.
func (l *lane) nextAttempt(w Backlog) time.Time {
	limit := l.limit()
	if l.inFlight >= limit || l.refused || l.breaker.probe != nil {
		return time.Time{}
	}
	var next time.Time
	if l.turn(limit)&TurnRetry != 0 {
		next = w.Retry
	}
	if !l.breaker.open {
		return next // a new payload would have been started
	}
	if w.First || !next.IsZero() && next.Before(l.breaker.next) {
		return l.breaker.next
	}
	return next
}
