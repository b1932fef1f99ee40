package journal

import (
	"database/sql"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// revive makes dead letters wait again, at places from the first one on.
func (w *writer) revive(ids []int64, first int64) (int, error) {
	rows, err := w.find(ids, Dead)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	revived := make(map[*endpoint]*revival)
	var bytes int64
	for i := range rows {
		r := &rows[i]
		r.place = first + int64(i)
		to := revived[r.endpoint]
		if to == nil {
			to = &revival{span: span{first: r.place}}
			revived[r.endpoint] = to
		}
		to.last = r.place
		to.counts.Payloads++
		to.counts.Events += r.events
		to.counts.Bytes += r.bytes
		bytes += int64(r.bytes)
	}
	err = w.within(func() error {
		for _, r := range rows {
			if err := w.text.revived.run(r.place, r.id); err != nil {
				return err
			}
			if err := w.text.oldRetries.add(r.id); err != nil {
				return err
			}
		}
		return w.text.oldRetries.flush()
	})
	if err != nil {
		return 0, err
	}
	w.j.addDead(-int64(len(rows)), -bytes)
	for e, r := range revived {
		w.j.revived(e, *r)
	}
	return len(rows), nil
}

// revived lets a queue know, or the endpoint until it has one.
func (j *Journal) revived(e *endpoint, r revival) {
	j.mu.Lock()
	q := e.queue
	if q == nil {
		e.counts.Payloads += r.counts.Payloads
		e.counts.Events += r.counts.Events
		e.counts.Bytes += r.counts.Bytes
		e.last = r.last
		j.waiting.Add(int64(r.counts.Bytes))
	}
	j.mu.Unlock()
	if q != nil {
		q.send(message{revived: &r})
	}
}

// drop deletes payloads.
func (w *writer) drop(ids []int64, _ int64) (int, error) {
	rows, err := w.find(ids, absent)
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	var waiting []removal
	var dead, bytes int64
	found := make([]int64, len(rows))
	for i, r := range rows {
		found[i] = r.id
		if r.state == Dead {
			dead, bytes = dead+1, bytes+int64(r.bytes)
			continue
		}
		waiting = append(waiting, r)
	}
	if err := w.within(func() error { return w.deleteRows(found) }); err != nil {
		return 0, err
	}
	w.j.addDead(-dead, -bytes)
	w.j.removed(waiting)
	return len(rows), nil
}

// find returns those of the payloads that exist in a state; absent: in any.
func (w *writer) find(ids []int64, in State) (all []removal, err error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	err = w.query(func(rows *sql.Rows) error {
		var r removal
		var to int64
		if err := rows.Scan(&r.id, &to, &r.state, &r.place, &r.events, &r.bytes); err != nil {
			return err
		}
		w.j.mu.Lock()
		r.endpoint = w.j.byID(to)
		w.j.mu.Unlock()
		if r.endpoint != nil && (in == absent || r.state == in) {
			all = append(all, r)
		}
		return nil
	}, "SELECT id, endpoint, state, place, events, bytes FROM payloads WHERE id IN (?"+
		strings.Repeat(", ?", len(ids)-1)+") ORDER BY id", args...)
	return all, err
}

// removed lets the queues know which waiting payloads are gone.
func (j *Journal) removed(rows []removal) {
	gone := make(map[*queue][]removal)
	j.mu.Lock()
	for _, r := range rows {
		if q := r.endpoint.queue; q != nil {
			gone[q] = append(gone[q], r)
			continue
		}
		c := &r.endpoint.counts
		*c = webhook.Backlog{Payloads: c.Payloads - 1, Events: c.Events - r.events, Bytes: c.Bytes - r.bytes}
		j.waiting.Add(-int64(r.bytes))
	}
	j.mu.Unlock()
	for q, rows := range gone {
		q.send(message{removed: rows})
	}
}
