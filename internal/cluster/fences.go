package cluster

import (
	"context"
	"sync"
)

// fences are the rounds of hub.Heard: everybody who comes while one runs waits for the
// next, which begins after he has come.
type fences struct {
	wake chan struct{} // for run, capacity 1, never closed

	mu   sync.Mutex
	next *round
}

func newFences() *fences { return &fences{wake: make(chan struct{}, 1)} }

func (f *fences) join() *round {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = newRound()
		select {
		case f.wake <- struct{}{}:
		default: // there is one already
		}
	}
	return f.next
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
			n.runFence(ctx, r)
		}
	}
}

func (n *Node) runFence(ctx context.Context, r *round) {
	ctx, cancel := context.WithTimeout(ctx, awaitTimeout)
	defer cancel()
	if err := n.options.Engine.Fence(ctx); err != nil {
		r.pass()
		return
	}
	n.inbox.do(func(*worker) { r.pass() })
}
