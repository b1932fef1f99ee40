package cluster

import (
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
	var limit *time.Timer
	defer func() {
		if limit != nil {
			limit.Stop()
		}
	}()
	for _, wait := range [...]struct {
		barrier hub.Barrier
		join    func() *round
	}{{hub.Told, n.queue.barrier}, {hub.Heard, n.fences.join}} {
		if b&wait.barrier == 0 || wait.barrier == hub.Heard && n.options.Engine.Mesh() {
			continue
		}
		r := wait.join()
		if r == nil {
			continue
		}
		if limit == nil {
			limit = time.NewTimer(awaitTimeout)
		}
		if !n.pass(r, l, limit, wait.barrier) {
			return
		}
	}
}

func (n *Node) pass(r *round, l *link, limit *time.Timer, b hub.Barrier) bool {
	select {
	case <-r.done:
		return true
	case <-l.lost:
		n.metrics.awaitFailed(b, awaitLinkLost)
	case <-limit.C:
		n.metrics.awaitFailed(b, awaitTimedOut)
	}
	return false
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
