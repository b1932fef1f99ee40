package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// queue is what this node has to send, in the order in which it happened. Methods that
// add to it are called under the hub's locks: they take mu and nothing else, and
// do no more than appending.
//
// Events are bounded: the oldest ones are dropped and counted. Shares, edges and
// interest wait once each however often they change, and are read when their
// turn comes, so they are bounded by what there is.
type queue struct {
	// Set by newQueue, immutable.
	maxEvents int
	maxBytes  int
	maxAge    time.Duration
	clock     *clock
	dropped   func(reason dropReason, events int)
	wake      chan struct{} // for the writer, capacity 1, never closed

	// Atomic: read for metrics.
	subscribed atomic.Int64

	mu        sync.Mutex
	idle      bool   // the writer waits, or is about to
	up        bool   // the link
	link      uint64 // which one it is, from 1
	bare      bool   // this link has not got the subscriptions yet
	pushed    uint64 // items ever
	told      uint64 // how many of the first ones are in force at the other nodes
	order     deque[run]
	events    deque[queuedEvent]
	bytes     int // of events
	shares    deque[hub.ShareKey]
	edges     deque[hub.Edge]
	interests deque[broker.ChannelOf]
	barriers  deque[*round]
	views     deque[outlook]
	controls  deque[control]
	beat      beatWish
	silent    bool // Bye is the last that others are to hear
	closes    bool // webhooks were told what registers say
	dirty     map[hub.ShareKey]struct{}
	unsettled map[hub.Edge]struct{}
	interest  map[broker.ChannelOf]*subscription
	lost      lostChannels
}

type itemKind uint8

const (
	itemEvent itemKind = iota
	itemShare
	itemEdge
	itemInterest
	itemBarrier
	itemView
)

// run is a stretch of the queue with items of one kind: those of its deque up to
// the element end.
type run struct {
	kind itemKind
	end  uint64
}

// queuedEvent is an event that waits, or with a user the termination of that one.
type queuedEvent struct {
	hub.Relayed
	user string
	at   time.Duration
}

// size is about what it takes in memory.
func (e *queuedEvent) size() int {
	const overhead = 160
	n := overhead + len(e.Frame)
	if e.Fill != nil {
		n += len(e.Fill.Data)
	}
	return n
}

func newQueue(o Options, c *clock, dropped func(dropReason, int)) *queue {
	return &queue{
		maxEvents: o.ReplayEvents, maxBytes: o.ReplayBytes, maxAge: o.ReplayAge,
		clock: c, dropped: dropped, wake: make(chan struct{}, 1),
		dirty:     make(map[hub.ShareKey]struct{}),
		unsettled: make(map[hub.Edge]struct{}),
		interest:  make(map[broker.ChannelOf]*subscription),
	}
}

func (q *queue) event(e queuedEvent) {
	e.at = q.clock.coarse()
	q.mu.Lock()
	q.events.push(e)
	q.bytes += e.size()
	q.addedLocked(itemEvent, q.events.end)
	if q.events.len() > q.maxEvents || q.bytes > q.maxBytes {
		q.evictLocked()
	}
	q.mu.Unlock()
}

// evictLocked drops the oldest events until there is room for those that come: a
// receiver is better served with the latest ones.
func (q *queue) evictLocked() {
	dropped := 0
	for q.events.len() > q.maxEvents || q.bytes > q.maxBytes && q.events.len() > 1 {
		e := q.events.pop()
		q.bytes -= e.size()
		q.lost.add(&e)
		dropped++
	}
	reason := dropQueueFull
	if !q.up {
		reason = dropReplayOverflow
	}
	q.dropped(reason, dropped)
}

func (q *queue) share(k hub.ShareKey) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, queued := q.dirty[k]; queued {
		return
	}
	q.dirty[k] = struct{}{}
	q.shares.push(k)
	q.addedLocked(itemShare, q.shares.end)
}

func (q *queue) edge(e hub.Edge) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, queued := q.unsettled[e]; queued {
		return
	}
	q.unsettled[e] = struct{}{}
	q.edges.push(e)
	q.addedLocked(itemEdge, q.edges.end)
}

func (q *queue) view(v outlook) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.views.push(v)
	q.addedLocked(itemView, q.views.end)
}

// addedLocked notes where the item stands that was just pushed as the last one of
// its kind.
func (q *queue) addedLocked(kind itemKind, end uint64) {
	q.pushed++
	if n := q.order.len(); n > 0 {
		if last := q.order.slot(q.order.end - 1); last.kind == kind {
			last.end = end
			q.signalLocked()
			return
		}
	}
	q.order.push(run{kind: kind, end: end})
	q.signalLocked()
}

func (q *queue) signalLocked() {
	if q.idle && q.up {
		q.idle = false
		q.signal()
	}
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default: // the writer will look anyway
	}
}

// take moves what waits into the batch, as far as it has room. It reports whether
// the batch has got anything.
func (q *queue) take(b *batch) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.up || q.bare {
		q.idle = true
		return false
	}
	b.link = q.link
	b.beat, b.silent, q.beat = q.beat, q.silent, noBeat
	for q.controls.len() > 0 && len(b.controls) < batchItems {
		b.controls = append(b.controls, q.controls.pop())
	}
	for q.order.len() > 0 && b.room() {
		q.takeRunLocked(b)
	}
	b.loss = q.lost.take()
	b.closes, q.closes = q.closes, false
	b.position = q.pushed
	b.drained = q.order.len() == 0
	if b.fresh() {
		return true
	}
	q.idle = true
	return false
}

// takeRunLocked takes from the first run.
func (q *queue) takeRunLocked(b *batch) {
	r := *q.order.slot(q.order.first)
	if r.kind == itemEvent {
		q.expireLocked(r.end)
	}
	taken := 0
	for b.room() && q.takeItemLocked(r, b) {
		taken++
	}
	if taken > 0 {
		b.order = append(b.order, taking{kind: r.kind, n: taken})
	}
	if q.firstLocked(r.kind) >= r.end {
		q.order.pop()
	}
}

// expireLocked drops the events of a run that nobody waits for any more.
func (q *queue) expireLocked(end uint64) {
	now, expired := q.clock.now(), 0
	for q.events.first < end && now-q.events.slot(q.events.first).at > q.maxAge {
		e := q.events.pop()
		q.bytes -= e.size()
		q.lost.add(&e)
		expired++
	}
	q.dropped(dropReplayOverflow, expired)
}

// firstLocked returns the number of the first item of a kind.
func (q *queue) firstLocked(kind itemKind) uint64 {
	switch kind {
	case itemEvent:
		return q.events.first
	case itemShare:
		return q.shares.first
	case itemEdge:
		return q.edges.first
	case itemInterest:
		return q.interests.first
	case itemBarrier:
		return q.barriers.first
	default:
		return q.views.first
	}
}

// takeItemLocked takes one item of a run, if there is one left.
func (q *queue) takeItemLocked(r run, b *batch) bool {
	if q.firstLocked(r.kind) >= r.end {
		return false
	}
	switch r.kind {
	case itemEvent:
		e := q.events.pop()
		q.bytes -= e.size()
		b.events = append(b.events, e)
		b.bytes += e.size()
	case itemShare:
		k := q.shares.pop()
		delete(q.dirty, k)
		b.shares = append(b.shares, k)
	case itemEdge:
		e := q.edges.pop()
		delete(q.unsettled, e)
		b.edges = append(b.edges, e)
	case itemInterest:
		b.interests = append(b.interests, q.settleLocked(q.interests.pop()))
	case itemBarrier:
		b.barriers = append(b.barriers, q.barriers.pop())
	case itemView:
		b.views = append(b.views, q.views.pop())
	}
	b.items++
	return true
}
