package conformance

import (
	"bytes"
	"compress/flate"
	"io"
	"net/http"
	"strings"
	"testing"
)

const rsv1 = 0x40

// deflateWire is a wire whose server may compress.
type deflateWire struct {
	*wire
	app      app
	socketID string
}

// arrival is one text message of the server.
type arrival struct {
	frame
	compressed bool
	payload    []byte // as it came
}

// deflateDial connects with these Sec-WebSocket-Extensions lines, and returns
// the answer to them.
func deflateDial(t testing.TB, s *server, a app, offers ...string) (w *deflateWire, answer string) {
	t.Helper()
	var headers []string
	for _, offer := range offers {
		headers = append(headers, "Sec-WebSocket-Extensions: "+offer)
	}
	w = &deflateWire{wire: wireOf(s.dialTCP(t)), app: a}
	w.put(t, []byte(upgradeRequest(s, s.mount+"/app/"+a.key+"?"+defaultQuery, headers...)))
	w.deadline(t, 2*patience)
	response, err := http.ReadResponse(w.in, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: %v, %+v", err, response)
	}
	var body struct {
		SocketID string `json:"socket_id"`
	}
	w.expect(t, "pusher:connection_established", "").into(t, &body)
	w.socketID = body.SocketID
	return w, strings.Join(response.Header.Values("Sec-WebSocket-Extensions"), ", ")
}

// subscribe subscribes to a channel other than a presence channel.
func (w *deflateWire) subscribe(t testing.TB, channel string) {
	t.Helper()
	data := object{"channel": channel}
	if strings.HasPrefix(channel, "private-") {
		data["auth"] = w.app.auth(w.socketID, channel)
	}
	w.say(t, marshal(t, object{"event": "pusher:subscribe", "data": data}))
	w.expect(t, "pusher_internal:subscription_succeeded", channel)
}

// expect takes the next message, which must have this event and channel.
func (w *deflateWire) expect(t testing.TB, event, channel string) arrival {
	t.Helper()
	got := w.message(t)
	if got.Event != event || got.channel() != channel {
		t.Fatalf("got %s, want event %q on channel %q", got.raw, event, channel)
	}
	return got
}

// message reads one message, which must be one whole text frame. Only those of
// data may be compressed, and only as a whole.
func (w *deflateWire) message(t testing.TB) arrival {
	t.Helper()
	w.deadline(t, patience)
	first, err := w.in.Peek(1)
	if err != nil {
		t.Fatalf("read a frame: %v", err)
	}
	if first[0] != fin|rsv1|opText {
		f := w.text(t)
		return arrival{frame: f, payload: []byte(f.raw)}
	}
	payload := w.compressedPayload(t)
	return arrival{frame: decode(t, inflated(t, payload)), compressed: true, payload: payload}
}

// compressedPayload reads a frame that begins with RSV1, an opcode and a length
// in the shortest form.
func (w *deflateWire) compressedPayload(t testing.TB) []byte {
	t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil || head[1]&0x80 != 0 {
		t.Fatalf("read a header: %x, %v", head, err)
	}
	length, err := w.length(head[1])
	if err != nil {
		t.Fatalf("read a length: %v", err)
	}
	if form := frameHeader(head[0], 0, int(length))[1]; form != head[1] {
		t.Fatalf("length %d is not in its shortest form", length)
	}
	payload := make([]byte, length)
	if _, err := io.ReadFull(w.in, payload); err != nil {
		t.Fatalf("read a payload: %v", err)
	}
	return payload
}

// inflated returns the text of a compressed payload that stands for itself.
func inflated(t testing.TB, payload []byte) []byte {
	t.Helper()
	// What the sender leaves away, and an empty last block.
	whole := bytes.NewReader(append(bytes.Clone(payload), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	text, err := io.ReadAll(flate.NewReader(whole))
	if err != nil || whole.Len() > 0 {
		t.Fatalf("inflate %d bytes: %v, %d left", len(payload), err, whole.Len())
	}
	return text
}

// deflated returns the payload of a compressed message.
func deflated(text string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression) // fails only on an unknown level
	_, _ = io.WriteString(w, text)
	_ = w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

// prose returns text of exactly this many bytes, without need of escapes, that
// shrinks well.
func prose(size int) string {
	const line = "The quick brown fox jumps over the lazy dog, order 66 shipped at 12:34:56. "
	return strings.Repeat(line, size/len(line)+1)[:size]
}
