package webhook

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// Journal keeps notices and payloads over the end of the process.
type Journal interface {
	// OpenQueue opens the queue of an endpoint, which implements [DurableQueue]. It
	// does not wait for a disk.
	OpenQueue(spec QueueSpec) Queue
	// Record takes one notice that leaves the delay, as a whole: after a crash all
	// of it has happened or nothing. It calls hand with the number of the notice,
	// which grows from call to call, before it takes the next one. It may be called
	// from any goroutine and does not wait for a disk.
	Record(r Record, hand func(seq int64))
	// Told returns what earlier processes have told to be on, and nothing has told
	// to be off since. To be called once at most, before the first Record of an edge;
	// nothing is left of it after ForgetAll.
	Told() []hub.Edge
	// Forget takes an edge as off, without a notice. It does not wait for a disk.
	Forget(e hub.Edge)
	// ForgetAll takes every edge as off that was recorded or told before. It does not
	// wait for a disk.
	ForgetAll()
}

// DurableQueue is the queue of a [Journal].
type DurableQueue interface {
	Queue
	// Unsealed returns the events that an earlier process has taken for this
	// endpoint and not sealed, oldest first. To be called once, before Put.
	Unsealed() []UnsealedEvent
}

// Record is what one notice changes.
type Record struct {
	Edge   hub.Edge // that is told of, if Change is not 0
	Change Change
	Events []RecordedEvent // one for each endpoint that selects the notice
}

// Change is what a notice tells of an [hub.Edge].
type Change int8

// Changes of edges.
const (
	GoesOff Change = iota - 1
	NoEdge
	GoesOn
)

// RecordedEvent is an encoded notice for one endpoint. Its payload will have a
// Seq that is not less than the number of the notice.
type RecordedEvent struct {
	Queue   Queue
	Channel uint64
	JSON    []byte // shared, not to be changed
}

// UnsealedEvent is an event that waits to be sealed into a payload.
type UnsealedEvent struct {
	Seq     int64
	Channel uint64
	JSON    []byte
}

// openQueue opens the queue of a lane and tells whether it outlives the process.
func (d *Dispatcher) openQueue(l *lane, spec QueueSpec) (q Queue, durable bool) {
	if d.options.Journal == nil || l.fault != nil { // nothing comes out of a faulty one
		return newMemoryQueue(spec.MaxBytes), false
	}
	return d.options.Journal.OpenQueue(spec), true
}

// keep hands a notice to the journal and to the lanes, so that no other notice
// comes between.
func (d *Dispatcher) keep(r *routes, n hub.Notice) {
	e := event{app: n.App, channel: hashChannel(n.Channel), json: appendNotice(make([]byte, 0, noticeSize(n)), n)}
	d.options.Journal.Record(r.record(n, e), func(seq int64) {
		e.seq = seq
		d.hand(r, n, e)
	})
}

// record returns what a notice changes, if it is let out.
func (r *routes) record(n hub.Notice, e event) Record {
	record := Record{}
	switch {
	case rises(n.Name):
		record.Edge, record.Change = edgeOf(n), GoesOn
	case falls(n.Name):
		record.Edge, record.Change = edgeOf(n), GoesOff
	}
	name := setOf(n.Name)
	for i := range r.to {
		if to := &r.to[i]; to.lane.durable && to.selects(name, n.Channel) {
			record.Events = append(record.Events, RecordedEvent{Queue: to.lane.queue, Channel: e.channel, JSON: e.json})
		}
	}
	return record
}

// restore puts events back that an earlier process has not sealed.
func (l *lane) restore(app *apps.App, batching bool) {
	q, ok := l.queue.(DurableQueue)
	if !ok {
		return
	}
	for _, e := range q.Unsealed() {
		l.intake.put(event{json: e.JSON, channel: e.Channel, seq: e.Seq, app: app, batching: batching})
	}
}

// reseal seals a payload as of now, with the key of now.
func (l *lane) reseal(p *Payload) {
	s := l.settings.Load()
	now := time.Now()
	fresh := p.resealed(l.signer(s.app, s.SigningKey), now)
	p.Key, p.Signature, p.TimeMS, p.Body, p.sealed = fresh.Key, fresh.Signature, fresh.TimeMS, fresh.Body, now
}
