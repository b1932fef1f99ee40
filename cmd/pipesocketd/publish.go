package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// event is the body of a trigger request (docs/protocol.md §7.3).
type event struct {
	Name     string   `json:"name"`
	Channels []string `json:"channels"`
	Data     string   `json:"data"`
	SocketID string   `json:"socket_id,omitempty"`
	Info     string   `json:"info,omitempty"`
}

// send publishes the event and returns the server's answer. ctx must have a
// deadline.
func (t *trigger) send(ctx context.Context) (string, error) {
	request, err := t.request(ctx, time.Now())
	if err != nil {
		return "", err
	}
	return t.ask(request, maxAnswer, asking{trying: "publish to", refused: "not published"})
}

// request signs the event for the app.
func (t *trigger) request(ctx context.Context, now time.Time) (*http.Request, error) {
	body := new(bytes.Buffer)
	encoder := json.NewEncoder(body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(t.event); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	return t.signed(ctx, http.MethodPost, "events", nil, body.Bytes(), now)
}
