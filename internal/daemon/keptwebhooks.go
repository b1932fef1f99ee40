package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/webhook"
	"github.com/pipesocket/pipesocketd/internal/webhook/journal"
)

// keptWebhooks shows the journal to the operations API.
type keptWebhooks struct{ journal *journal.Journal }

var _ httpapi.WebhookStore = keptWebhooks{}

// List implements httpapi.WebhookStore.
func (k keptWebhooks) List(ctx context.Context, f httpapi.WebhookFilter, after int64, limit int) ([]httpapi.Webhook, error) {
	entries, err := k.journal.List(ctx, filterOf(f), journal.Page{After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	all := make([]httpapi.Webhook, len(entries))
	for i, e := range entries {
		all[i] = shownWebhook(e)
	}
	return all, nil
}

// Show implements httpapi.WebhookStore.
func (k keptWebhooks) Show(ctx context.Context, id int64) (*httpapi.WebhookDetail, error) {
	found, err := k.journal.Show(ctx, id)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, httpapi.ErrNoWebhook
	}
	if err != nil {
		return nil, err
	}
	d := &httpapi.WebhookDetail{Body: string(found.Body), Attempts: []httpapi.WebhookAttempt{}}
	if found.Entry != nil {
		d.Webhook = shownWebhook(*found.Entry)
		d.Delivery = (&webhook.Payload{ID: id, Body: found.Body}).Delivery()
	} else {
		d.Webhook = goneWebhook(id, found.Attempts)
	}
	for _, a := range found.Attempts {
		d.Attempts = append(d.Attempts, httpapi.WebhookAttempt{
			AtMS:    a.At.UnixMilli(),
			TookMS:  float64(a.Took.Microseconds()) / 1000,
			Outcome: a.Outcome,
			Status:  a.Status,
			Answer:  string(a.Answer),
			Error:   a.Error,
		})
	}
	return d, nil
}

// Replay implements httpapi.WebhookStore.
func (k keptWebhooks) Replay(ctx context.Context, f httpapi.WebhookFilter) (int, error) {
	return k.journal.Replay(ctx, filterOf(f))
}

// Drop implements httpapi.WebhookStore.
func (k keptWebhooks) Drop(ctx context.Context, f httpapi.WebhookFilter) (int, error) {
	return k.journal.Drop(ctx, filterOf(f))
}

func filterOf(f httpapi.WebhookFilter) journal.Filter {
	to := journal.Filter{IDs: f.IDs, App: f.App, Endpoint: f.Endpoint, From: f.From, To: f.To}
	switch f.State {
	case httpapi.WebhookWaiting:
		to.State = journal.Waiting
	case httpapi.WebhookDead:
		to.State = journal.Dead
	default: // any
	}
	if f.All {
		to.From = time.Unix(0, 0) // before all; the journal wants to be told that everything is meant
	}
	return to
}

func shownWebhook(e journal.Entry) httpapi.Webhook {
	return httpapi.Webhook{
		ID:       e.ID,
		App:      e.App,
		Endpoint: e.Endpoint,
		State:    httpapi.WebhookState(e.State.String()),
		SealedMS: e.Sealed.UnixMilli(),
		Events:   e.Events,
		Bytes:    e.Bytes,
		Failures: e.Failures,
		DueMS:    shownTime(e.Due),
		DiedMS:   shownTime(e.Died),
		Reason:   e.Reason,
	}
}

func shownTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// goneWebhook is what attempts tell of a webhook that is not kept any more.
func goneWebhook(id int64, attempts []journal.Attempt) httpapi.Webhook {
	w := httpapi.Webhook{
		ID:       id,
		App:      attempts[0].App,
		Endpoint: attempts[0].Endpoint,
		State:    httpapi.WebhookDeleted,
		SealedMS: time.UnixMicro(id).UnixMilli(), // ids are times
	}
	for _, a := range attempts {
		switch webhook.Outcome(a.Outcome) {
		case webhook.Delivered:
			w.State = httpapi.WebhookDelivered
		case webhook.Aborted: // counts as not made
		default:
			w.Failures++
		}
	}
	return w
}
