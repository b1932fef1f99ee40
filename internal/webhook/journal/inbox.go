package journal

import (
	"slices"
	"time"
)

// send is for the writer. It wakes the lane.
func (q *queue) send(m message) {
	q.mu.Lock()
	q.inbox = append(q.inbox, m)
	q.mu.Unlock()
	q.spec.Wake()
}

// ask wants the beginning of a span loaded into the window.
func (q *queue) ask(s span) {
	q.mu.Lock()
	q.request = &s
	q.mu.Unlock()
	q.j.mu.Lock()
	q.j.asking = append(q.j.asking, q)
	q.j.mu.Unlock()
	signal(q.j.load)
}

// receive takes what the writer has sent.
func (q *queue) receive() {
	q.mu.Lock()
	inbox := q.inbox
	q.inbox = nil
	q.mu.Unlock()
	for _, m := range inbox {
		switch {
		case m.revived != nil:
			q.revived(*m.revived)
		case m.removed != nil:
			for _, r := range m.removed {
				q.removed(r)
			}
		case m.failed:
			q.setAside(m.upTo)
		default:
			q.loaded(m.loaded, m.upTo)
		}
	}
	q.giveWay()
}

func (q *queue) loaded(entries []*entry, upTo int64) {
	q.loading = false
	for _, e := range entries {
		p := e.p
		if p.TimeMS == 0 { // an operator wants it once more
			q.spec.Reseal(p)
			q.j.change(payloadChange{e: e, state: Waiting, text: textOf(p)})
		}
		q.entries[p] = e
		q.held += len(p.Body)
		q.admit(p)
	}
	q.passed(upTo)
}

// setAside lets what cannot be read wait, so that later payloads go on.
func (q *queue) setAside(upTo int64) {
	q.loading = false
	q.aside = append(q.aside, span{first: q.stored[0].first, last: upTo})
	q.asideAt = time.Now()
	q.passed(upTo)
}

// passed takes the beginning off the first span, which can have grown since it
// was asked for.
func (q *queue) passed(upTo int64) {
	if q.stored[0].first = upTo + 1; upTo >= q.stored[0].last {
		q.stored = slices.Delete(q.stored, 0, 1)
	}
}

// revived puts a span behind all payloads with lower places. Those are committed:
// the writer has done so before it gave places to the revived ones.
func (q *queue) revived(r revival) {
	for len(q.pending) > 0 && q.pending[0].place < r.first && q.pending[0].committed.Load() {
		q.spill(q.pending[0])
		q.pending = q.pending[1:]
	}
	q.stored = append(q.stored, r.span)
	q.count(r.counts.Payloads, r.counts.Events, r.counts.Bytes)
}

// removed takes out a payload that an operator has dropped. One in the database
// only is not there any more when its turn comes.
func (q *queue) removed(r removal) {
	e := q.inMemory(r.id)
	switch {
	case e != nil && e.out:
		e.removed = true
	case e != nil:
		q.pending = slices.DeleteFunc(q.pending, func(other *entry) bool { return other == e })
		q.count(-1, -r.events, -r.bytes)
		q.forget(e)
	case slices.ContainsFunc(q.stored, func(s span) bool { return s.first <= r.place && r.place <= s.last }):
		q.count(-1, -r.events, -r.bytes)
	default: // delivered or given up at the same moment
	}
}

func (q *queue) inMemory(id int64) *entry {
	for _, e := range q.entries {
		if e.id == id {
			return e
		}
	}
	return nil
}
