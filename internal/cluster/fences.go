package cluster

import (
	"context"
	"sync"
	"time"
)

// fences are the rounds of hub.Heard: everybody who comes while one runs waits for the
// next, which begins after he has come. Who comes while none runs makes it himself;
// the next are made by a goroutine.
type fences struct {
	wake chan struct{} // for run, capacity 1, never closed

	mu      sync.Mutex
	next    *round
	running bool
}

func newFences() *fences { return &fences{wake: make(chan struct{}, 1)} }

// join returns the round to wait for. If the caller is to make it, ended is to be
// called afterwards.
func (f *fences) join() (r *round, make bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.running {
		f.running = true
		return newRound(), true
	}
	if f.next == nil {
		f.next = newRound()
	}
	return f.next, false
}

// ended has the next round made, if anybody waits for it.
func (f *fences) ended() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.running = false
		return
	}
	select {
	case f.wake <- struct{}{}:
	default: // it knows already
	}
}

func (f *fences) take() *round {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.next
	f.next = nil
	return r
}

// runFences passes rounds until ctx ends. A round whose fence fails is passed
// too: nobody can wait for anything better.
func (n *Node) runFences(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.fences.wake:
		}
		if r := n.fences.take(); r != nil {
			_ = n.runFence(ctx, awaitTimeout, r) // who waits finds out
		}
		n.fences.ended()
	}
}

func (n *Node) runFence(ctx context.Context, limit time.Duration, r *round) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := n.options.Engine.Fence(ctx); err != nil {
		r.pass()
		return err
	}
	n.inbox.after(r.pass)
	return nil
}
