package webhook

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// Queue keeps the sealed payloads of one endpoint until they are delivered or
// given up. Its lane calls it from one goroutine and waits for it, so it must
// not wait for a disk; a durable queue hands a payload out only once it is
// committed and then calls [QueueSpec.Wake]. A [Schedule] has the order in which
// payloads are to be handed out.
type Queue interface {
	// Put takes a payload: a new one behind all others, which gets its ID then; one
	// that Pop handed out to be handed out again from its Due on. It returns what
	// had to be dropped to stay within the bound, oldest first.
	Put(p *Payload) (dropped []*Payload)
	// Pop hands out a payload to attempt that no earlier undelivered one of the same
	// channel holds back: one whose Due has come if turn has TurnRetry, else the
	// oldest new one if turn has TurnFirst, else nil.
	Pop(now time.Time, turn Turn) *Payload
	// PopExpired hands out the oldest waiting payload, held back or not, if it was
	// sealed before the given time; it is to be given up.
	PopExpired(before time.Time) *Payload
	// Done forgets a payload that was handed out and has been delivered.
	Done(p *Payload)
	// Dead takes a payload that was handed out and has been given up. A durable
	// queue keeps it to be looked at and replayed. The lane has counted it.
	Dead(p *Payload, reason DropReason)
	// Waiting tells what there is to hand out.
	Waiting() Backlog
}

// QueueSpec says for which endpoint a queue is.
type QueueSpec struct {
	App      apps.ID
	URL      string
	Nth      int    // distinguishes endpoints of one app with the same URL
	Label    string // the URL without credentials and query
	MaxBytes int    // of bodies waiting
	Wake     func() // makes the lane look again; never blocks

	// Reseal seals a payload anew, as of now: an operator wants it delivered long
	// after it was made. Dropped tells of payloads that Put does not return: those
	// that had to go at another moment. Only the lane's calls of the queue call them.
	Reseal  func(p *Payload)
	Dropped func(reason DropReason, events int)
}

// Turn is a set of kinds of attempts.
type Turn uint8

// Kinds of attempts.
const (
	TurnFirst Turn = 1 << iota
	TurnRetry
)

// Backlog is what waits in a queue, without what is handed out.
type Backlog struct {
	Payloads, Events, Bytes int

	First  bool      // a payload that nothing holds back waits for its first attempt
	Retry  time.Time // the earliest Due of other such payloads, zero if there are none
	Oldest time.Time // when the oldest payload was sealed, zero if none waits
	Soon   bool      // there will be a payload to hand out without anyone's doing
}

// memoryQueue is a Queue that ends with the process.
type memoryQueue struct {
	maxBytes int
	id       int64 // of the newest payload
	schedule Schedule
}

var _ Queue = (*memoryQueue)(nil)

func newMemoryQueue(maxBytes int) *memoryQueue { return &memoryQueue{maxBytes: maxBytes} }

// Put implements [Queue].
func (q *memoryQueue) Put(p *Payload) (dropped []*Payload) {
	if q.schedule.Holds(p) {
		q.schedule.Return(p)
	} else {
		q.id = max(q.id+1, time.Now().UnixMicro()) // no other process gives it again
		p.ID = q.id
		q.schedule.Add(p)
	}
	for q.schedule.waiting.Bytes > q.maxBytes {
		victim := q.schedule.Oldest()
		q.schedule.Remove(victim)
		dropped = append(dropped, victim)
	}
	return dropped
}

// Pop implements [Queue].
func (q *memoryQueue) Pop(now time.Time, turn Turn) *Payload { return q.schedule.Pop(now, turn) }

// PopExpired implements [Queue].
func (q *memoryQueue) PopExpired(before time.Time) *Payload { return q.schedule.PopExpired(before) }

// Done implements [Queue].
func (q *memoryQueue) Done(p *Payload) { q.schedule.Remove(p) }

// Dead implements [Queue]. There is nowhere to keep it.
func (q *memoryQueue) Dead(p *Payload, _ DropReason) { q.schedule.Remove(p) }

// Waiting implements [Queue].
func (q *memoryQueue) Waiting() Backlog { return q.schedule.Waiting() }
