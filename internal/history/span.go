package history

import (
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// position is the place of an event in its channel: events are in the order of
// their times, and within a millisecond in that of their ids. It does not change
// while events come and go.
type position struct{ timeMS, id int64 }

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.timeMS, q.timeMS), cmp.Compare(p.id, q.id))
}

func (p position) time() time.Time { return time.UnixMilli(p.timeMS) }

// The times that databases can hold, and the positions at their ends, where no
// event is.
const latestMS = 253402300799999 // the end of the year 9999

var (
	beforeAll = position{-1, 0}
	afterAll  = position{latestMS + 1, 0}
)

const cursorVersion = 1

// String returns the position as a cursor.
func (p position) String() string {
	b := binary.BigEndian.AppendUint64([]byte{cursorVersion}, uint64(p.timeMS))
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(b, uint64(p.id)))
}

// parseCursor is the inverse of [position.String].
func parseCursor(cursor string) (position, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) != 17 || b[0] != cursorVersion {
		return position{}, fmt.Errorf("cursor of %d characters: %w", len(cursor), hub.ErrHistoryCursor)
	}
	p := position{int64(binary.BigEndian.Uint64(b[1:])), int64(binary.BigEndian.Uint64(b[9:]))}
	if p.timeMS < 0 || p.timeMS > latestMS || p.id < 0 {
		return position{}, fmt.Errorf("cursor out of range: %w", hub.ErrHistoryCursor)
	}
	return p, nil
}

// span is a query as stores take it: the events of a channel strictly between two
// positions, in one direction.
type span struct {
	app         apps.ID
	channel     protocol.ChannelName
	low, high   position // exclusive
	oldestFirst bool
	limit       int
}

// newSpan narrows the span of time to what lies behind the cursor.
func newSpan(q hub.HistoryQuery) (*span, error) {
	s := &span{
		app: q.App, channel: q.Channel, oldestFirst: q.OldestFirst, limit: q.Limit,
		low: beforeAll, high: afterAll,
	}
	if !q.From.IsZero() {
		s.low = position{clampMS(q.From) - 1, math.MaxInt64}
	}
	if !q.To.IsZero() {
		s.high = position{clampMS(q.To), 0}
	}
	if q.Cursor == "" {
		return s, nil
	}
	after, err := parseCursor(q.Cursor)
	if err != nil {
		return nil, err
	}
	if q.OldestFirst && after.compare(s.low) > 0 {
		s.low = after
	}
	if !q.OldestFirst && after.compare(s.high) < 0 {
		s.high = after
	}
	return s, nil
}

func clampMS(t time.Time) int64 { return min(max(t.UnixMilli(), 0), latestMS+1) }
