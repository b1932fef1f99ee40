package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"
)

// store keeps events in a database. It is safe for concurrent use, also by
// several processes.
type store struct{ db *sql.DB }

// Both databases understand the same statements but for these types.
const schema = `
CREATE TABLE IF NOT EXISTS events (
	id       %s PRIMARY KEY,
	app_key  TEXT NOT NULL,
	delivery %s NOT NULL,
	position INTEGER NOT NULL,
	time_ms  BIGINT NOT NULL,
	channel  TEXT NOT NULL,
	event    TEXT NOT NULL,
	UNIQUE (app_key, delivery, position)
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (time_ms, id);
CREATE INDEX IF NOT EXISTS events_by_channel ON events (channel, time_ms, id);
`

// openStore opens "sqlite:FILE" or "postgres://…" and makes what is missing in it.
func openStore(ctx context.Context, database string) (*store, error) {
	driver, source, tables := "pgx", database, fmt.Sprintf(schema, "BIGINT GENERATED ALWAYS AS IDENTITY", "BYTEA")
	if file, ok := strings.CutPrefix(database, "sqlite:"); ok {
		driver, source, tables = "sqlite", sqliteSource(file), fmt.Sprintf(schema, "INTEGER", "BLOB")
	} else if !strings.HasPrefix(database, "postgres://") && !strings.HasPrefix(database, "postgresql://") {
		return nil, errors.New("a database is sqlite:FILE or postgres://…") // without quoting it: it may hold a password
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(8)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the database: %w", err), db.Close())
	}
	return &store{db: db}, nil
}

// sqliteSource names the file with settings under which a commit survives a
// power cut, readers and the writer do not wait for each other, and writers wait
// for one another.
func sqliteSource(file string) string {
	settings := url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)"},
		"_txlock": {"immediate"},
	}
	return "file:" + (&url.URL{Path: file}).EscapedPath() + "?" + settings.Encode()
}

func (s *store) close() error { return s.db.Close() }

// Deliveries are at least once, so the same body may come again: each event is
// known by the app's key, the digest of the delivery and its place in it.
const insert = `INSERT INTO events (app_key, delivery, position, time_ms, channel, event)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (app_key, delivery, position) DO NOTHING`

// add commits all events of a webhook or none, and returns how many were new.
func (s *store) add(ctx context.Context, hook *webhook) (added int64, err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return 0, fmt.Errorf("store a webhook: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	for i, e := range hook.Events {
		done, err := tx.ExecContext(ctx, insert, hook.Key, hook.ID, i, hook.TimeMS, e.Channel, e.JSON)
		if err != nil {
			return 0, fmt.Errorf("store a webhook: %w", err)
		}
		n, err := done.RowsAffected()
		if err != nil {
			return 0, fmt.Errorf("store a webhook: %w", err)
		}
		added += n
	}
	if err := tx.Commit(); err != nil {
		return 0, fmt.Errorf("store a webhook: %w", err)
	}
	return added, nil
}

// filter selects events. Zero values select all.
type filter struct {
	channel     string
	from, until time.Time // from the first up to but without the second
	before      cursor    // only what stands behind this place
	limit       int
}

// cursor is a place in the history, newest first.
type cursor struct{ timeMS, id int64 }

// row is one stored event.
type row struct {
	event
	cursor
	Key  string
	Time time.Time
}

// list returns the newest events that the filter selects. Deep pages cost no
// more than the first: the indexes lead to the place where one begins.
func (s *store) list(ctx context.Context, f filter) ([]row, error) {
	conditions, args := f.conditions()
	query := "SELECT id, time_ms, app_key, event FROM events WHERE " + conditions +
		fmt.Sprintf(" ORDER BY time_ms DESC, id DESC LIMIT $%d", len(args)+1)
	found, err := s.db.QueryContext(ctx, query, append(args, f.limit)...)
	if err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	defer func() { _ = found.Close() }()
	var rows []row
	for found.Next() {
		r, err := scan(found)
		if err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		rows = append(rows, r)
	}
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("read the history: %w", err)
	}
	return rows, nil
}

// conditions returns SQL in which every value is a parameter.
func (f filter) conditions() (text string, args []any) {
	text = "1 = 1"
	add := func(condition string, values ...any) {
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		text += " AND " + condition
	}
	if f.channel != "" {
		add("channel = ?", f.channel)
	}
	if !f.from.IsZero() {
		add("time_ms >= ?", f.from.UnixMilli())
	}
	if !f.until.IsZero() {
		add("time_ms < ?", f.until.UnixMilli())
	}
	if f.before != (cursor{}) {
		add("(time_ms, id) < (?, ?)", f.before.timeMS, f.before.id)
	}
	return text, args
}

func scan(found *sql.Rows) (row, error) {
	var r row
	if err := found.Scan(&r.id, &r.timeMS, &r.Key, &r.JSON); err != nil {
		return row{}, err
	}
	r.Time = time.UnixMilli(r.timeMS).UTC()
	return r, json.Unmarshal([]byte(r.JSON), &r.event)
}
