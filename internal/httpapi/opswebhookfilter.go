package httpapi

import (
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// mostWebhookIDs is how many webhooks one request may name.
const mostWebhookIDs = 1000

var (
	errWebhookID     = invalid("Invalid id: ids of webhooks are positive numbers")
	errWebhookCursor = invalid("Invalid cursor: it must be next of the page before")
	errWebhookLimit  = invalid(fmt.Sprintf("Invalid limit: it must be 1 to %d", mostWebhookPage))
	errWebhookState  = invalid("Invalid state: it must be waiting or dead")
	errWebhookTimes  = invalid("from must be before to")
	errWebhookIDs    = invalid("Expected ids to be a list of ids, as strings")
	errWebhookAll    = invalid("Expected all to be true, which goes with no other parameter than state")
	errNoSelection   = invalid("Nothing selects the webhooks: give ids, app, endpoint, from or to, or all: true")
)

func errTime(name string) *Error {
	return invalid("Invalid " + name + ": it must be Unix milliseconds or an RFC 3339 time, 1970 to 9999")
}

// webhookQuery is what the query of a list says.
type webhookQuery struct {
	filter WebhookFilter
	after  int64
	limit  int
}

// readWebhookQuery reads a query. What it does not know is refused, so that a
// misspelt filter does not pass for one that selects everything.
func readWebhookQuery(raw string) (q webhookQuery, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, errOpsInQuery
	}
	q.limit = webhookPage
	for name, list := range values {
		if len(list) > 1 {
			return q, invalid("Parameter " + name + " is there twice")
		}
		switch text := list[0]; name {
		case "limit":
			if q.limit, err = strconv.Atoi(text); err != nil || q.limit < 1 || q.limit > mostWebhookPage {
				return q, errWebhookLimit
			}
		case "cursor":
			if q.after, err = webhookID(text); err != nil {
				return q, errWebhookCursor
			}
		default:
			if err := q.filter.set(name, text); err != nil {
				return q, err
			}
		}
	}
	return q, q.filter.check()
}

// readWebhookSelection reads a body that has to select something.
func readWebhookSelection(body []byte) (f WebhookFilter, err error) {
	object, err := parseObject(body)
	if err != nil {
		return f, err
	}
	err = object.Members(func(key []byte, v strictjson.Value) (err error) {
		switch name := string(key); name {
		case "ids":
			f.IDs, err = webhookIDs(v)
			return err
		case "all":
			if string(v) != "true" {
				return errWebhookAll
			}
			f.All = true
			return nil
		default:
			text, ok := v.Text()
			if v.Kind() == strictjson.Number {
				text, ok = string(v), true
			}
			if !ok {
				return invalid("Expected " + name + " to be a string")
			}
			return f.set(name, text)
		}
	})
	if err == nil {
		err = f.check()
	}
	if err != nil {
		return f, err
	}
	narrow := len(f.IDs) > 0 || f.App != "" || f.Endpoint != "" || !f.From.IsZero() || !f.To.IsZero()
	switch {
	case f.All && narrow:
		return f, errWebhookAll
	case !f.All && !narrow:
		return f, errNoSelection
	}
	return f, nil
}

// set sets a field by the name of its parameter. Nothing may be empty: that is
// more likely a variable that was not set than a wish for everything.
func (f *WebhookFilter) set(name, text string) (err error) {
	switch name {
	case "app", "endpoint", "state", "from", "to":
	default:
		return invalid("Unknown parameter " + name)
	}
	if text == "" {
		return invalid("Parameter " + name + " must not be empty")
	}
	switch name {
	case "app":
		f.App = text
	case "endpoint":
		f.Endpoint = text
	case "state":
		f.State = WebhookState(text)
		if f.State != WebhookWaiting && f.State != WebhookDead {
			return errWebhookState
		}
	case "from":
		f.From, err = webhookTime(name, text)
	case "to":
		f.To, err = webhookTime(name, text)
	}
	return err
}

func (f *WebhookFilter) check() error {
	if !f.From.IsZero() && !f.To.IsZero() && !f.From.Before(f.To) {
		return errWebhookTimes
	}
	return nil
}

func webhookIDs(v strictjson.Value) (ids []int64, err error) {
	err = v.Elements(func(v strictjson.Value) error {
		text, ok := v.Text()
		if !ok {
			return errWebhookIDs
		}
		if len(ids) == mostWebhookIDs {
			return invalid(fmt.Sprintf("Too many ids: at most %d", mostWebhookIDs))
		}
		id, err := webhookID(text)
		ids = append(ids, id)
		return err
	})
	if v.Kind() != strictjson.Array || err == nil && len(ids) == 0 {
		return nil, errWebhookIDs
	}
	return ids, err
}

func webhookID(text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, errWebhookID
	}
	return id, nil
}

// webhookTime reads a moment, which is never the zero Time.
func webhookTime(name, text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if ms, digits := strconv.ParseUint(text, 10, 63); digits == nil {
		at, err = time.UnixMilli(int64(ms)), nil
	}
	if err != nil || at.Unix() < 0 || at.Unix() >= year10000 {
		return time.Time{}, errTime(name)
	}
	return at, nil
}

// year10000 is when it begins, in Unix seconds.
const year10000 = 253_402_300_800
