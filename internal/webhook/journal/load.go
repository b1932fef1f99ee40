package journal

import (
	"context"
	"database/sql"
	"time"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// One load reads at most so much, as commits wait for it: a millisecond or two. A
// queue that drains asks for the next one long before it needs it.
const (
	loadBytes = 128 << 10
	loadCount = 256
)

// serve loads what queues have asked for.
func (w *writer) serve() {
	w.j.mu.Lock()
	asking := w.j.asking
	w.j.asking = nil
	w.j.mu.Unlock()
	for _, q := range asking {
		q.mu.Lock()
		s := *q.request
		q.mu.Unlock()
		entries, upTo, err := w.read(q, s)
		if n := len(entries); err != nil && n > 0 {
			upTo, err = entries[n-1].place, nil // those are good; the fault will show again
		}
		if err != nil {
			upTo = w.blame(q, s, err)
		}
		q.send(message{loaded: entries, upTo: upTo, failed: err != nil})
	}
}

// blame finds the place of what cannot be read at the beginning of a span. That
// stands in an index too; if it cannot be read either, it is the whole span.
func (w *writer) blame(q *queue, s span, fault error) (upTo int64) {
	if !w.house.unread {
		w.j.o.Log.Error("webhooks cannot be read from disk; they wait, later ones go on", "error", fault)
	}
	w.house.unread = true
	upTo = s.last
	if w.conn != nil {
		row := w.conn.QueryRowContext(context.Background(), `SELECT place FROM payloads INDEXED BY payloads_waiting
			WHERE endpoint = ? AND state = 1 AND place BETWEEN ? AND ? ORDER BY place LIMIT 1`, q.endpoint.id, s.first, s.last)
		if err := row.Scan(&upTo); err != nil {
			return s.last
		}
	}
	return upTo
}

// read reads the beginning of a span and tells up to which place.
func (w *writer) read(q *queue, s span) (entries []*entry, upTo int64, err error) {
	if w.conn == nil {
		if err := w.reconnect(); err != nil {
			return nil, 0, err
		}
	}
	rows, err := w.text.load.QueryContext(context.Background(), q.endpoint.id, s.first, s.last, loadCount)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = rows.Close() }()
	most := min(loadBytes, w.j.o.WindowBytes/2)
	for bytes := 0; rows.Next(); {
		e, err := scanPayload(rows, q)
		if err != nil {
			return entries, 0, err
		}
		entries = append(entries, e)
		if bytes += e.size; bytes >= most {
			return entries, e.place, nil
		}
	}
	if n := len(entries); n == loadCount {
		return entries, entries[n-1].place, rows.Err()
	}
	return entries, s.last, rows.Err()
}

func scanPayload(rows *sql.Rows, q *queue) (*entry, error) {
	p := &webhook.Payload{App: q.spec.App, URL: q.spec.URL}
	e := &entry{endpoint: q.endpoint, p: p, row: Waiting}
	var channels []byte
	var due int64
	if err := rows.Scan(&e.id, &e.place, &p.TimeMS, &p.Events, &p.Key, &p.Signature, &channels, &p.Body,
		&p.Failures, &due); err != nil {
		return nil, err
	}
	p.ID = e.id
	p.Channels = decodeHashes(channels)
	if p.Failures > 0 {
		p.Due = time.UnixMilli(due)
		e.retry = true
	}
	e.size = len(p.Body)
	e.committed.Store(true)
	return e, nil
}
