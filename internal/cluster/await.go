package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// round is one passing of a barrier, for all who came before it began.
type round struct {
	done chan struct{} // closed when it is passed, or given up
}

func newRound() *round { return &round{done: make(chan struct{})} }

func (r *round) pass() { close(r.done) }

// Await implements [hub.Relay]. While the link is down it returns at once, and in
// any case after a second: what the engine is too slow for is late on other
// nodes, but holds nobody up for long.
func (n *Node) Await(b hub.Barrier) {
	l := n.link.Load()
	if !l.up {
		return
	}
	w := waiting{node: n, link: l}
	defer w.end()
	if b&hub.Told != 0 {
		if r := n.queue.barrier(); r != nil && !w.pass(r, hub.Told) {
			return
		}
	}
	if b&hub.Heard != 0 && !n.options.Engine.Mesh() {
		r, own := n.fences.join()
		if own {
			w.fence(r)
		}
		w.pass(r, hub.Heard)
	}
}

// waiting is one call of Await.
type waiting struct {
	node  *Node
	link  *link
	limit *time.Timer // nil until there was something to wait for
	until time.Duration
}

func (w *waiting) end() {
	if w.limit != nil {
		w.limit.Stop()
	}
}

// left is how long it may take yet.
func (w *waiting) left() time.Duration {
	now := w.node.clock.now()
	if w.until == 0 {
		w.until = now + awaitTimeout
	}
	return w.until - now
}

// pass returns when a round is passed. It reports false if that takes too long.
func (w *waiting) pass(r *round, b hub.Barrier) bool {
	select {
	case <-r.done:
		return true
	default:
	}
	if w.limit == nil {
		w.limit = time.NewTimer(w.left())
	}
	select {
	case <-r.done:
		return true
	case <-w.link.lost:
		w.node.metrics.awaitFailed(b, awaitLinkLost)
	case <-w.limit.C:
		w.node.metrics.awaitFailed(b, awaitTimedOut)
	}
	return false
}

// fence makes a round, for all who have joined it.
func (w *waiting) fence(r *round) {
	n := w.node
	defer n.fences.ended()
	switch err := n.runFence(context.Background(), w.left(), r); {
	case errors.Is(err, context.DeadlineExceeded):
		n.metrics.awaitFailed(hub.Heard, awaitTimedOut)
	case err != nil:
		n.metrics.awaitFailed(hub.Heard, awaitLinkLost)
	}
}

// barrier returns the round that ends when what has been queued so far is in
// force at the other nodes; nil if it is already.
func (q *queue) barrier() *round {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.told == q.pushed {
		return nil
	}
	if n := q.order.len(); n > 0 && q.order.slot(q.order.end-1).kind == itemBarrier {
		return *q.barriers.slot(q.barriers.end - 1) // nothing has come since
	}
	return q.markLocked()
}

// mark queues a barrier for nobody, so that nodes that have failed to answer may answer.
func (q *queue) mark() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.markLocked()
}

func (q *queue) markLocked() *round {
	r := newRound()
	q.barriers.push(r)
	q.addedLocked(itemBarrier, q.barriers.end)
	return r
}

// inForce notes that the first items of the queue are in force at the other
// nodes.
func (q *queue) inForce(position uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.told = max(q.told, position)
}
