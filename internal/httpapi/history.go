package httpapi

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// Limits of the events on one page of history.
const (
	defaultHistoryLimit = 100
	maxHistoryLimit     = 1000
)

// getHistory tells which events a channel has had. How long it may take is for
// the history to say.
func (a *API) getHistory(c *call) error {
	name, err := parseChannel(c.channel)
	if err != nil {
		return err
	}
	if a.history == nil || !c.app.History.Enabled() {
		return errHistoryOff
	}
	if !c.app.History.Selects(name) {
		return errHistoryChannel
	}
	query := hub.HistoryQuery{App: c.app.ID, Channel: name}
	if err = readHistoryQuery(&query, &c.query); err != nil {
		return err
	}
	page, err := a.history.Page(context.Background(), query)
	switch {
	case errors.Is(err, hub.ErrHistoryCursor):
		return errHistoryCursor
	case errors.Is(err, hub.ErrHistoryUnavailable):
		return errHistoryUnavailable
	case err != nil:
		return err
	}
	c.out = appendHistory(c.out, page)
	return nil
}

func readHistoryQuery(q *hub.HistoryQuery, from *auth.Query) (err error) {
	q.Limit = defaultHistoryLimit
	if text, ok := from.Get("limit"); ok {
		if q.Limit, err = strconv.Atoi(text); err != nil || q.Limit < 1 || q.Limit > maxHistoryLimit {
			return errHistoryLimit
		}
	}
	switch text, _ := from.Get("order"); text {
	case "", "newest":
	case "oldest":
		q.OldestFirst = true
	default:
		return errHistoryOrder
	}
	if q.From, err = queryTime(from, "from"); err != nil {
		return err
	}
	if q.To, err = queryTime(from, "to"); err != nil {
		return err
	}
	q.Cursor, _ = from.Get("cursor")
	return nil
}

// queryTime reads Unix milliseconds; without the parameter the time is zero.
func queryTime(q *auth.Query, name string) (time.Time, error) {
	text, ok := q.Get(name)
	if !ok {
		return time.Time{}, nil
	}
	ms, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return time.Time{}, errHistoryTime(name)
	}
	return time.UnixMilli(int64(ms)), nil
}

func appendHistory(dst []byte, page hub.HistoryPage) []byte {
	dst = append(dst, `{"events":[`...)
	for i := range page.Events {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendPastEvent(dst, &page.Events[i])
	}
	dst = append(dst, ']')
	if page.Next != "" {
		dst = strictjson.AppendString(appendKey(dst, "next"), page.Next)
	}
	return append(dst, '}')
}

func appendPastEvent(dst []byte, e *hub.PastEvent) []byte {
	dst = strictjson.AppendString(appendKey(append(dst, '{'), "id"), e.ID)
	dst = strconv.AppendInt(appendKey(dst, "time_ms"), e.Time.UnixMilli(), 10)
	dst = strictjson.AppendString(appendKey(dst, "name"), e.Name)
	dst = append(appendKey(dst, "data"), e.Data...)
	if e.SocketID != "" {
		dst = strictjson.AppendString(appendKey(dst, "socket_id"), string(e.SocketID))
	}
	if e.UserID != "" {
		dst = strictjson.AppendString(appendKey(dst, "user_id"), e.UserID)
	}
	return append(dst, '}')
}
