package cluster

import (
	"errors"
	"time"
)

// link is one life, or one absence, of the connection to the engine.
type link struct {
	up    bool
	since time.Duration
	lost  chan struct{} // closed when a link that is up goes down
	cause string        // why it is down
}

var errNeverUp = errors.New("not connected yet")

// Up implements [broker.Receiver].
func (n *Node) Up() {
	n.link.Store(&link{up: true, since: n.clock.now(), lost: make(chan struct{})})
	n.metrics.links.Inc()
	n.inbox.do((*worker).up) // before the writer can tell it that the link has its subscriptions
	n.queue.linkUp()
	n.options.Log.Info("connected to the engine of the cluster", "engine", n.options.Engine.Describe().Engine)
}

// Down implements [broker.Receiver].
func (n *Node) Down(reason error) {
	if reason == nil {
		reason = errors.New("unknown reason")
	}
	before := n.link.Swap(&link{since: n.clock.now(), cause: reason.Error()})
	n.queue.linkDown()
	if before.up {
		close(before.lost)
	}
	n.markers.reset()
	n.inbox.do((*worker).down)
	n.options.Log.Warn("lost the engine of the cluster", "error", reason)
}

func (q *queue) linkUp() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.up, q.bare, q.idle = true, true, false
	q.link++
	q.subscribed.Store(0)
	q.signal()
}

func (q *queue) linkDown() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.up = false
	q.controls = deque[control]{} // answers to what nobody remembers
}

// current returns the number of the link, and whether it is up and without its
// subscriptions.
func (q *queue) current() (number uint64, up, bare bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.link, q.up, q.bare
}

// clothed notes that a link has its subscriptions.
func (q *queue) clothed(number uint64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.link != number || !q.up {
		return false
	}
	q.bare = false
	return true
}

// strip lets all subscriptions be made again, as after a failure in between.
func (q *queue) strip(number uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.link == number {
		q.link++
		q.bare = true
		q.subscribed.Store(0)
	}
}
