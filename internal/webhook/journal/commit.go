package journal

import (
	"context"
	"slices"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// transaction writes all that is held. If it fails nothing is changed, neither in
// the database nor in the writer's picture of it.
func (w *writer) transaction() error {
	if w.conn == nil {
		if err := w.reconnect(); err != nil {
			return err
		}
	}
	w.gather()
	return w.within(func() error {
		for _, write := range []func() error{
			w.writeEndpoints, w.writeEdges, w.writeEvents, w.writePayloads, w.writeAttempts,
		} {
			if err := write(); err != nil {
				return err
			}
		}
		return nil
	})
}

// within runs a step in a transaction.
func (w *writer) within(step func() error) error {
	ctx := context.Background() // one that ends would cost a goroutine per statement
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := step()
	if err == nil {
		_, err = w.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK") // SQLite may have done so itself
	}
	return err
}

// gather works out what each payload is to become, and which events are sealed.
func (w *writer) gather() {
	w.rows, w.bury, w.buried = w.rows[:0], 0, 0
	for _, c := range w.held.payloads {
		e := c.e
		if c.text == nil {
			c.text = e.to.text
		}
		if c.seq > e.endpoint.sealed {
			e.endpoint.sealed = c.seq
		}
		e.to = c
		if !e.listed {
			e.listed = true
			w.list = append(w.list, e)
		}
	}
}

func (w *writer) writeEndpoints() error {
	for _, e := range w.held.endpoints {
		if e.exists {
			continue
		}
		if err := w.text.newEndpoint.run(e.id, string(e.key.app), e.key.url[:], e.key.nth, e.label); err != nil {
			return err
		}
	}
	return nil
}

// lastEdges returns how each edge is told last.
func (b *buffer) lastEdges() map[hub.Edge]bool {
	last := make(map[hub.Edge]bool, len(b.edges))
	for _, c := range b.edges {
		last[c.edge] = c.on
	}
	return last
}

func (w *writer) writeEdges() error {
	if w.held.forget {
		if err := w.text.toldNothing.run(); err != nil {
			return err
		}
	}
	for edge, on := range w.held.lastEdges() {
		s := w.text.toldOff
		if on {
			s = w.text.toldOn
		}
		if err := s.run(string(edge.App), string(edge.Channel), edge.Member, edge.UserID); err != nil {
			return err
		}
	}
	return nil
}

// writeEvents writes the events that are not sealed yet, in one row for each
// endpoint, and deletes the rows of those that are now.
func (w *writer) writeEvents() error {
	rows := make(map[*endpoint][]byte)
	for _, e := range w.held.events {
		if e.Seq <= e.endpoint.sealed {
			continue
		}
		if _, ok := rows[e.endpoint]; !ok {
			w.rows = append(w.rows, newRow{endpoint: e.endpoint})
		}
		rows[e.endpoint] = appendEvent(rows[e.endpoint], e.UnsealedEvent)
		w.setLast(e.endpoint, e.Seq)
	}
	for _, r := range w.rows {
		if err := w.text.newEvents.run(r.endpoint.id, r.last, rows[r.endpoint]); err != nil {
			return err
		}
	}
	return w.markSealed()
}

func (w *writer) setLast(e *endpoint, seq int64) {
	for i := range w.rows {
		if w.rows[i].endpoint == e {
			w.rows[i].last = seq
		}
	}
}

// markSealed is only needed for endpoints that have rows in unsealed.
func (w *writer) markSealed() error {
	for e := range w.open {
		if e.marked == e.sealed {
			continue
		}
		if err := w.text.sealed.run(e.sealed, e.id); err != nil {
			return err
		}
		if err := w.text.oldEvents.run(e.id, e.sealed); err != nil {
			return err
		}
	}
	return nil
}

// sealedRows takes note of what writeEvents has done.
func (w *writer) sealedRows() {
	for e := range w.open {
		e.marked = e.sealed
		e.unsealed = slices.DeleteFunc(e.unsealed, func(last int64) bool { return last <= e.sealed })
		if len(e.unsealed) == 0 {
			delete(w.open, e)
		}
	}
	for _, r := range w.rows {
		r.endpoint.unsealed = append(r.endpoint.unsealed, r.last)
		w.open[r.endpoint] = struct{}{}
	}
}

// writePayloads takes every payload from what it is in the database to what it
// is to become.
func (w *writer) writePayloads() error {
	for _, e := range w.list {
		if err := w.writePayload(e); err != nil {
			return err
		}
	}
	for _, b := range []*bulk{&w.text.newPayloads, &w.text.oldPayloads, &w.text.retries, &w.text.oldRetries} {
		if err := b.flush(); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writePayload(e *entry) error {
	to := &e.to
	if e.row == absent && to.state == absent {
		return nil
	}
	w.countDead(e)
	switch {
	case e.row == absent:
		if err := w.insert(e); err != nil {
			return err
		}
	case to.state == absent:
		return w.forget(e)
	case to.state == Dead:
		if err := w.text.died.run(to.died, string(to.reason), e.id); err != nil {
			return err
		}
	case to.text != nil:
		t := to.text
		if err := w.text.resealed.run(t.timeMS, len(t.body), t.key, t.signature, t.body, e.id); err != nil {
			return err
		}
	}
	if to.failures == 0 {
		return nil
	}
	e.retry = true
	return w.text.retries.add(e.id, to.failures, to.due)
}

func (w *writer) insert(e *entry) error {
	to, t := &e.to, e.to.text
	return w.text.newPayloads.add(e.id, e.endpoint.id, int(to.state), e.place, t.timeMS, t.events, len(t.body),
		t.key, t.signature, appendHashes(make([]byte, 0, 8*len(t.channels)), t.channels), to.died, string(to.reason), t.body)
}

func (w *writer) forget(e *entry) error {
	if e.retry {
		if err := w.text.oldRetries.add(e.id); err != nil {
			return err
		}
	}
	return w.text.oldPayloads.add(e.id)
}

func (w *writer) countDead(e *entry) {
	if e.to.state == Dead && e.row != Dead {
		w.bury++
		w.buried += int64(e.size)
	}
}

func (w *writer) writeAttempts() error {
	for _, a := range w.held.attempts {
		if err := w.text.attempts.add(a.Payload, a.endpoint, a.Start.UnixMilli(), a.Took.Microseconds(),
			string(a.Outcome), a.Status, notNil(a.Answer), a.Error); err != nil {
			return err
		}
	}
	return w.text.attempts.flush()
}

// notNil is for columns that are NOT NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
