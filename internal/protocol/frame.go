package protocol

import (
	"errors"
	"fmt"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// ErrInvalidFrame is returned by [ParseFrame] for a text that is not a frame.
var ErrInvalidFrame = errors.New("frame is not a JSON object with a string event")

// Frame is one message from a client: the envelope, not yet interpreted. Its
// values share memory with the text it was parsed from. Keys of other names,
// among them user_id, are dropped here: a client cannot speak for the server.
type Frame struct {
	Event   string
	Channel strictjson.Value
	Data    strictjson.Value
}

// ParseFrame reads one client message (§2.1). Nulls are absent values.
func ParseFrame(text []byte) (Frame, error) {
	var f Frame
	envelope, err := strictjson.Parse(text)
	if err != nil {
		return f, fmt.Errorf("%w: %w", ErrInvalidFrame, err)
	}
	named := false
	err = envelope.Members(func(key []byte, value strictjson.Value) error {
		switch string(key) {
		case "event":
			f.Event, named = value.Text()
		case "channel":
			f.Channel = present(value)
		case "data":
			f.Data = present(value)
		}
		return nil
	})
	if err != nil {
		return f, fmt.Errorf("%w: %w", ErrInvalidFrame, err)
	}
	if !named {
		return f, ErrInvalidFrame
	}
	return f, nil
}

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
