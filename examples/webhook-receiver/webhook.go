package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// Reasons not to believe a webhook.
var (
	errSignature = errors.New("the signature is not that of a known key")
	errBody      = errors.New("the body is no webhook")
	errAge       = errors.New("time_ms is too far from now")
)

// webhook is one request that was believed.
type webhook struct {
	Key    string // of the app that signed it
	TimeMS int64  // Unix milliseconds, when it was made
	ID     []byte // the same for every attempt to deliver it
	Events []event
}

// event is one element of "events". Which fields are set depends on the name.
type event struct {
	Name              string `json:"name"`
	Channel           string `json:"channel"`
	Event             string `json:"event"`
	Data              string `json:"data"`
	SocketID          string `json:"socket_id"`
	UserID            string `json:"user_id"`
	SubscriptionCount *int   `json:"subscription_count"`

	// JSON is the text that all of this was read from. It is what gets stored:
	// fields that come later are kept, and strings may hold a \u0000, which
	// PostgreSQL takes in no column of text.
	JSON string `json:"-"`
}

// verifier decides which webhooks to believe. It is immutable.
type verifier struct {
	secrets map[string]string // by key
	maxAge  time.Duration     // 0 is any
	now     func() time.Time
}

// verify checks the headers of a webhook against its body, byte for byte as it
// came, and then reads the body. Only what is signed gets parsed.
func (v *verifier) verify(key, signature, delivery string, body []byte) (*webhook, error) {
	secret, known := v.secrets[key]
	given, err := hex.DecodeString(signature)
	if !known || err != nil || !hmac.Equal(given, mac(secret, body)) {
		return nil, errSignature
	}
	hook, err := parse(body)
	if err != nil {
		return nil, err
	}
	age := v.now().Sub(time.UnixMilli(hook.TimeMS))
	if v.maxAge > 0 && age.Abs() > v.maxAge {
		return nil, errAge
	}
	hook.Key, hook.ID = key, identify(delivery, body)
	return hook, nil
}

// identify tells deliveries apart: by the name that the server gives them, which
// is not signed but cannot make an old body young, else by their bytes.
func identify(delivery string, body []byte) []byte {
	if delivery != "" {
		body = []byte(delivery)
	}
	digest := sha256.Sum256(body)
	return digest[:]
}

func mac(secret string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return h.Sum(nil)
}

// parse reads a body. Events of unknown names are kept, as new ones may come.
func parse(body []byte) (*webhook, error) {
	var envelope struct {
		TimeMS int64             `json:"time_ms"`
		Events []json.RawMessage `json:"events"`
	}
	if !utf8.Valid(body) {
		return nil, fmt.Errorf("%w: it is not UTF-8", errBody)
	}
	if err := json.Unmarshal(body, &envelope); err != nil {
		return nil, fmt.Errorf("%w: %w", errBody, err)
	}
	if envelope.TimeMS <= 0 || len(envelope.Events) == 0 {
		return nil, fmt.Errorf("%w: it has no time or no events", errBody)
	}
	hook := &webhook{TimeMS: envelope.TimeMS}
	for _, text := range envelope.Events {
		e, err := parseEvent(text)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBody, err)
		}
		hook.Events = append(hook.Events, e)
	}
	return hook, nil
}

func parseEvent(text []byte) (event, error) {
	e := event{JSON: string(text)}
	if err := json.Unmarshal(text, &e); err != nil {
		return event{}, err
	}
	if e.Name == "" || e.Channel == "" {
		return event{}, errors.New("an event has no name or no channel")
	}
	return e, nil
}
