package history

import "context"

const (
	postgresColumns = `SELECT id, (extract(epoch FROM time) * 1000)::bigint, name, data, coalesce(socket_id, ''), coalesce(user_id, '')
		FROM pipesocketd_history WHERE app = $1 AND channel = $2 AND (time, id) > ($3, $4) AND (time, id) < ($5, $6)`
	postgresNewest = postgresColumns + " ORDER BY time DESC, id DESC LIMIT $7"
	postgresOldest = postgresColumns + " ORDER BY time, id LIMIT $7"
)

func (s *postgresStore) page(ctx context.Context, q *span) ([]row, error) {
	text := postgresNewest
	if q.oldestFirst {
		text = postgresOldest
	}
	rows, err := s.pool.Query(ctx, text, string(q.app), string(q.channel),
		q.low.time(), q.low.id, q.high.time(), q.high.id, q.limit+1)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	return q.collect(rows)
}
