package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// envelopeStart is how most servers begin every message.
var envelopeStart = []byte(`{"event":"`)

// envelopeEvent stands once in a message whose data is a string: there its
// quotes are escaped.
var envelopeEvent = envelopeStart[1:]

// eventName returns the name of a message's event, nil if it has none. Only
// messages that are written unusually are parsed.
func eventName(msg []byte) []byte {
	rest, ok := bytes.CutPrefix(msg, envelopeStart)
	if !ok {
		_, rest, ok = bytes.Cut(msg, envelopeEvent)
		ok = ok && !bytes.Contains(rest, envelopeEvent) && !bytes.Contains(msg, nestedData)
	}
	if ok {
		if end := bytes.IndexAny(rest, `"\`); end >= 0 && rest[end] == '"' {
			return rest[:end]
		}
	}
	var envelope struct {
		Event string `json:"event"`
	}
	if json.Unmarshal(msg, &envelope) != nil {
		return nil
	}
	return []byte(envelope.Event)
}

// nestedData begins data that is no string, in which anything may stand.
var nestedData = []byte(`"data":{`)

// reservedPrefix begins the names of the protocol's own events.
var reservedPrefix = []byte("pusher")

// stringData decodes the data of a message: JSON in a string.
func stringData(msg []byte, into any) error {
	var envelope struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(msg, &envelope); err != nil {
		return fmt.Errorf("read message: %w", err)
	}
	data := envelope.Data
	var text string
	if json.Unmarshal(data, &text) == nil {
		data = []byte(text)
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("read data of message: %w", err)
	}
	return nil
}

// errorText makes one line of a pusher:error or subscription_error message.
func errorText(msg []byte) string {
	var data struct {
		Code    json.RawMessage `json:"code"`
		Message string          `json:"message"`
		Error   string          `json:"error"`
	}
	if stringData(msg, &data) != nil {
		return clip(string(msg))
	}
	text := data.Message + data.Error
	if code := string(data.Code); code != "" && code != "null" {
		text = code + " " + text
	}
	return clip(text)
}

// clip makes what a server sent fit for one line of a report.
func clip(text string) string {
	const most = 200
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.TrimSpace(text)
}

// quote returns text as a JSON string.
func quote(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // strings and buffers do not fail
	return strings.TrimSuffix(b.String(), "\n")
}
