package webhook

import (
	"container/heap"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// Queue keeps the sealed payloads of one endpoint until they are delivered or
// given up. Its lane calls it from one goroutine and waits for it, so it must
// not wait for a disk; a durable queue hands a payload out only once it is
// committed and then calls [QueueSpec.Wake].
type Queue interface {
	// Put takes a payload: a new one behind all others, one that Pop handed out
	// to be handed out again from its Due on. It returns what had to be dropped to
	// stay within the bound, oldest first.
	Put(p *Payload) (dropped []*Payload)
	// Pop hands out a payload to attempt: one whose Due has come if turn has
	// TurnRetry, else the oldest new one if turn has TurnFirst, else nil.
	Pop(now time.Time, turn Turn) *Payload
	// Done forgets a payload that Pop handed out.
	Done(p *Payload)
	// Waiting tells what there is to hand out.
	Waiting() Backlog
}

// OpenQueue opens the queue of an endpoint. What an earlier process left in it
// is delivered first.
type OpenQueue func(QueueSpec) Queue

// QueueSpec says for which endpoint a queue is.
type QueueSpec struct {
	App      apps.ID
	URL      string
	Nth      int    // distinguishes endpoints of one app with the same URL
	MaxBytes int    // of bodies waiting
	Wake     func() // makes the lane look again; never blocks
}

// Turn is a set of kinds of attempts.
type Turn uint8

// Kinds of attempts.
const (
	TurnFirst Turn = 1 << iota
	TurnRetry
)

// Backlog is what waits in a queue, without what Pop has handed out.
type Backlog struct {
	Payloads, Events, Bytes int

	First bool      // a payload waits for its first attempt
	Retry time.Time // the earliest Due of the others, zero if there are none
}

// memoryQueue is a Queue that ends with the process. All payloads stand in one
// list by age; those before fresh were attempted and are handed out or in the
// heap of retries.
type memoryQueue struct {
	maxBytes       int
	oldest, newest *Payload
	fresh          *Payload // oldest one never handed out
	retries        retryHeap
	waiting        Backlog // its counts only
}

// place is where a payload stands in a memoryQueue.
type place struct {
	older, newer *Payload
	state        placeState
	retry        int // index in the heap
}

type placeState uint8

const (
	outside placeState = iota
	fresh
	handedOut
	forRetry
)

var _ Queue = (*memoryQueue)(nil)

func newMemoryQueue(maxBytes int) *memoryQueue { return &memoryQueue{maxBytes: maxBytes} }

// Put implements [Queue].
func (q *memoryQueue) Put(p *Payload) (dropped []*Payload) {
	if p.place.state == handedOut {
		p.place.state = forRetry
		heap.Push(&q.retries, p)
	} else {
		q.append(p)
	}
	q.count(p, 1)
	for q.waiting.Bytes > q.maxBytes {
		victim := q.oldestWaiting()
		q.takeOut(victim)
		q.unlink(victim)
		dropped = append(dropped, victim)
	}
	return dropped
}

// Pop implements [Queue].
func (q *memoryQueue) Pop(now time.Time, turn Turn) *Payload {
	var p *Payload
	switch {
	case turn&TurnRetry != 0 && len(q.retries) > 0 && !q.retries[0].Due.After(now):
		p = q.retries[0]
	case turn&TurnFirst != 0 && q.fresh != nil:
		p = q.fresh
	default:
		return nil
	}
	q.takeOut(p)
	p.place.state = handedOut
	return p
}

// Done implements [Queue].
func (q *memoryQueue) Done(p *Payload) { q.unlink(p) }

// Waiting implements [Queue].
func (q *memoryQueue) Waiting() Backlog {
	b := q.waiting
	b.First = q.fresh != nil
	if len(q.retries) > 0 {
		b.Retry = q.retries[0].Due
	}
	return b
}

func (q *memoryQueue) count(p *Payload, sign int) {
	q.waiting.Payloads += sign
	q.waiting.Events += sign * p.Events
	q.waiting.Bytes += sign * len(p.Body)
}

// oldestWaiting skips what is handed out, which a lane bounds.
func (q *memoryQueue) oldestWaiting() *Payload {
	p := q.oldest
	for p.place.state == handedOut {
		p = p.place.newer
	}
	return p
}

// takeOut ends a payload's waiting; it stays in the list.
func (q *memoryQueue) takeOut(p *Payload) {
	if p.place.state == forRetry {
		heap.Remove(&q.retries, p.place.retry)
	} else { // the oldest fresh one: they go in order, also when dropped
		q.fresh = p.place.newer
	}
	q.count(p, -1)
}

func (q *memoryQueue) append(p *Payload) {
	p.place = place{older: q.newest, state: fresh}
	if q.newest == nil {
		q.oldest = p
	} else {
		q.newest.place.newer = p
	}
	q.newest = p
	if q.fresh == nil {
		q.fresh = p
	}
}

func (q *memoryQueue) unlink(p *Payload) {
	if p.place.older == nil {
		q.oldest = p.place.newer
	} else {
		p.place.older.place.newer = p.place.newer
	}
	if p.place.newer == nil {
		q.newest = p.place.older
	} else {
		p.place.newer.place.older = p.place.older
	}
	p.place = place{}
}

// retryHeap implements heap.Interface, earliest Due first.
type retryHeap []*Payload

func (h retryHeap) Len() int           { return len(h) }
func (h retryHeap) Less(i, j int) bool { return h[i].Due.Before(h[j].Due) }

func (h retryHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place.retry, h[j].place.retry = i, j
}

func (h *retryHeap) Push(x any) {
	p := x.(*Payload)
	p.place.retry = len(*h)
	*h = append(*h, p)
}

func (h *retryHeap) Pop() any {
	last := len(*h) - 1
	p := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return p
}
