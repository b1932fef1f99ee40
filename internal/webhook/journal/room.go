package journal

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// makeRoom gives up the oldest payloads that wait until the queue is within its
// bounds and all queues are within theirs. It leaves alone what is handed out and,
// for the moment, what is not in memory.
func (q *queue) makeRoom() (dropped []*webhook.Payload) {
	for q.counts.Bytes > q.spec.MaxBytes || q.crowded() {
		e := q.oldest()
		if e == nil {
			return dropped
		}
		q.giveUp(e, webhook.DropOverflow)
		dropped = append(dropped, e.p)
	}
	if over := q.j.waiting.Load() - q.j.o.MaxBytes; over > 0 {
		q.j.largest().asked(q)
	}
	return dropped
}

// crowded reports whether the queue has to do without the disk and has too much
// in memory for that.
func (q *queue) crowded() bool {
	return q.held > q.j.o.BufferBytes && q.j.unsafe()
}

// asked makes the largest queue give way. Another lane than its own wakes it.
func (q *queue) asked(by *queue) {
	q.shed.Store(true)
	if q != by {
		q.spec.Wake()
	}
}

// giveWay makes room for other queues if this one was asked to.
func (q *queue) giveWay() {
	if !q.shed.Swap(false) {
		return
	}
	events := 0
	for q.j.waiting.Load() > q.j.o.MaxBytes {
		e := q.oldest()
		if e == nil {
			break
		}
		q.giveUp(e, webhook.DropOverflow)
		events += e.p.Events
	}
	q.tell(webhook.DropOverflow, events)
}

// expire gives up what has waited too long, whatever its endpoint asks for.
func (q *queue) expire(now time.Time) {
	events := 0
	for {
		e := q.oldest()
		if e == nil || now.Sub(time.UnixMilli(e.p.TimeMS)) <= q.j.o.MaxAge {
			break
		}
		q.giveUp(e, webhook.DropExpired)
		events += e.p.Events
	}
	q.tell(webhook.DropExpired, events)
}

func (q *queue) tell(reason webhook.DropReason, events int) {
	if events > 0 {
		q.spec.Dropped(reason, events)
	}
}

// oldest returns the oldest payload in memory that waits; nil if there is none,
// or if older ones are in the database only.
func (q *queue) oldest() *entry {
	if p := q.window.Oldest(); p != nil {
		return q.entries[p]
	}
	if len(q.stored) == 0 && len(q.pending) > 0 {
		return q.pending[0]
	}
	return nil
}

// giveUp makes a waiting payload a dead letter.
func (q *queue) giveUp(e *entry, reason webhook.DropReason) {
	if len(q.pending) > 0 && q.pending[0] == e {
		q.pending[0] = nil
		q.pending = q.pending[1:]
	}
	q.count(-1, -e.p.Events, -len(e.p.Body))
	q.forget(e)
	q.bury(e, reason)
}

// largest returns the queue with most bytes waiting.
func (j *Journal) largest() *queue {
	j.mu.Lock()
	defer j.mu.Unlock()
	var most *queue
	for _, e := range j.endpoints {
		if e.queue != nil && (most == nil || e.queue.bytes.Load() > most.bytes.Load()) {
			most = e.queue
		}
	}
	return most
}
