package history

import (
	"context"
	"database/sql"
	"errors"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

const (
	sqliteNewest = `SELECT id, time_ms, name, data, coalesce(socket_id, ''), coalesce(user_id, '') FROM events
		WHERE channel = ?1 AND (time_ms, id) < (?4, ?5) AND time_ms >= ?2 AND (time_ms > ?2 OR id > ?3)
		ORDER BY time_ms DESC, id DESC LIMIT ?6`
	sqliteOldest = `SELECT id, time_ms, name, data, coalesce(socket_id, ''), coalesce(user_id, '') FROM events
		WHERE channel = ?1 AND (time_ms, id) > (?2, ?3) AND time_ms <= ?4 AND (time_ms < ?4 OR id < ?5)
		ORDER BY time_ms, id LIMIT ?6`
)

func (s *sqliteStore) page(ctx context.Context, q *span) ([]row, error) {
	var channel int64
	err := s.db.QueryRowContext(ctx, `SELECT c.number FROM channels c JOIN apps a ON a.number = c.app
		WHERE a.app = ? AND c.name = ?`, string(q.app), string(q.channel)).Scan(&channel)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text := sqliteNewest
	if q.oldestFirst {
		text = sqliteOldest
	}
	rows, err := s.db.QueryContext(ctx, text, channel, q.low.timeMS, q.low.id, q.high.timeMS, q.high.id, q.limit+1)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	return q.collect(rows)
}

// rowScanner is what the rows of both drivers have in common.
type rowScanner interface {
	Next() bool
	Scan(dest ...any) error
	Err() error
}

// collect reads rows of id, time, name, data, socket id and user id, up to one
// more than fit on a page.
func (s *span) collect(rows rowScanner) ([]row, error) {
	var all []row
	size := 0
	for (size <= pageBytes || len(all) == 1) && rows.Next() { // the row beyond tells that there is more
		var r row
		var data []byte
		var socketID string
		if err := rows.Scan(&r.id, &r.timeMS, &r.name, &data, &socketID, &r.userID); err != nil {
			return nil, err
		}
		r.data, r.socketID = protocol.Payload(data), protocol.SocketID(socketID)
		size += len(data)
		all = append(all, r)
	}
	return all, rows.Err()
}
