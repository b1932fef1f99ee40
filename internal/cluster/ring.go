package cluster

import (
	"sync/atomic"
	"time"
)

// ring keeps the last events that were sent, for nodes that have missed them.
// It is the writer's; the sizes may be read by anybody.
type ring struct {
	maxEvents int
	maxBytes  int
	maxAge    time.Duration
	sent      deque[sentEvent]
	evicted   []uint64 // by lane: the last number that is not kept any more

	events atomic.Int64
	bytes  atomic.Int64
}

type sentEvent struct {
	lane    int
	number  uint64
	at      time.Duration
	message []byte
}

func (r *ring) add(e sentEvent) {
	r.sent.push(e)
	r.events.Add(1)
	r.bytes.Add(int64(len(e.message)))
	r.trim(e.at)
}

func (r *ring) trim(now time.Duration) {
	for r.sent.len() > 0 {
		first := r.sent.slot(r.sent.first)
		if r.sent.len() <= r.maxEvents && int(r.bytes.Load()) <= r.maxBytes && now-first.at <= r.maxAge {
			return
		}
		r.evicted[first.lane] = first.number
		r.events.Add(-1)
		r.bytes.Add(-int64(len(first.message)))
		r.sent.pop()
	}
}
