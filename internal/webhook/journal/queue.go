package journal

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// queue is the queue of one endpoint. Its payloads stand in three parts, oldest
// first: the window, which is in memory and handed out from; those that only the
// database holds; and the newest, in memory until they are committed. Each part
// but the last may be empty.
type queue struct {
	// Set by OpenQueue, immutable.
	j        *Journal
	endpoint *endpoint
	spec     webhook.QueueSpec

	// Owned by the lane.
	restored []webhook.UnsealedEvent
	window   webhook.Schedule
	held     int // bytes of what is in entries
	near     int // bytes of what is in window
	stored   []span
	aside    []span // of stored: could not be read
	asideAt  time.Time
	loading  bool
	pending  []*entry
	entries  map[*webhook.Payload]*entry // in window and pending
	counts   webhook.Backlog             // waiting, in all parts

	bytes atomic.Int64 // counts.Bytes, for other queues to compare
	shed  atomic.Bool  // this queue is to make room for all

	mu      sync.Mutex
	inbox   []message // from the writer
	request *span     // for the writer: to be loaded
}

// entry is a payload in memory.
type entry struct {
	// Set by put or load, immutable.
	endpoint  *endpoint
	id, place int64
	size      int  // of the body, in bytes
	volatile  bool // not in the database and never will be

	committed atomic.Bool

	// Owned by the lane.
	p       *webhook.Payload
	out     bool // handed out
	removed bool // by an operator, while handed out

	// Owned by the writer.
	row    State         // in the database
	to     payloadChange // what row is to become
	listed bool          // among what is to be written
	retry  bool          // has a row in retries
}

// span is a range of places, both ends included, whose payloads are in the
// database only.
type span struct {
	first, last int64
	open        bool // payloads that leave memory may join it
}

// message is what the writer has to tell a queue.
type message struct {
	loaded  []*entry // the oldest of the first span
	upTo    int64    // the last place that was looked at
	failed  bool     // what is up to there cannot be read
	revived *revival
	removed []removal
}

// revival tells of dead letters that wait again.
type revival struct {
	span
	counts webhook.Backlog
}

// removal tells of a waiting payload that is no longer in the database.
type removal struct {
	endpoint      *endpoint
	state         State
	id, place     int64
	events, bytes int
}

var _ webhook.DurableQueue = (*queue)(nil)

// Unsealed implements [webhook.DurableQueue].
func (q *queue) Unsealed() []webhook.UnsealedEvent {
	all := q.restored
	q.restored = nil
	return all
}

// Put implements [webhook.Queue].
func (q *queue) Put(p *webhook.Payload) (dropped []*webhook.Payload) {
	q.receive()
	if e := q.entries[p]; e == nil {
		q.accept(p)
	} else {
		q.takeBack(e)
	}
	q.fill()
	return q.makeRoom()
}

func (q *queue) accept(p *webhook.Payload) {
	e := &entry{endpoint: q.endpoint, p: p, size: len(p.Body)}
	q.j.put(e)
	q.entries[p] = e
	q.held += len(p.Body)
	q.pending = append(q.pending, e)
	q.count(1, p.Events, len(p.Body))
}

func (q *queue) takeBack(e *entry) {
	e.out = false
	if e.removed {
		q.forget(e)
		return
	}
	q.window.Return(e.p)
	q.count(1, e.p.Events, len(e.p.Body))
	q.j.change(payloadChange{e: e, state: Waiting, failures: e.p.Failures, due: e.p.Due.UnixMilli()})
}

// Pop implements [webhook.Queue].
func (q *queue) Pop(now time.Time, turn webhook.Turn) *webhook.Payload {
	q.receive()
	q.fill()
	q.expire(now)
	return q.handOut(q.window.Pop(now, turn))
}

// PopExpired implements [webhook.Queue].
func (q *queue) PopExpired(before time.Time) *webhook.Payload {
	q.receive()
	q.fill()
	return q.handOut(q.window.PopExpired(before))
}

func (q *queue) handOut(p *webhook.Payload) *webhook.Payload {
	if p != nil {
		q.entries[p].out = true
		q.count(-1, -p.Events, -len(p.Body))
	}
	return p
}

// Done implements [webhook.Queue].
func (q *queue) Done(p *webhook.Payload) {
	e := q.entries[p]
	q.forget(e)
	q.j.change(payloadChange{e: e, state: absent})
	q.fill()
}

// Dead implements [webhook.Queue].
func (q *queue) Dead(p *webhook.Payload, reason webhook.DropReason) {
	e := q.entries[p]
	q.forget(e)
	q.bury(e, reason)
	q.fill()
}

func (q *queue) bury(e *entry, reason webhook.DropReason) {
	if e.removed {
		return
	}
	q.j.change(payloadChange{
		e: e, state: Dead, failures: e.p.Failures, died: time.Now().UnixMilli(), reason: reason,
	})
}

// Waiting implements [webhook.Queue].
func (q *queue) Waiting() webhook.Backlog {
	q.receive()
	q.fill()
	b := q.window.Waiting()
	b.Payloads, b.Events, b.Bytes = q.counts.Payloads, q.counts.Events, q.counts.Bytes
	b.Soon = q.loading || len(q.pending) > 0
	return b
}

func (q *queue) count(payloads, events, bytes int) {
	q.counts.Payloads += payloads
	q.counts.Events += events
	q.counts.Bytes += bytes
	q.bytes.Store(int64(q.counts.Bytes))
	q.j.waiting.Add(int64(bytes))
}

// forget takes a payload out of memory. It must not be waiting, or be counted out.
func (q *queue) forget(e *entry) {
	if q.window.Holds(e.p) {
		q.window.Remove(e.p)
		q.near -= len(e.p.Body)
	}
	delete(q.entries, e.p)
	q.held -= len(e.p.Body)
}

// fill moves payloads into the window: from memory if there are none in the
// database before them, otherwise from there. What is committed and does not fit
// leaves memory.
func (q *queue) fill() {
	for len(q.pending) > 0 && q.advance(q.pending[0]) {
		q.pending[0] = nil
		q.pending = q.pending[1:]
	}
	if len(q.pending) == 0 {
		q.pending = nil
	}
	if len(q.aside) > 0 && time.Since(q.asideAt) > readAgain {
		q.stored, q.aside = append(q.stored, q.aside...), nil
	}
	if len(q.stored) > 0 && !q.loading && q.hungry() {
		q.loading = true
		q.ask(q.stored[0])
	}
}

// advance moves the oldest pending payload on, if that may be.
func (q *queue) advance(e *entry) bool {
	committed := e.committed.Load()
	switch {
	case !committed && !e.volatile && !q.j.unsafe():
		return false // safe first
	case len(q.stored) == 0 && (q.near < q.j.o.WindowBytes || q.starved()):
		q.admit(e.p)
	case committed:
		q.spill(e)
	default:
		return false
	}
	return true
}

func (q *queue) admit(p *webhook.Payload) {
	q.window.Add(p)
	q.near += len(p.Body)
}

// spill leaves a payload to the database.
func (q *queue) spill(e *entry) {
	if n := len(q.stored); n > 0 && q.stored[n-1].open {
		q.stored[n-1].last = e.place
	} else {
		q.stored = append(q.stored, span{e.place, e.place, true})
	}
	delete(q.entries, e.p)
	q.held -= len(e.p.Body)
}

// hungry reports whether the window should get more: it is half empty.
func (q *queue) hungry() bool { return q.near < q.j.o.WindowBytes/2 || q.starved() }

// starved reports whether everything in a full window is held back by what
// cannot be attempted yet. Then the window grows, for the sake of other channels.
func (q *queue) starved() bool {
	b := q.window.Waiting()
	return !b.First && q.near < starvedWindows*q.j.o.WindowBytes
}
