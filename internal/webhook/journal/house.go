package journal

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

const (
	// agePause is the time between two looks at what is too old.
	agePause = time.Minute
	// houseRows is how much one step deletes, so that commits do not wait long.
	houseRows = 1000
	// vacuumPages is how many free pages one step gives back, of 4 KiB; vacuumFrom
	// is how many are left for new rows.
	vacuumPages = 2048
	vacuumFrom  = 1024
)

// house is what keeping house needs to remember. It belongs to the writer.
type house struct {
	attempts int64 // rows
	unread   bool  // a queue has payloads set aside
	busy     bool  // there was a commit since the last look
	aged     time.Time

	pausedUntil time.Time // after a failure
}

// keepHouse removes what is too much or too old, a bit at a time.
func (w *writer) keepHouse() {
	if w.house.unread {
		w.house.unread = false
		w.j.wakeAll()
	}
	now := time.Now()
	if w.conn == nil || w.again > 0 || now.Before(w.house.pausedUntil) {
		return // nothing can be written
	}
	aged := now.Sub(w.house.aged) >= agePause
	var more bool
	for _, step := range []func(now time.Time, aged bool) (bool, error){
		w.limitAttempts, w.limitDead, w.expireOrphans,
	} {
		again, err := step(now, aged)
		if err != nil {
			w.j.o.Log.Warn("webhook journal: old entries cannot be removed", "error", err)
			w.house.aged, w.house.pausedUntil = now, now.Add(agePause)
			return
		}
		more = more || again
	}
	if aged && !more {
		w.house.aged = now
	}
	if err := w.shrink(); err != nil {
		w.j.o.Log.Warn("webhook journal: the file cannot be made smaller", "error", err)
	}
}

func (w *writer) limitAttempts(now time.Time, aged bool) (more bool, err error) {
	surplus := w.house.attempts - w.j.o.MaxAttempts
	if surplus <= 0 && !aged {
		return false, nil
	}
	var upTo, n int64
	oldest := now.Add(-w.j.o.AttemptAge).UnixMilli()
	err = w.query(func(rows *sql.Rows) error {
		var id, at int64
		if err := rows.Scan(&id, &at); err != nil {
			return err
		}
		if n < surplus || at < oldest {
			upTo, n = id, n+1
		}
		return nil
	}, "SELECT id, at FROM attempts ORDER BY id LIMIT ?", houseRows)
	if err != nil || n == 0 {
		return false, err
	}
	if err := w.text.oldAttempts.run(upTo); err != nil {
		return false, err
	}
	w.house.attempts -= n
	return n == houseRows, nil
}

func (w *writer) limitDead(now time.Time, aged bool) (more bool, err error) {
	surplus := w.j.deadBytes.Load() - w.j.o.DeadBytes
	if surplus <= 0 && !aged {
		return false, nil
	}
	oldest := now.Add(-w.j.o.DeadAge).UnixMilli()
	var ids []int64
	var freed int64
	err = w.query(func(rows *sql.Rows) error {
		var id, died, bytes int64
		if err := rows.Scan(&id, &died, &bytes); err != nil {
			return err
		}
		if freed < surplus || died < oldest {
			ids, freed = append(ids, id), freed+bytes
		}
		return nil
	}, "SELECT id, died, bytes FROM payloads INDEXED BY payloads_dead WHERE state = 2 ORDER BY id LIMIT ?", houseRows)
	if err != nil || len(ids) == 0 {
		return false, err
	}
	if err := w.within(func() error { return w.deleteRows(ids) }); err != nil {
		return false, err
	}
	w.j.addDead(-int64(len(ids)), -freed)
	if surplus > 0 {
		w.j.o.Log.Warn("webhook dead letters removed to stay within the bound", "payloads", len(ids), "bytes", freed)
	}
	return len(ids) == houseRows, nil
}

// deleteRows deletes payloads, whatever their state.
func (w *writer) deleteRows(ids []int64) error {
	for _, id := range ids {
		if err := w.text.oldPayloads.add(id); err != nil {
			return err
		}
		if err := w.text.oldRetries.add(id); err != nil {
			return err
		}
	}
	if err := w.text.oldPayloads.flush(); err != nil {
		return err
	}
	return w.text.oldRetries.flush()
}

// expireOrphans gives up what has waited too long for an endpoint that the
// configuration does not have. Others are looked after by their lanes.
func (w *writer) expireOrphans(now time.Time, aged bool) (more bool, err error) {
	if !aged {
		return false, nil
	}
	oldest := now.Add(-w.j.o.MaxAge)
	for _, e := range w.j.orphans() {
		if err := w.text.oldEvents.run(e.id, oldest.UnixMicro()); err != nil {
			return false, err
		}
		n, err := w.expireOrphan(e, oldest.UnixMilli(), now)
		if err != nil {
			return false, err
		}
		more = more || n == houseRows
	}
	return more, nil
}

func (j *Journal) orphans() (all []*endpoint) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.endpoints {
		if e.queue == nil {
			all = append(all, e)
		}
	}
	return all
}

func (w *writer) expireOrphan(e *endpoint, oldest int64, now time.Time) (n int, err error) {
	var gone []removal
	err = w.query(func(rows *sql.Rows) error {
		r := removal{endpoint: e}
		var timeMS int64
		if err := rows.Scan(&r.id, &r.place, &r.events, &r.bytes, &timeMS); err != nil {
			return err
		}
		if timeMS == 0 { // replayed and not yet sealed: the place tells since when it waits
			timeMS = r.place / 1000
		}
		if timeMS < oldest {
			gone = append(gone, r)
		}
		return nil
	}, `SELECT id, place, events, bytes, time_ms FROM payloads
		WHERE endpoint = ? AND state = 1 ORDER BY place LIMIT ?`, e.id, houseRows)
	if err != nil || len(gone) == 0 {
		return 0, err
	}
	var bytes int64
	err = w.within(func() error {
		for _, r := range gone {
			bytes += int64(r.bytes)
			if err := w.text.died.run(now.UnixMilli(), string(webhook.DropExpired), r.id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	w.j.addDead(int64(len(gone)), bytes)
	w.j.o.Log.Warn("webhooks of a removed endpoint expired", "app", string(e.key.app), "url", e.label, "payloads", len(gone))
	w.j.removed(gone)
	return len(gone), nil
}

// shrink gives free pages back to the file system. It moves others into their
// place, so it waits for a quiet second unless most of the file is free.
func (w *writer) shrink() error {
	var pages, free, size int64
	for pragma, value := range map[string]*int64{"page_count": &pages, "freelist_count": &free, "page_size": &size} {
		if err := w.conn.QueryRowContext(context.Background(), "PRAGMA "+pragma).Scan(value); err != nil {
			return err
		}
	}
	w.j.metrics.fileBytes.Set(float64(pages * size))
	busy := w.house.busy
	w.house.busy = false
	if free <= vacuumFrom || busy && free < pages*3/4 {
		return nil
	}
	_, err := w.conn.ExecContext(context.Background(), fmt.Sprintf("PRAGMA incremental_vacuum(%d)", min(free-vacuumFrom, vacuumPages)))
	return err
}

// query calls take for each row, on the writer's connection.
func (w *writer) query(take func(*sql.Rows) error, text string, args ...any) error {
	rows, err := w.conn.QueryContext(context.Background(), text, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := take(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
