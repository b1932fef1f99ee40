package testkit

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"unicode/utf8"
)

// Opcodes of the frames that a server sends.
const (
	OpText  = 0x1
	OpClose = 0x8
	OpPing  = 0x9
	OpPong  = 0xa
)

// Frame is one decoded server frame.
type Frame struct {
	Op  byte
	Raw string // the payload as it stands on the wire

	// Text frames. Values that are no strings stand as JSON text; a key that is
	// not there has the empty text, and [Frame.Has] tells the difference.
	Event   string
	Channel string
	Data    string
	UserID  string

	// Close frames; Code is 0 for one without payload.
	Code   int
	Reason string

	fields map[string]json.RawMessage
}

// Has reports whether the object of a text frame has the key.
func (f Frame) Has(key string) bool {
	_, ok := f.fields[key]
	return ok
}

// Field returns the JSON text of a key of a text frame, "" if it is not there.
func (f Frame) Field(key string) string { return string(f.fields[key]) }

// Frames decodes server frames that follow one another, and fails the test if
// w is anything else (see [ParseFrames]).
func Frames(t testing.TB, w []byte) []Frame {
	t.Helper()
	frames, err := ParseFrames(w)
	if err != nil {
		t.Fatalf("bytes are not server frames: %v\n%q", err, w)
	}
	return frames
}

// ParseFrames decodes server frames that follow one another. Refused are what
// RFC 6455 forbids a server to send (masks, reserved bits and opcodes, lengths
// in a longer form than needed, long control frames, bad close payloads), what
// this server never sends (fragments, binary), and text that is not one JSON
// object with a string event.
func ParseFrames(w []byte) ([]Frame, error) {
	var frames []Frame
	for rest := w; len(rest) > 0; {
		op, payload, size, err := cutFrame(rest)
		if err != nil {
			return nil, fmt.Errorf("read frame %d: %w", len(frames), err)
		}
		f, err := decodeFrame(op, payload)
		if err != nil {
			return nil, fmt.Errorf("decode frame %d: %w", len(frames), err)
		}
		frames = append(frames, f)
		rest = rest[size:]
	}
	return frames, nil
}

// cutFrame reads the header on its own account, so that tests of the encoder do
// not use the encoder's idea of one.
func cutFrame(b []byte) (op byte, payload []byte, size int, err error) {
	if len(b) < 2 {
		return 0, nil, 0, errors.New("header is cut off")
	}
	if b[0]&0xf0 != 0x80 {
		return 0, nil, 0, fmt.Errorf("first byte %#02x: fragment or reserved bits", b[0])
	}
	if b[1]&0x80 != 0 {
		return 0, nil, 0, errors.New("frame is masked")
	}
	op = b[0] & 0x0f
	length, header := uint64(b[1]), 2
	switch {
	case length == 126 && len(b) >= 4:
		length, header = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case length == 127 && len(b) >= 10:
		length, header = binary.BigEndian.Uint64(b[2:]), 10
	case length >= 126:
		return 0, nil, 0, errors.New("length is cut off")
	}
	switch {
	case header == 4 && length < 126, header == 10 && length <= 0xffff:
		return 0, nil, 0, fmt.Errorf("length %d is not in its shortest form", length)
	case op >= OpClose && header != 2:
		return 0, nil, 0, fmt.Errorf("control frame of %d bytes", length)
	case uint64(len(b)-header) < length:
		return 0, nil, 0, fmt.Errorf("payload of %d bytes is cut off", length)
	}
	size = header + int(length)
	return op, b[header:size], size, nil
}

func decodeFrame(op byte, payload []byte) (Frame, error) {
	f := Frame{Op: op, Raw: string(payload)}
	switch op {
	case OpText:
		return f, f.decodeText(payload)
	case OpClose:
		return f, f.decodeClose(payload)
	case OpPing, OpPong:
		return f, nil
	}
	return f, fmt.Errorf("opcode %#x is never sent", op)
}

func (f *Frame) decodeText(payload []byte) error {
	if !utf8.Valid(payload) {
		return errors.New("text is not UTF-8")
	}
	if err := json.Unmarshal(payload, &f.fields); err != nil {
		return fmt.Errorf("decode text: %w", err)
	}
	if event := f.fields["event"]; len(event) == 0 || event[0] != '"' {
		return errors.New("text has no string event")
	}
	f.Event, f.Channel = text(f.fields["event"]), text(f.fields["channel"])
	f.Data, f.UserID = text(f.fields["data"]), text(f.fields["user_id"])
	return nil
}

// text returns the content of a JSON string and any other value as it is.
func text(value json.RawMessage) string {
	var s string
	if len(value) == 0 || value[0] != '"' || json.Unmarshal(value, &s) != nil {
		return string(value)
	}
	return s
}

func (f *Frame) decodeClose(payload []byte) error {
	if len(payload) == 0 {
		return nil
	}
	if len(payload) == 1 || !utf8.Valid(payload[2:]) {
		return errors.New("close payload is not a code and a UTF-8 reason")
	}
	f.Code, f.Reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
	if f.Code < 1000 || f.Code > 4999 || f.Code == 1005 || f.Code == 1006 || f.Code == 1015 {
		return fmt.Errorf("close code %d must not be sent", f.Code)
	}
	return nil
}
