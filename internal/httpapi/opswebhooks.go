package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/go-chi/chi/v5"
)

// WebhookStore is what the operations API asks of the place where webhooks are
// kept. It is used concurrently.
type WebhookStore interface {
	// List returns at most limit webhooks with ids beyond after, by id.
	List(ctx context.Context, f WebhookFilter, after int64, limit int) ([]Webhook, error)
	// Show returns all about one webhook. The error is [ErrNoWebhook] if there is
	// nothing.
	Show(ctx context.Context, id int64) (*WebhookDetail, error)
	// Replay makes dead webhooks wait again. It returns how many, also beside an
	// error.
	Replay(ctx context.Context, f WebhookFilter) (int, error)
	// Drop forgets webhooks. It returns how many, also beside an error.
	Drop(ctx context.Context, f WebhookFilter) (int, error)
}

// ErrNoWebhook says that nothing is known of an id.
var ErrNoWebhook = errors.New("no such webhook")

// WebhookFilter selects webhooks, those that every field allows. Fields that are
// zero allow all.
type WebhookFilter struct {
	IDs      []int64
	App      string
	Endpoint string // the URL, or that without credentials and query
	State    WebhookState
	From, To time.Time // when it was sealed: from From on, before To

	// All says that no other field but State is to narrow the selection. What changes
	// webhooks has either this or another field.
	All bool
}

// WebhookState is what has become of a webhook.
type WebhookState string

// States of webhooks. Filters know the first two.
const (
	WebhookWaiting   WebhookState = "waiting"   // for an attempt, or being attempted
	WebhookDead      WebhookState = "dead"      // given up
	WebhookDelivered WebhookState = "delivered" // only its attempts are kept
	WebhookDeleted   WebhookState = "deleted"   // not delivered; only its attempts are kept
)

// Webhook is one request to a receiver, made or to be made, as the operations API
// shows it. Times are Unix milliseconds, 0 if there is none.
type Webhook struct {
	ID       int64        `json:"id,string"` // 0 < ID
	App      string       `json:"app"`
	Endpoint string       `json:"endpoint"` // URL without credentials and query
	State    WebhookState `json:"state"`
	SealedMS int64        `json:"sealed_ms"`        // when it was made
	Events   int          `json:"events,omitempty"` // in the body
	Bytes    int          `json:"bytes,omitempty"`  // of the body
	Failures int          `json:"failures"`         // attempts so far
	DueMS    int64        `json:"due_ms,omitempty"` // of the next attempt
	DiedMS   int64        `json:"died_ms,omitempty"`
	Reason   string       `json:"reason,omitempty"` // why it is dead
}

// WebhookDetail is all that is known of a webhook.
type WebhookDetail struct {
	Webhook
	Delivery string           `json:"delivery,omitempty"` // its name for the receiver
	Body     string           `json:"body,omitempty"`     // as it was sent
	Attempts []WebhookAttempt `json:"attempts"`           // those that are kept, oldest first
}

// WebhookAttempt is one attempt to deliver a webhook.
type WebhookAttempt struct {
	AtMS    int64   `json:"at_ms"`   // Unix milliseconds
	TookMS  float64 `json:"took_ms"` // milliseconds
	Outcome string  `json:"outcome"`
	Status  int     `json:"status,omitempty"` // 0 without an answer
	Answer  string  `json:"answer,omitempty"` // the beginning of its body
	Error   string  `json:"error,omitempty"`  // "" with an answer
}

// Webhooks of one page.
const (
	webhookPage     = 100
	mostWebhookPage = 500
)

var (
	errNotKept       = &Error{http.StatusNotImplemented, "Webhooks are kept in memory only, where nobody can look: set data_dir (PIPESOCKETD_DATA_DIR) and restart"}
	errNoWebhook     = &Error{http.StatusNotFound, "No such webhook: nothing is known of this id any more"}
	errReplayWaiting = invalid("Only dead webhooks can be replayed: leave state out or make it dead")
)

// webhookList is the answer to listWebhooks.
type webhookList struct {
	Webhooks []Webhook `json:"webhooks"`
	Next     string    `json:"next,omitempty"` // the cursor of the next page
}

func (a *opsAPI) listWebhooks(r *http.Request) (any, error) {
	if a.webhooks == nil {
		return nil, errNotKept
	}
	q, err := readWebhookQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	found, err := a.webhooks.List(r.Context(), q.filter, q.after, q.limit+1)
	if err != nil {
		return nil, err
	}
	page := webhookList{Webhooks: found}
	if len(found) > q.limit {
		page.Webhooks = found[:q.limit]
		page.Next = strconv.FormatInt(found[q.limit-1].ID, 10)
	}
	if page.Webhooks == nil {
		page.Webhooks = []Webhook{}
	}
	return page, nil
}

func (a *opsAPI) showWebhook(r *http.Request) (any, error) {
	if a.webhooks == nil {
		return nil, errNotKept
	}
	id, err := webhookID(chi.URLParam(r, "id"))
	if err != nil {
		return nil, err
	}
	found, err := a.webhooks.Show(r.Context(), id)
	if errors.Is(err, ErrNoWebhook) {
		return nil, errNoWebhook
	}
	return found, err
}

func (a *opsAPI) replayWebhooks(r *http.Request) (any, error) {
	return a.change(r, "replayed", func(ctx context.Context, f WebhookFilter) (int, error) {
		if f.State == WebhookWaiting {
			return 0, errReplayWaiting
		}
		f.State = WebhookDead
		return a.webhooks.Replay(ctx, f)
	})
}

func (a *opsAPI) dropWebhooks(r *http.Request) (any, error) {
	return a.change(r, "dropped", func(ctx context.Context, f WebhookFilter) (int, error) {
		return a.webhooks.Drop(ctx, f)
	})
}

// change answers with how many webhooks have been changed.
func (a *opsAPI) change(r *http.Request, done string, do func(context.Context, WebhookFilter) (int, error)) (any, error) {
	if a.webhooks == nil {
		return nil, errNotKept
	}
	body, err := readBody(nil, r, maxOpsBody)
	if err != nil {
		return nil, err
	}
	f, err := readWebhookSelection(body)
	if err != nil {
		return nil, err
	}
	n, err := do(r.Context(), f)
	if n > 0 {
		a.log.Info("webhooks changed by an operator", slog.String("change", done), slog.Int("webhooks", n))
	}
	if err != nil && n > 0 {
		a.log.Error("operations API", slog.String("path", r.URL.Path), slog.Any("error", err))
		return nil, &Error{http.StatusInternalServerError, fmt.Sprintf("Internal error, told by the log, after %d webhooks were %s", n, done)}
	}
	return map[string]int{done: n}, err
}

// encodeJSON encodes a value; characters of HTML stay as they are.
func encodeJSON(value any) ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("encode answer: %w", err)
	}
	return out.Bytes(), nil
}
