package protocol

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// ErrInvalidFrame is returned by [ParseFrame] for a text that is not a frame.
var ErrInvalidFrame = errors.New("frame is not a JSON object with a string event")

// Frame is one message from a client: the envelope, not yet interpreted. Its
// values share memory with the text it was parsed from, so it is good for as
// long as that text, and must not be changed. Keys of other names, among them
// user_id, are dropped here: a client cannot speak for the server.
type Frame struct {
	Event   []byte // decoded
	Channel strictjson.Value
	Data    strictjson.Value
}

// ParseFrame reads one client message (§2.1) in one pass. It does not allocate
// unless the envelope has escapes in its keys or its event, or more than eight
// keys. Nulls are absent values.
// The error wraps [ErrInvalidFrame], and [strictjson.ErrUTF8] besides if the
// text is not valid UTF-8 anywhere: that ends a connection whatever else is
// wrong.
func ParseFrame(text []byte) (Frame, error) {
	var f Frame
	named := false
	err := strictjson.ParseObject(text, func(key []byte, value strictjson.Value) error {
		switch string(key) {
		case "event":
			f.Event, named = value.TextBytes()
		case "channel":
			f.Channel = present(value)
		case "data":
			f.Data = present(value)
		}
		return nil
	})
	if err != nil {
		if !utf8.Valid(text) {
			err = strictjson.ErrUTF8
		}
		return Frame{}, fmt.Errorf("%w: %w", ErrInvalidFrame, err)
	}
	if !named {
		return Frame{}, ErrInvalidFrame
	}
	return f, nil
}

var clientEventPrefix = []byte(ClientEventPrefix)

// IsClientEvent reports whether the frame is an event for the others on a
// channel (§4).
func (f Frame) IsClientEvent() bool { return bytes.HasPrefix(f.Event, clientEventPrefix) }

// Object returns the data of a pusher:* frame as an object. Clients send an
// object, a string that contains one, or nothing, which counts as {}.
func (f Frame) Object() (strictjson.Value, error) {
	data := f.Data
	if data.IsAbsent() {
		return strictjson.Value("{}"), nil
	}
	if inner, ok := data.TextBytes(); ok {
		var err error
		if data, err = strictjson.Parse(inner); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInvalidFrame, err)
		}
	}
	if data.Kind() != strictjson.Object {
		return nil, ErrInvalidFrame
	}
	return data, nil
}

func present(v strictjson.Value) strictjson.Value {
	if v.IsAbsent() {
		return nil
	}
	return v
}
