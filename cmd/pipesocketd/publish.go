package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
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
	status, body, err := exchange(request)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "", fmt.Errorf("nothing listens at %s: is the server running, and is that its address?", t.shownURL())
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("no answer from %s within %s", t.shownURL(), triggerTimeout)
	case err != nil:
		// The error of the client repeats the URL, with the signature in it.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return "", fmt.Errorf("publish to %s: %w", t.shownURL(), err)
	case status < 200 || status > 299:
		return "", fmt.Errorf("not published: %s", answerText(status, body))
	}
	return body, nil
}

// shownURL is the server's URL without a password in it.
func (t *trigger) shownURL() string {
	u, err := url.Parse(t.url)
	if err != nil {
		return "the server"
	}
	return u.Redacted()
}

// request signs the event for the app.
func (t *trigger) request(ctx context.Context, now time.Time) (*http.Request, error) {
	base, err := url.Parse(t.url)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("--url must be an http or https URL with a host")
	}
	body := new(bytes.Buffer)
	encoder := json.NewEncoder(body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(t.event); err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	target := base.JoinPath("apps", url.PathEscape(t.appID), "events")
	pair := auth.Key{Key: t.key, Secret: auth.Secret(t.secret)}
	path := target.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	target.RawQuery = auth.SignedQuery(pair, http.MethodPost, path, nil, body.Bytes(), now)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}
