package memory

import (
	"context"
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// lane is what is on its way to an engine on one lane.
type lane struct {
	waiting   []delivery
	enqueued  uint64
	delivered uint64
}

type delivery struct {
	from    *Engine
	due     time.Time
	number  uint64 // of its lane
	message []byte
}

func (e *Engine) enqueueLocked(i int, d delivery) {
	l := &e.lanes[i]
	if n := len(l.waiting); n > 0 && d.due.Before(l.waiting[n-1].due) {
		d.due = l.waiting[n-1].due // a lane keeps its order
	}
	l.enqueued++
	d.number = l.enqueued
	l.waiting = append(l.waiting, d)
	e.signal()
}

func (e *Engine) clearLocked() {
	for i := range e.lanes {
		e.lanes[i].waiting = nil
		e.lanes[i].delivered = e.lanes[i].enqueued
	}
}

// deliver gives the receiver what is due, until the link goes down.
func (e *Engine) deliver(ctx context.Context, r broker.Receiver, down <-chan struct{}) {
	rester, _ := r.(broker.Rester)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		next, wait := e.next()
		if next != nil {
			r.Receive(next.message)
			e.done(next)
			continue
		}
		if rester != nil {
			rester.Rest()
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-down:
			return
		case <-e.wake:
		case <-timer.C:
		}
	}
}

// taken is a delivery that is being made.
type taken struct {
	lane int
	delivery
}

// next takes what is due first; if nothing is due yet, it tells for how long.
func (e *Engine) next() (next *taken, wait time.Duration) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	first := -1
	for i := range e.lanes {
		if len(e.lanes[i].waiting) > 0 && (first < 0 || e.lanes[i].waiting[0].due.Before(e.lanes[first].waiting[0].due)) {
			first = i
		}
	}
	if first < 0 || !e.up || e.hung {
		return nil, time.Hour
	}
	l := &e.lanes[first]
	if wait := time.Until(l.waiting[0].due); wait > 0 {
		return nil, wait
	}
	next = &taken{lane: first, delivery: l.waiting[0]}
	l.waiting[0] = delivery{}
	l.waiting = l.waiting[1:]
	return next, 0
}

func (e *Engine) done(t *taken) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	l := &e.lanes[t.lane]
	l.delivered = max(l.delivered, t.number)
	e.fences = slices.DeleteFunc(e.fences, func(f *fence) bool {
		if !f.reachedLocked(e) {
			return false
		}
		close(f.passed)
		return true
	})
}

// fence is a call that waits until certain deliveries are made.
type fence struct {
	targets []uint64 // by lane
	passed  chan struct{}
	failed  bool // set before passed is closed
}

func (f *fence) reachedLocked(e *Engine) bool {
	for i := range e.lanes {
		if e.lanes[i].delivered < f.targets[i] {
			return false
		}
	}
	return true
}

// Fence implements [broker.Engine].
func (e *Engine) Fence(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f, err := e.raise()
	if f == nil {
		return err
	}
	select {
	case <-f.passed:
		if f.failed {
			return errDown
		}
		return nil
	case <-ctx.Done():
		e.network.mu.Lock()
		defer e.network.mu.Unlock()
		e.fences = slices.DeleteFunc(e.fences, func(other *fence) bool { return other == f })
		return context.Cause(ctx)
	}
}

// raise returns nil if there is nothing to wait for.
func (e *Engine) raise() (*fence, error) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	if !e.up {
		return nil, errDown
	}
	now := time.Now()
	f := &fence{passed: make(chan struct{}), targets: make([]uint64, len(e.lanes))}
	for i := range e.lanes {
		l := &e.lanes[i]
		f.targets[i] = l.enqueued - uint64(len(l.waiting)) // being delivered, perhaps
		for _, d := range l.waiting {
			if e.network.mesh && d.due.After(now) {
				break // has not reached this server
			}
			f.targets[i] = d.number
		}
	}
	if f.reachedLocked(e) && !e.hung {
		return nil, nil
	}
	e.fences = append(e.fences, f)
	return f, nil
}
