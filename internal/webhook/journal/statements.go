package journal

import (
	"context"
	"database/sql"
	"errors"
	"strings"
)

// statements are the prepared statements of the writer's connection.
type statements struct {
	all []*sql.Stmt

	newEndpoint                        statement
	toldOn, toldOff, toldNothing       statement
	newEvents, oldEvents, sealed       statement
	died, resealed, revived            statement
	newPayloads, oldPayloads, attempts bulk
	retries, oldRetries                bulk
	load, oldAttempts                  statement
}

const (
	insertPayloads = `INSERT INTO payloads
		(id, endpoint, state, place, time_ms, events, bytes, key, signature, channels, died, reason, body) VALUES `
	insertAttempts = `INSERT INTO attempts (payload, endpoint, at, took, outcome, status, answer, error) VALUES `

	// selectPayloads has the columns that scanPayload reads.
	selectPayloads = `SELECT p.id, p.place, p.time_ms, p.events, p.key, p.signature, p.channels, p.body,
		COALESCE(r.failures, 0), COALESCE(r.due, 0)
		FROM payloads p LEFT JOIN retries r ON r.payload = p.id `
)

func (s *statements) prepare(conn *sql.Conn) error {
	*s = statements{}
	var faults []error
	one := func(text string) statement {
		stmt, err := conn.PrepareContext(context.Background(), text)
		faults = append(faults, err)
		if err == nil {
			s.all = append(s.all, stmt)
		}
		return statement{stmt}
	}
	several := func(head, row, tail string) bulk {
		many := strings.Repeat(row+", ", bulkRows-1) + row
		return bulk{one: one(head + row + tail), many: one(head + many + tail), width: strings.Count(row, "?")}
	}
	s.newEndpoint = one(`INSERT INTO endpoints (id, app, url, nth, label) VALUES (?, ?, ?, ?, ?)`)
	s.toldOn = one(`INSERT OR IGNORE INTO told (app, channel, member, user_id) VALUES (?, ?, ?, ?)`)
	s.toldOff = one(`DELETE FROM told WHERE app = ? AND channel = ? AND member = ? AND user_id = ?`)
	s.toldNothing = one(`DELETE FROM told`)
	s.newEvents = one(`INSERT INTO unsealed (endpoint, last, events) VALUES (?, ?, ?)`)
	s.oldEvents = one(`DELETE FROM unsealed WHERE endpoint = ? AND last <= ?`)
	s.sealed = one(`UPDATE endpoints SET sealed = ? WHERE id = ?`)
	s.died = one(`UPDATE payloads SET state = 2, died = ?, reason = ? WHERE id = ?`)
	s.revived = one(`UPDATE payloads SET state = 1, place = ?, time_ms = 0, died = 0, reason = '' WHERE id = ?`)
	s.resealed = one(`UPDATE payloads SET time_ms = ?, bytes = ?, key = ?, signature = ?, body = ? WHERE id = ?`)
	s.newPayloads = several(insertPayloads, "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", "")
	s.oldPayloads = several(`DELETE FROM payloads WHERE id IN (`, "?", ")")
	s.retries = several(`INSERT OR REPLACE INTO retries (payload, failures, due) VALUES `, "(?, ?, ?)", "")
	s.oldRetries = several(`DELETE FROM retries WHERE payload IN (`, "?", ")")
	s.attempts = several(insertAttempts, "(?, ?, ?, ?, ?, ?, ?, ?)", "")
	s.load = one(selectPayloads + `WHERE p.endpoint = ? AND p.state = 1 AND p.place BETWEEN ? AND ?
		ORDER BY p.place LIMIT ?`)
	s.oldAttempts = one(`DELETE FROM attempts WHERE id <= ?`)
	return errors.Join(faults...)
}

// close must precede the end of the connection: nothing else closes statements of
// a single connection, and SQLite does not let go of the file before.
func (s *statements) close() error {
	var faults []error
	for _, stmt := range s.all {
		faults = append(faults, stmt.Close())
	}
	return errors.Join(faults...)
}

// statement is executed for what it changes.
type statement struct{ *sql.Stmt }

func (s statement) run(args ...any) error {
	_, err := s.ExecContext(context.Background(), args...)
	return err
}

// bulkRows is how many rows go into one statement: executing one costs more than
// binding a row.
const bulkRows = 32

// bulk executes a statement for many rows.
type bulk struct {
	one, many statement
	width     int
	args      []any
}

func (b *bulk) add(row ...any) error {
	b.args = append(b.args, row...)
	if len(b.args) < bulkRows*b.width {
		return nil
	}
	err := b.many.run(b.args...)
	b.reset()
	return err
}

// flush executes the statement for the rows that are left.
func (b *bulk) flush() error {
	defer b.reset()
	for at := 0; at < len(b.args); at += b.width {
		if err := b.one.run(b.args[at : at+b.width]...); err != nil {
			return err
		}
	}
	return nil
}

func (b *bulk) reset() {
	clear(b.args)
	b.args = b.args[:0]
}
