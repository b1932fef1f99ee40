package webhook

import "sync"

// intake takes events from Emit and gives them to the lane, which seals them
// without any hub lock. It holds at most maxBytes; the oldest are dropped beyond.
type intake struct {
	maxBytes int // immutable

	mu      sync.Mutex
	closed  bool
	ring    []event // length is a power of two
	head, n int     // ring[head] is the oldest of n
	bytes   int
	dropped int // since the last take
}

// put reports whether the intake is open.
func (q *intake) put(e event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	if q.n == len(q.ring) {
		q.growLocked()
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = e
	q.n++
	q.bytes += len(e.json)
	for q.bytes > q.maxBytes {
		q.popLocked()
		q.dropped++
	}
	return true
}

// take moves the oldest events into buf and tells how many were dropped before
// them, whether there are more, and whether none will follow.
func (q *intake) take(buf []event) (n, dropped int, more, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for n < len(buf) && q.n > 0 {
		buf[n] = q.popLocked()
		n++
	}
	dropped, q.dropped = q.dropped, 0
	if q.n == 0 && len(q.ring) > 4096 {
		q.ring, q.head = nil, 0 // give back what a burst needed
	}
	return n, dropped, q.n > 0, q.closed
}

func (q *intake) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.n
}

func (q *intake) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}

func (q *intake) popLocked() event {
	e := q.ring[q.head]
	q.ring[q.head] = event{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	q.bytes -= len(e.json)
	return e
}

func (q *intake) growLocked() {
	next := make([]event, max(16, 2*len(q.ring)))
	k := copy(next, q.ring[q.head:])
	copy(next[k:], q.ring[:q.head])
	q.ring, q.head = next, 0
}
