package journal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/sqlite"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// checkBytes is the size up to which a file is checked before it is used.
const checkBytes = 256 << 20

func (j *Journal) open(ctx context.Context, path string) (err error) {
	if j.db, err = sqlite.Open(ctx, path, schema); err != nil {
		return fmt.Errorf("open webhook journal: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("open webhook journal %s: %w", path, err), j.db.Close())
		}
	}()
	if err := errors.Join(j.checkID(ctx), j.checkFile(ctx)); err != nil {
		return err
	}
	j.writer = &writer{j: j, open: make(map[*endpoint]struct{})}
	for _, step := range []func(context.Context) error{
		j.readEndpoints, j.readCounts, j.readUnsealed, j.readTold, j.readNumbers,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := j.writer.reconnect(); err != nil { //nolint:contextcheck // the connection outlives the call
		return err
	}
	if j.o.Metrics != nil {
		return j.metrics.register(j.o.Metrics)
	}
	return nil
}

// checkID refuses a database of another program.
func (j *Journal) checkID(ctx context.Context) error {
	var id int64
	if err := j.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil {
		return err
	}
	if id != applicationID {
		return errors.New("the database belongs to another program")
	}
	return nil
}

// checkFile refuses a damaged database, as far as that can be seen in about a
// second. One that is larger than checkBytes shows its faults when it is used.
func (j *Journal) checkFile(ctx context.Context) error {
	var size int64
	err := j.db.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&size)
	if err != nil || size > checkBytes {
		return err
	}
	var found string
	if err := j.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("the file is damaged: %s", found)
	}
	return nil
}

// each calls take for each row of a query.
func each(ctx context.Context, db *sql.DB, take func(*sql.Rows) error, query string, args ...any) error {
	rows, err := db.QueryContext(ctx, query, args...)
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

func (j *Journal) readEndpoints(ctx context.Context) error {
	return each(ctx, j.db, func(rows *sql.Rows) error {
		e := &endpoint{exists: true}
		var app string
		var url []byte
		if err := rows.Scan(&e.id, &app, &url, &e.key.nth, &e.label, &e.sealed); err != nil {
			return err
		}
		if e.key.app = apps.ID(app); copy(e.key.url[:], url) != len(e.key.url) {
			return fmt.Errorf("endpoint %d is damaged", e.id)
		}
		e.marked = e.sealed
		j.endpoints[e.key] = e
		return nil
	}, "SELECT id, app, url, nth, label, sealed FROM endpoints")
}

// byID finds an endpoint again; nil if there is none of this id.
func (j *Journal) byID(id int64) *endpoint {
	for _, e := range j.endpoints {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (j *Journal) readCounts(ctx context.Context) error {
	err := each(ctx, j.db, func(rows *sql.Rows) error {
		var id, last int64
		var b webhook.Backlog
		if err := rows.Scan(&id, &last, &b.Payloads, &b.Events, &b.Bytes); err != nil {
			return err
		}
		e := j.byID(id)
		if e == nil {
			return fmt.Errorf("payloads of endpoint %d, which does not exist", id)
		}
		e.counts, e.last = b, last
		j.waiting.Add(int64(b.Bytes))
		return nil
	}, `SELECT endpoint, max(place), count(*), sum(events), sum(bytes)
		FROM payloads INDEXED BY payloads_waiting WHERE state = 1 GROUP BY endpoint`)
	if err != nil {
		return err
	}
	var letters, bytes int64
	err = j.db.QueryRowContext(ctx, `SELECT count(*), COALESCE(sum(bytes), 0)
		FROM payloads INDEXED BY payloads_dead WHERE state = 2`).Scan(&letters, &bytes)
	j.addDead(letters, bytes)
	return err
}

func (j *Journal) readUnsealed(ctx context.Context) error {
	return each(ctx, j.db, func(rows *sql.Rows) error {
		var id, last int64
		var text []byte
		if err := rows.Scan(&id, &last, &text); err != nil {
			return err
		}
		e := j.byID(id)
		if e == nil {
			return fmt.Errorf("events of endpoint %d, which does not exist", id)
		}
		events, err := decodeEvents(text)
		if err != nil {
			return err
		}
		for _, event := range events {
			if event.Seq > e.sealed {
				e.restored = append(e.restored, event)
			}
		}
		e.unsealed = append(e.unsealed, last)
		j.writer.open[e] = struct{}{}
		return nil
	}, "SELECT endpoint, last, events FROM unsealed ORDER BY endpoint, last")
}

func (j *Journal) readTold(ctx context.Context) error {
	return each(ctx, j.db, func(rows *sql.Rows) error {
		var app, channel, user string
		var member bool
		if err := rows.Scan(&app, &channel, &member, &user); err != nil {
			return err
		}
		j.told = append(j.told, hub.Edge{
			App: apps.ID(app), Channel: protocol.ChannelName(channel), UserID: user, Member: member,
		})
		return nil
	}, "SELECT app, channel, member, user_id FROM told")
}

// readNumbers finds the highest number ever given, for the case that the clock
// was set back.
func (j *Journal) readNumbers(ctx context.Context) error {
	if err := j.db.QueryRowContext(ctx, `SELECT max(
		(SELECT COALESCE(max(id), 0) FROM payloads),
		(SELECT COALESCE(max(place), 0) FROM payloads WHERE state = 1),
		(SELECT COALESCE(max(last), 0) FROM unsealed),
		(SELECT COALESCE(max(id), 0) FROM endpoints),
		(SELECT COALESCE(max(sealed), 0) FROM endpoints),
		(SELECT COALESCE(max(payload), 0) FROM attempts))`).Scan(&j.seq); err != nil {
		return err
	}
	return j.db.QueryRowContext(ctx, "SELECT count(*) FROM attempts").Scan(&j.writer.house.attempts)
}
