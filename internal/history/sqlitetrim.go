package history

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// trim implements store.
func (s *sqliteStore) trim(ctx context.Context, now time.Time, of limitsOf) ([]trimmed, error) {
	w := s.writer
	var done []trimmed
	err := w.transact(context.WithoutCancel(ctx), func(ctx context.Context) error {
		if err := w.loadApps(ctx); err != nil {
			return err
		}
		for _, id := range slices.Sorted(maps.Keys(w.apps)) {
			t, err := w.trimApp(ctx, id, now, of)
			if err != nil {
				return err
			}
			done = append(done, t)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, w.vacuum(context.WithoutCancel(ctx))
}

// trimApp deletes the oldest events of an app that have to go.
func (w *sqliteWriter) trimApp(ctx context.Context, id apps.ID, now time.Time, of limitsOf) (trimmed, error) {
	app := w.apps[id]
	l, ok := of(id)
	if !ok {
		l = app.limits
	}
	going, err := w.doomed(ctx, app, l.cutoff(now), l.excess(app.bytes))
	if err != nil {
		return trimmed{}, err
	}
	if going.rows > 0 {
		if _, err := w.conn.ExecContext(ctx, "DELETE FROM events WHERE id > ? AND id <= ?", app.number<<appShift, going.last); err != nil {
			return trimmed{}, err
		}
		if err := w.forgetChannels(ctx, going.channels); err != nil {
			return trimmed{}, err
		}
	}
	app.bytes -= going.bytes
	if going.rows > 0 || app.limits != l {
		app.limits = l
		err = w.save(ctx, app)
	}
	return trimmed{app: id, deleted: going.rows, bytes: app.bytes, more: going.rows == trimRows}, err
}

// doomed is a run of events that have to go.
type doomed struct {
	rows     int
	last     int64 // id
	bytes    int64
	channels map[int64]struct{}
}

// doomed looks at the oldest events of an app in the order in which they were
// accepted, until one may stay.
func (w *sqliteWriter) doomed(ctx context.Context, app *sqliteApp, cutoffMS, excess int64) (d doomed, err error) {
	if cutoffMS <= 0 && excess == 0 {
		return d, nil
	}
	rows, err := w.conn.QueryContext(ctx, `SELECT id, channel, time_ms, octet_length(name) + octet_length(data) +
		coalesce(octet_length(socket_id), 0) + coalesce(octet_length(user_id), 0)
		FROM events WHERE id > ? AND id < ? ORDER BY id LIMIT ?`, app.number<<appShift, (app.number+1)<<appShift, trimRows)
	if err != nil {
		return d, err
	}
	defer func() { _ = rows.Close() }()
	d.channels = make(map[int64]struct{})
	for rows.Next() {
		var id, channel, timeMS, texts int64
		if err := rows.Scan(&id, &channel, &timeMS, &texts); err != nil {
			return d, err
		}
		if timeMS >= cutoffMS && d.bytes >= excess {
			break
		}
		d.rows++
		d.last = id
		d.bytes += rowBytes + texts
		d.channels[channel] = struct{}{}
	}
	return d, rows.Err()
}

// forgetChannels deletes those of the channels that have no events any more.
func (w *sqliteWriter) forgetChannels(ctx context.Context, numbers map[int64]struct{}) error {
	if len(numbers) == 0 {
		return nil
	}
	forget, err := w.conn.PrepareContext(ctx, `DELETE FROM channels WHERE number = ?1
		AND NOT EXISTS (SELECT 1 FROM events WHERE channel = ?1)`)
	if err != nil {
		return err
	}
	defer func() { _ = forget.Close() }()
	gone := make(map[int64]bool)
	for number := range numbers {
		result, err := forget.ExecContext(ctx, number)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err == nil && n > 0 {
			gone[number] = true
		}
	}
	if len(gone) > 0 {
		maps.DeleteFunc(w.channels, func(_ sqliteChannel, number int64) bool { return gone[number] })
	}
	return nil
}

const (
	// sparePages are kept for what comes next, a sixteenth of the file and at least
	// 4 MiB: growing again right after shrinking would be wasted.
	sparePages = 1024

	// vacuumPages bounds what one trim gives back, to 8 MiB.
	vacuumPages = 2048
)

// vacuum gives free pages back to the file system.
func (w *sqliteWriter) vacuum(ctx context.Context) error {
	var free, all int
	if err := w.conn.QueryRowContext(ctx, "PRAGMA freelist_count").Scan(&free); err != nil {
		return err
	}
	if err := w.conn.QueryRowContext(ctx, "PRAGMA page_count").Scan(&all); err != nil {
		return err
	}
	spare := max(sparePages, all/16)
	if free <= spare {
		return nil
	}
	_, err := w.conn.ExecContext(ctx, "PRAGMA incremental_vacuum("+strconv.Itoa(min(free-spare, vacuumPages))+")")
	return err
}
