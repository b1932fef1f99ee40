package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// postgresSchema leads from version n to n+1, as in package sqlite. Data is of
// type json, which keeps the token as it was delivered, "\u0000" included; text
// could not hold what that stands for.
var postgresSchema = []string{`
CREATE TABLE pipesocketd_history (
	id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	app       text NOT NULL,
	channel   text NOT NULL,
	time      timestamptz NOT NULL,
	name      text NOT NULL,
	data      json NOT NULL,
	socket_id text,
	user_id   text
);
CREATE INDEX pipesocketd_history_by_channel ON pipesocketd_history (app, channel, time, id);
CREATE INDEX pipesocketd_history_by_app ON pipesocketd_history (app, id);
CREATE TABLE pipesocketd_history_apps (
	app        text PRIMARY KEY,
	bytes      bigint NOT NULL,
	max_age_ms bigint NOT NULL,
	max_bytes  bigint NOT NULL
);
CREATE TABLE pipesocketd_history_writers (
	writer     bigint PRIMARY KEY,
	last_batch bigint NOT NULL,
	written    timestamptz NOT NULL
);
`}

// Time limits, so that a server that hangs is noticed: of connecting in seconds,
// unless the URL has one, and of one transaction.
const (
	postgresConnect  = "5"
	postgresTransact = 10 * time.Second
)

// postgresStore keeps events in a PostgreSQL database, which other servers may
// write to as well.
type postgresStore struct {
	// set by newPostgresStore, immutable
	config *pgxpool.Config
	writer int64         // names this process in the table of writers
	limit  time.Duration // of one transaction

	pool *pgxpool.Pool // set by open

	nextTrim time.Time // owned by Run
}

// newPostgresStore takes a URL that begins with postgres:// or postgresql://. What
// it does not say is taken from where PostgreSQL's own programs take it.
func newPostgresStore(rawURL string) (*postgresStore, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errors.New("history database: not the URL of a PostgreSQL database") // which may hold a password
	}
	settings := u.Query()
	for name, value := range map[string]string{"connect_timeout": postgresConnect, "application_name": "pipesocketd"} {
		if !settings.Has(name) {
			settings.Set(name, value)
		}
	}
	u.RawQuery = settings.Encode()
	config, err := pgxpool.ParseConfig(u.String())
	if err != nil {
		return nil, fmt.Errorf("history database %s://%s%s: its settings are not understood", u.Scheme, u.Host, u.EscapedPath())
	}
	return &postgresStore{config: config, writer: rand.Int64(), limit: postgresTransact}, nil //nolint:gosec // a name, not a secret
}

func (s *postgresStore) remote() bool { return true }

func (s *postgresStore) open(ctx context.Context) error {
	// The pool has no connection yet, so there is nothing for the context to limit.
	pool, err := pgxpool.NewWithConfig(context.WithoutCancel(ctx), s.config.Copy())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	if err := pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error { return migratePostgres(ctx, tx) }); err != nil {
		pool.Close()
		return err
	}
	s.pool = pool
	return nil
}

// migratePostgres takes the steps of the schema that are missing, one server at a
// time.
func migratePostgres(ctx context.Context, tx pgx.Tx) error {
	const lock = 0x7069706573 // any number that nobody else uses
	for _, statement := range []string{
		"SELECT pg_advisory_xact_lock(" + strconv.Itoa(lock) + ")",
		"CREATE TABLE IF NOT EXISTS pipesocketd_history_schema (version integer NOT NULL)",
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	var version int
	if err := tx.QueryRow(ctx, "SELECT coalesce(max(version), 0) FROM pipesocketd_history_schema").Scan(&version); err != nil {
		return err
	}
	if version > len(postgresSchema) {
		return fmt.Errorf("its schema has version %d, and this release knows versions up to %d", version, len(postgresSchema))
	}
	for ; version < len(postgresSchema); version++ {
		if _, err := tx.Exec(ctx, postgresSchema[version]); err != nil {
			return fmt.Errorf("change to version %d: %w", version+1, err)
		}
		if _, err := tx.Exec(ctx, "INSERT INTO pipesocketd_history_schema VALUES ($1)", version+1); err != nil {
			return err
		}
	}
	_, err := tx.Exec(ctx, "DELETE FROM pipesocketd_history_writers WHERE written < now() - interval '30 days'")
	return err
}

func (s *postgresStore) close() error {
	if s.pool != nil {
		s.pool.Close()
	}
	return nil
}

// write implements store. A commit whose answer was lost may have succeeded: the
// number of the last batch of this process is kept in the same transaction, so that
// the batch is not written again.
func (s *postgresStore) write(ctx context.Context, b *batch) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit)
	defer cancel()
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		first, err := tx.Exec(ctx, `INSERT INTO pipesocketd_history_writers AS w VALUES ($1, $2, now())
			ON CONFLICT (writer) DO UPDATE SET last_batch = $2, written = now() WHERE w.last_batch < $2`, s.writer, int64(b.number))
		if err != nil || first.RowsAffected() == 0 {
			return err
		}
		columns := []string{"app", "channel", "time", "name", "data", "socket_id", "user_id"}
		rows := &copiedEvents{events: b.events, next: -1, bytes: make(map[apps.ID]int64), bounds: make(map[apps.ID]limits)}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"pipesocketd_history"}, columns, rows); err != nil {
			return err
		}
		for _, app := range slices.Sorted(maps.Keys(rows.bytes)) { // in one order everywhere, or servers could wait for one another
			l := rows.bounds[app]
			if _, err := tx.Exec(ctx, `INSERT INTO pipesocketd_history_apps AS a VALUES ($1, $2, $3, $4)
				ON CONFLICT (app) DO UPDATE SET bytes = a.bytes + $2, max_age_ms = $3, max_bytes = $4`,
				string(app), rows.bytes[app], l.maxAgeMS, l.maxBytes); err != nil {
				return err
			}
		}
		return nil
	})
}

// copiedEvents gives the events of a batch to COPY, and sums them up.
type copiedEvents struct {
	events []event
	next   int
	bytes  map[apps.ID]int64
	bounds map[apps.ID]limits
}

var _ pgx.CopyFromSource = (*copiedEvents)(nil)

// Next implements pgx.CopyFromSource.
func (c *copiedEvents) Next() bool {
	c.next++
	return c.next < len(c.events)
}

// Values implements pgx.CopyFromSource.
func (c *copiedEvents) Values() ([]any, error) {
	e := c.events[c.next]
	e.name, e.userID = withoutNUL(e.name), withoutNUL(e.userID)
	c.bytes[e.app.ID] += e.size()
	c.bounds[e.app.ID] = limitsFrom(&e.app.History)
	return []any{
		string(e.app.ID), string(e.channel), time.UnixMilli(e.timeMS), e.name, []byte(e.data), orNull(e.socketID), orNull(e.userID),
	}, nil
}

// Err implements pgx.CopyFromSource.
func (c *copiedEvents) Err() error { return nil }

// withoutNUL replaces the one character that no text of PostgreSQL can hold.
func withoutNUL(text string) string { return strings.ReplaceAll(text, "\x00", "\uFFFD") }
