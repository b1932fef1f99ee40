package conformance

import (
	"bytes"
	"encoding/json"
	"testing"
)

// frame is one message from the server.
type frame struct {
	raw     string          // the exact text
	Event   string          `json:"event"`
	Channel *string         `json:"channel"`
	Data    json.RawMessage `json:"data"`
	UserID  *string         `json:"user_id"`
}

// decode parses a frame and fails the test if it breaks §2.1 or §2.3: every
// frame of the whole suite passes here.
func decode(t testing.TB, raw []byte) frame {
	t.Helper()
	f := frame{raw: string(raw)}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil || d.More() {
		t.Fatalf("frame is not one JSON object of the known keys: %v\n%s", err, raw)
	}
	if f.Event == "" {
		t.Fatalf("frame without event: %s", raw)
	}
	if f.Event == "pusher:error" {
		f.errorBody(t)
		return f
	}
	if len(f.Data) == 0 || f.Data[0] != '"' {
		t.Fatalf("data is not a JSON string: %s", raw)
	}
	return f
}

// channel returns the channel, "" for none.
func (f frame) channel() string {
	if f.Channel == nil {
		return ""
	}
	return *f.Channel
}

// text returns the data string.
func (f frame) text(t testing.TB) string {
	t.Helper()
	var s string
	if err := json.Unmarshal(f.Data, &s); err != nil {
		t.Fatalf("data is not a string: %s", f.raw)
	}
	return s
}

// into decodes the JSON inside the data string.
func (f frame) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(f.text(t)), v); err != nil {
		t.Fatalf("data of %s: %v", f.raw, err)
	}
}

// errorBody is the data of pusher:error. Code is 0 for null.
type errorBody struct {
	Code    int
	Message string
}

func (f frame) errorBody(t testing.TB) errorBody {
	t.Helper()
	var body struct {
		Code    *json.RawMessage `json:"code"`
		Message *string          `json:"message"`
	}
	d := json.NewDecoder(bytes.NewReader(f.Data))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil || body.Message == nil || f.Channel != nil || f.UserID != nil {
		t.Fatalf("malformed pusher:error: %v\n%s", err, f.raw)
	}
	// A null code is a nil pointer, like an absent one: only the text tells.
	if body.Code == nil {
		if !bytes.Contains(f.Data, []byte(`"code":null`)) {
			t.Fatalf("pusher:error without code: %s", f.raw)
		}
		return errorBody{Message: *body.Message}
	}
	code := 0
	if err := json.Unmarshal(*body.Code, &code); err != nil || code == 0 {
		t.Fatalf("code of pusher:error is no integer: %s", f.raw)
	}
	return errorBody{Code: code, Message: *body.Message}
}

// quote returns s as a JSON string token without HTML escaping.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s)
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// marshal returns v as compact JSON without HTML escaping.
func marshal(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
