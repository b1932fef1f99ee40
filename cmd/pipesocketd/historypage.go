package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const (
	// maxPage is the most events that the server gives at once.
	maxPage = 1000

	// maxPageBytes bounds what is read of one answer. The server ends a page after
	// 4 MiB of data, which escapes can make six times as long, unless one event has more.
	maxPageBytes = 64 << 20
)

// pageQuery are the parameters of one request; those that are "" are left out.
type pageQuery struct {
	order, from, to, cursor string
	limit                   int
}

// pastPage is the answer of the server.
type pastPage struct {
	Events []pastEvent `json:"events"`
	Next   string      `json:"next"`
}

// pastEvent is one event of it.
type pastEvent struct {
	ID       string `json:"id"`
	TimeMS   int64  `json:"time_ms"`
	Name     string `json:"name"`
	Data     string `json:"data"`
	SocketID string `json:"socket_id"`
	UserID   string `json:"user_id"`

	raw []byte // the whole object
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *pastEvent) UnmarshalJSON(text []byte) error {
	type plain pastEvent
	if err := json.Unmarshal(text, (*plain)(e)); err != nil {
		return err
	}
	e.raw = append([]byte(nil), text...)
	return nil
}

// page asks for one page.
func (h *history) page(ctx context.Context, q pageQuery) (pastPage, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	params := url.Values{"limit": {strconv.Itoa(q.limit)}, "order": {q.order}}
	for name, value := range map[string]string{"from": q.from, "to": q.to, "cursor": q.cursor} {
		if value != "" {
			params.Set(name, value)
		}
	}
	path := "channels/" + url.PathEscape(h.channel) + "/history"
	request, err := h.signed(ctx, http.MethodGet, path, params, nil, time.Now())
	if err != nil {
		return pastPage{}, err
	}
	answer, err := h.ask(request, maxPageBytes, asking{trying: "read the history from", refused: "no history"})
	if err != nil {
		return pastPage{}, err
	}
	var page pastPage
	if err := json.Unmarshal([]byte(answer), &page); err != nil {
		return pastPage{}, fmt.Errorf("%s does not answer with a history: %w", h.shownURL(), err)
	}
	return page, nil
}
