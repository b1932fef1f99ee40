package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/sqlite"
)

// sqliteSchema has one index: writing a row costs little more than its bytes.
// Events of one app are in the order of their ids, whose upper bits are the app's
// number, so that the oldest are found without another index. The view is for
// people.
var sqliteSchema = []string{`
CREATE TABLE apps (
	number       INTEGER PRIMARY KEY,
	app          TEXT NOT NULL UNIQUE,
	last_id      INTEGER NOT NULL, -- given to an event
	bytes        INTEGER NOT NULL, -- of the app's events
	max_age_ms   INTEGER NOT NULL, -- bounds when events were last written
	max_bytes    INTEGER NOT NULL
);
CREATE TABLE channels (
	number       INTEGER PRIMARY KEY,
	app          INTEGER NOT NULL REFERENCES apps,
	name         TEXT NOT NULL,
	UNIQUE (app, name)
);
CREATE TABLE events (
	id           INTEGER PRIMARY KEY,
	channel      INTEGER NOT NULL, -- REFERENCES channels, unchecked: it would cost an index
	time_ms      INTEGER NOT NULL,
	name         TEXT NOT NULL,
	data         BLOB NOT NULL,    -- a JSON string, as it was delivered
	socket_id    TEXT,
	user_id      TEXT
);
CREATE INDEX events_by_channel ON events (channel, time_ms);
CREATE VIEW history AS
	SELECT a.app, c.name AS channel, strftime('%Y-%m-%dT%H:%M:%fZ', e.time_ms / 1000.0, 'unixepoch') AS time,
		e.name AS event, json_extract(CAST(e.data AS TEXT), '$') AS data, e.socket_id, e.user_id, e.id
	FROM events e JOIN channels c ON c.number = e.channel JOIN apps a ON a.number = c.app;
`}

// appShift makes room for 2^40 events of one app.
const appShift = 40

const (
	// maxChannelsCached bounds the memory of known channels to some MiB.
	maxChannelsCached = 1 << 16

	// maxReaders bounds the pages that are read at the same time.
	maxReaders = 8

	// insertRows is how many rows go into one statement if there are as many:
	// executing one costs more than binding a row.
	insertRows = 32
	eventRow   = "(?, ?, ?, ?, ?, ?, ?)"
	eventWidth = 7
)

// sqliteStore keeps events in a file.
type sqliteStore struct {
	path string

	db     *sql.DB       // set by open
	writer *sqliteWriter // the same
}

// sqliteWriter is the connection that writes, with what it knows of the database.
// It is owned by Run.
type sqliteWriter struct {
	conn          *sql.Conn
	insertEvent   *sql.Stmt
	insertEvents  *sql.Stmt // so many as insertRows
	updateApp     *sql.Stmt
	insertChannel *sql.Stmt
	channelNumber *sql.Stmt

	apps     map[apps.ID]*sqliteApp // nil: has to be read
	channels map[sqliteChannel]int64
	args     []any // of the events that are not yet inserted; reused
}

type sqliteApp struct {
	number, lastID, bytes int64
	limits                limits
}

type sqliteChannel struct {
	app  int64
	name protocol.ChannelName
}

func (s *sqliteStore) remote() bool { return false }

func (s *sqliteStore) open(ctx context.Context) error {
	db, err := sqlite.Open(ctx, s.path, sqliteSchema)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1 + maxReaders)
	w := &sqliteWriter{channels: make(map[sqliteChannel]int64)}
	if err := w.prepare(ctx, db); err != nil {
		return errors.Join(fmt.Errorf("open database %s: %w", s.path, err), db.Close())
	}
	s.db, s.writer = db, w
	return nil
}

func (w *sqliteWriter) prepare(ctx context.Context, db *sql.DB) (err error) {
	if w.conn, err = db.Conn(ctx); err != nil {
		return err
	}
	// A checkpoint moves a page only once that many transactions have changed: the
	// larger the log, the fewer writes. And a transaction of 4,096 events on many
	// channels has to find the pages of the index in memory, here 16 MiB, or it reads
	// and writes them over and over.
	if _, err = w.conn.ExecContext(ctx, "PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384"); err != nil {
		return err
	}
	const insert = "INSERT INTO events (id, channel, time_ms, name, data, socket_id, user_id) VALUES " + eventRow
	for _, s := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&w.insertEvent, insert},
		{&w.insertEvents, insert + strings.Repeat(", "+eventRow, insertRows-1)},
		{&w.updateApp, "UPDATE apps SET last_id = ?, bytes = ?, max_age_ms = ?, max_bytes = ? WHERE number = ?"},
		{&w.insertChannel, "INSERT INTO channels (app, name) VALUES (?, ?) RETURNING number"},
		{&w.channelNumber, "SELECT number FROM channels WHERE app = ? AND name = ?"},
	} {
		if *s.to, err = w.conn.PrepareContext(ctx, s.sql); err != nil {
			return err
		}
	}
	return nil
}

func (s *sqliteStore) close() error {
	if s.db == nil {
		return nil
	}
	return errors.Join(s.writer.conn.Close(), s.db.Close())
}

// write implements store. A context that can end would cost every statement a
// goroutine, and what a local disk takes no context can shorten.
func (s *sqliteStore) write(ctx context.Context, b *batch) error {
	w := s.writer
	return w.transact(context.WithoutCancel(ctx), func(ctx context.Context) error {
		changed := make(map[*sqliteApp]limits)
		for i := range b.events {
			e := &b.events[i]
			app, err := w.app(ctx, e.app.ID)
			if err != nil {
				return err
			}
			if err := w.add(ctx, app, e); err != nil {
				return err
			}
			changed[app] = limitsFrom(&e.app.History)
		}
		if err := w.flush(ctx); err != nil {
			return err
		}
		for app, l := range changed {
			app.limits = l
			if err := w.save(ctx, app); err != nil {
				return err
			}
		}
		return nil
	})
}

// add inserts an event, at the latest with the next flush.
func (w *sqliteWriter) add(ctx context.Context, app *sqliteApp, e *event) error {
	channel, err := w.channel(ctx, sqliteChannel{app.number, e.channel})
	if err != nil {
		return err
	}
	app.lastID++
	app.bytes += e.size()
	w.args = append(w.args, app.lastID, channel, e.timeMS, e.name, []byte(e.data), orNull(e.socketID), orNull(e.userID))
	if len(w.args) < insertRows*eventWidth {
		return nil
	}
	_, err = w.insertEvents.ExecContext(ctx, w.args...)
	w.forgetArgs()
	return err
}

// flush inserts the events that add has left.
func (w *sqliteWriter) flush(ctx context.Context) error {
	for row := range slices.Chunk(w.args, eventWidth) {
		if _, err := w.insertEvent.ExecContext(ctx, row...); err != nil {
			return err
		}
	}
	w.forgetArgs()
	return nil
}

func (w *sqliteWriter) forgetArgs() {
	clear(w.args)
	w.args = w.args[:0]
}

func orNull[T ~string](text T) any {
	if text == "" {
		return nil
	}
	return string(text)
}

// transact runs steps in a transaction. After an error all that is known of the
// database is read again, since it may be from what has been rolled back. It is no
// [sql.Tx], which would prepare every statement anew.
func (w *sqliteWriter) transact(ctx context.Context, steps func(context.Context) error) error {
	if _, err := w.conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := steps(ctx)
	if err == nil {
		_, err = w.conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		_, _ = w.conn.ExecContext(ctx, "ROLLBACK") // SQLite may have done so itself
		w.apps = nil
		clear(w.channels)
		w.forgetArgs()
	}
	return err
}

func (w *sqliteWriter) save(ctx context.Context, app *sqliteApp) error {
	_, err := w.updateApp.ExecContext(ctx,
		app.lastID, app.bytes, app.limits.maxAgeMS, app.limits.maxBytes, app.number)
	return err
}

// app returns what is known of an app, which is added if it is new.
func (w *sqliteWriter) app(ctx context.Context, id apps.ID) (*sqliteApp, error) {
	if err := w.loadApps(ctx); err != nil {
		return nil, err
	}
	if app := w.apps[id]; app != nil {
		return app, nil
	}
	app := &sqliteApp{}
	if err := w.conn.QueryRowContext(ctx, `INSERT INTO apps (app, last_id, bytes, max_age_ms, max_bytes)
		VALUES (?, 0, 0, 0, 0) RETURNING number`, string(id)).Scan(&app.number); err != nil {
		return nil, err
	}
	app.lastID = app.number << appShift
	w.apps[id] = app
	return app, nil
}

func (w *sqliteWriter) loadApps(ctx context.Context) error {
	if w.apps != nil {
		return nil
	}
	rows, err := w.conn.QueryContext(ctx, "SELECT app, number, last_id, bytes, max_age_ms, max_bytes FROM apps")
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	all := make(map[apps.ID]*sqliteApp)
	for rows.Next() {
		var id apps.ID
		var app sqliteApp
		if err := rows.Scan(&id, &app.number, &app.lastID, &app.bytes, &app.limits.maxAgeMS, &app.limits.maxBytes); err != nil {
			return err
		}
		all[id] = &app
	}
	if err := rows.Err(); err != nil {
		return err
	}
	w.apps = all
	return nil
}

// channel returns the number of a channel, which is added if it is new.
func (w *sqliteWriter) channel(ctx context.Context, c sqliteChannel) (int64, error) {
	if number, ok := w.channels[c]; ok {
		return number, nil
	}
	var number int64
	err := w.channelNumber.QueryRowContext(ctx, c.app, string(c.name)).Scan(&number)
	if errors.Is(err, sql.ErrNoRows) {
		err = w.insertChannel.QueryRowContext(ctx, c.app, string(c.name)).Scan(&number)
	}
	if err != nil {
		return 0, err
	}
	if len(w.channels) >= maxChannelsCached {
		clear(w.channels)
	}
	w.channels[c] = number
	return number, nil
}
