package history

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// postgresTrimEvery is how often each server looks for events that have to go.
const postgresTrimEvery = 5 * time.Second

// postgresApp is an app as the database knows it.
type postgresApp struct {
	id     apps.ID
	bytes  int64
	limits limits
}

// trim implements store.
func (s *postgresStore) trim(ctx context.Context, now time.Time, of limitsOf) ([]trimmed, error) {
	if time.Now().Before(s.nextTrim) {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	all, err := s.apps(ctx)
	if err != nil {
		return nil, err
	}
	var done []trimmed
	more := false
	for _, app := range all {
		t, err := s.trimApp(ctx, app, now, of)
		if err != nil {
			return done, err
		}
		done = append(done, t)
		more = more || t.more
	}
	if !more {
		s.nextTrim = time.Now().Add(postgresTrimEvery)
	}
	return done, nil
}

func (s *postgresStore) apps(ctx context.Context) ([]postgresApp, error) {
	rows, err := s.pool.Query(ctx, "SELECT app, bytes, max_age_ms, max_bytes FROM pipesocketd_history_apps ORDER BY app")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (app postgresApp, err error) {
		err = row.Scan(&app.id, &app.bytes, &app.limits.maxAgeMS, &app.limits.maxBytes)
		return app, err
	})
}

// trimApp deletes the oldest events of an app that have to go. The lock on the
// app's row lets one server do so at a time.
func (s *postgresStore) trimApp(ctx context.Context, app postgresApp, now time.Time, of limitsOf) (t trimmed, err error) {
	l, ok := of(app.id)
	if !ok {
		l = app.limits
	}
	t = trimmed{app: app.id, bytes: app.bytes}
	if l == app.limits && l.excess(app.bytes) == 0 {
		if old, err := s.hasOlder(ctx, app.id, l.cutoff(now)); err != nil || !old {
			return t, err
		}
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var bytes int64
		if err := tx.QueryRow(ctx, "SELECT bytes FROM pipesocketd_history_apps WHERE app = $1 FOR UPDATE", string(app.id)).Scan(&bytes); err != nil {
			return err
		}
		going, err := doomedPostgres(ctx, tx, app.id, l.cutoff(now), l.excess(bytes))
		if err != nil {
			return err
		}
		t = trimmed{app: app.id, deleted: going.rows, bytes: bytes - going.bytes, more: going.rows == trimRows}
		if going.rows > 0 {
			if _, err := tx.Exec(ctx, "DELETE FROM pipesocketd_history WHERE app = $1 AND id <= $2", string(app.id), going.last); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, "UPDATE pipesocketd_history_apps SET bytes = $2, max_age_ms = $3, max_bytes = $4 WHERE app = $1",
			string(app.id), t.bytes, l.maxAgeMS, l.maxBytes)
		return err
	})
	return t, err
}

// hasOlder reports whether the oldest event of an app is from before a time.
func (s *postgresStore) hasOlder(ctx context.Context, app apps.ID, cutoffMS int64) (older bool, err error) {
	err = s.pool.QueryRow(ctx, "SELECT time < $2 FROM pipesocketd_history WHERE app = $1 ORDER BY id LIMIT 1",
		string(app), time.UnixMilli(cutoffMS)).Scan(&older)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return older, err
}

// doomedPostgres looks at the oldest events of an app, until one may stay.
func doomedPostgres(ctx context.Context, tx pgx.Tx, app apps.ID, cutoffMS, excess int64) (d doomed, err error) {
	if cutoffMS <= 0 && excess == 0 {
		return d, nil
	}
	rows, err := tx.Query(ctx, `SELECT id, (extract(epoch FROM time) * 1000)::bigint, octet_length(name) + octet_length(data::text) +
		coalesce(octet_length(socket_id), 0) + coalesce(octet_length(user_id), 0)
		FROM pipesocketd_history WHERE app = $1 ORDER BY id LIMIT $2`, string(app), trimRows)
	if err != nil {
		return d, err
	}
	defer rows.Close()
	for rows.Next() {
		var id, timeMS, texts int64
		if err := rows.Scan(&id, &timeMS, &texts); err != nil {
			return d, err
		}
		if timeMS >= cutoffMS && d.bytes >= excess {
			break
		}
		d.rows++
		d.last = id
		d.bytes += rowBytes + texts
	}
	return d, rows.Err()
}
