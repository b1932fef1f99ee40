package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"
)

// defaultQuery is what pusher-js 8 sends.
const defaultQuery = "protocol=7&client=js&version=8.4.0&flash=false"

// target says what to dial. The zero value of a field means the usual.
type target struct {
	app          app
	path         string // instead of mount + /app/KEY
	query        string // instead of defaultQuery; "-" for none
	header       http.Header
	subprotocols []string
}

// client is one WebSocket connection. Its methods belong to one goroutine; a
// reader of its own takes frames off the socket all the time, so that control
// frames are answered.
type client struct {
	app      app
	socketID string         // set by connect
	response *http.Response // of the upgrade

	conn  *websocket.Conn
	in    chan incoming // closed by the reader after the error
	pings atomic.Int64  // control PINGs from the server
	log   []string      // texts received through recv, in order
}

type incoming struct {
	kind websocket.MessageType
	text []byte
	err  error
}

// connect opens a connection to the app and takes its handshake frame.
func connect(t testing.TB, s *server, a app) *client {
	t.Helper()
	return dial(t, s, target{app: a}).established(t)
}

// connectVersion is connect for another protocol version.
func connectVersion(t testing.TB, s *server, a app, version int) *client {
	t.Helper()
	query := fmt.Sprintf("protocol=%d&client=js&version=3.1", version)
	return dial(t, s, target{app: a, query: query}).established(t)
}

// dial opens a connection and leaves its first frame to the test. The
// connection is dropped when the test ends.
func dial(t testing.TB, s *server, to target) *client {
	t.Helper()
	c, err := tryDial(s, to)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(c.drop)
	return c
}

func tryDial(s *server, to target) (*client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	c := &client{app: to.app, in: make(chan incoming, 4096)}
	conn, response, err := websocket.Dial(ctx, s.socketURL(to), &websocket.DialOptions{
		HTTPClient:   s.http,
		HTTPHeader:   to.header,
		Subprotocols: to.subprotocols,
		OnPingReceived: func(context.Context, []byte) bool {
			c.pings.Add(1)
			return true
		},
	})
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(-1)
	c.conn, c.response = conn, response
	go c.read()
	return c, nil
}

// socketURL returns the ws:// or wss:// address of the target.
func (s *server) socketURL(to target) string {
	path, query := to.path, to.query
	if path == "" {
		path = s.mount + "/app/" + to.app.key
	}
	switch query {
	case "":
		query = "?" + defaultQuery
	case "-":
		query = ""
	default:
		query = "?" + query
	}
	return "ws" + strings.TrimPrefix(s.public, "http") + path + query
}

func (c *client) read() {
	defer close(c.in)
	for {
		kind, text, err := c.conn.Read(context.Background())
		c.in <- incoming{kind, text, err}
		if err != nil {
			return
		}
	}
}

// drop closes the TCP connection without ceremony and waits for the reader.
func (c *client) drop() {
	_ = c.conn.CloseNow()
	for range c.in {
	}
}

// leave closes the connection with a close handshake.
func (c *client) leave(t testing.TB) {
	t.Helper()
	// The reader takes the server's close frame, hence the error is not ours.
	_ = c.conn.Close(websocket.StatusNormalClosure, "")
	for range c.in {
	}
}

// next returns what the socket gives next, an error included.
func (c *client) next(t testing.TB, within time.Duration) incoming {
	t.Helper()
	select {
	case got, ok := <-c.in:
		if !ok {
			t.Fatalf("read on a connection that has ended; frames so far:\n%s", strings.Join(c.log, "\n"))
		}
		return got
	case <-time.After(within):
		t.Fatalf("nothing within %v; frames so far:\n%s", within, strings.Join(c.log, "\n"))
		return incoming{}
	}
}

// recv returns the next frame; it must come soon.
func (c *client) recv(t testing.TB) frame {
	t.Helper()
	return c.recvWithin(t, patience)
}

// recvWithin is recv with another deadline.
func (c *client) recvWithin(t testing.TB, within time.Duration) frame {
	t.Helper()
	got := c.next(t, within)
	if got.err != nil {
		t.Fatalf("connection ended, wanted a frame: %v; frames so far:\n%s", got.err, strings.Join(c.log, "\n"))
	}
	if got.kind != websocket.MessageText {
		t.Fatalf("binary frame %x", got.text)
	}
	c.log = append(c.log, string(got.text))
	return decode(t, got.text)
}

// expect takes the next frame, which must have this event and channel ("" for
// none).
func (c *client) expect(t testing.TB, event, channel string) frame {
	t.Helper()
	f := c.recv(t)
	if f.Event != event || f.channel() != channel {
		t.Fatalf("got frame %s, want event %q on channel %q", f.raw, event, channel)
	}
	return f
}

// expectRaw takes the next frame, which must be exactly this text.
func (c *client) expectRaw(t testing.TB, want string) frame {
	t.Helper()
	f := c.recv(t)
	if f.raw != want {
		t.Fatalf("got frame\n%s, want\n%s", f.raw, want)
	}
	return f
}

// expectEvent takes the next frame, which must be this publication.
func (c *client) expectEvent(t testing.TB, event, channel, data string) frame {
	t.Helper()
	f := c.expect(t, event, channel)
	if got := f.text(t); got != data {
		t.Fatalf("got data %q, want %q", got, data)
	}
	return f
}

// expectError takes the next frame, which must be a pusher:error with this code
// (0 for null) and message.
func (c *client) expectError(t testing.TB, code int, message string) {
	t.Helper()
	f := c.expect(t, "pusher:error", "")
	if got := f.errorBody(t); got.Code != code || got.Message != message {
		t.Fatalf("got error %d %q, want %d %q", got.Code, got.Message, code, message)
	}
}

const pongFrame = `{"event":"pusher:pong","data":"{}"}`

// expectNothing proves that nothing is waiting: a pusher:ping is answered by
// the very next frame. For what other connections may cause, first let a
// witness on the same channel receive its copy, or use a sentinel event.
func (c *client) expectNothing(t testing.TB) {
	t.Helper()
	c.send(t, `{"event":"pusher:ping","data":{}}`)
	c.expectRaw(t, pongFrame)
}

// established takes the handshake frame and keeps the socket id.
func (c *client) established(t testing.TB) *client {
	t.Helper()
	f := c.expect(t, "pusher:connection_established", "")
	var body struct {
		SocketID string `json:"socket_id"`
	}
	f.into(t, &body)
	c.socketID = body.SocketID
	return c
}

// closed requires that the server closes now, with no further frame, and
// returns code and reason.
func (c *client) closed(t testing.TB) (int, string) {
	t.Helper()
	return c.closedWithin(t, patience)
}

// closedWithin is closed with another deadline.
func (c *client) closedWithin(t testing.TB, within time.Duration) (int, string) {
	t.Helper()
	got := c.next(t, within)
	if got.err == nil {
		t.Fatalf("got frame %s, want a close", got.text)
	}
	var closing websocket.CloseError
	if !errors.As(got.err, &closing) {
		t.Fatalf("connection ended without a close frame: %v", got.err)
	}
	if len(closing.Reason) > 123 || !utf8.ValidString(closing.Reason) {
		t.Fatalf("close reason of %d bytes: %q", len(closing.Reason), closing.Reason)
	}
	return int(closing.Code), closing.Reason
}

// expectClose requires this close, with no further frame before it.
func (c *client) expectClose(t testing.TB, code int, reason string) {
	t.Helper()
	if gotCode, gotReason := c.closed(t); gotCode != code || gotReason != reason {
		t.Fatalf("closed with %d %q, want %d %q", gotCode, gotReason, code, reason)
	}
}

// send writes one text message as it is.
func (c *client) send(t testing.TB, text string) {
	t.Helper()
	c.write(t, websocket.MessageText, []byte(text))
}

func (c *client) write(t testing.TB, kind websocket.MessageType, data []byte) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, kind, data); err != nil {
		t.Fatalf("write: %v", err)
	}
}

// object is a JSON object that a test builds.
type object map[string]any

// sendEvent writes a frame with an object or any other JSON value as data.
func (c *client) sendEvent(t testing.TB, event string, data any) {
	t.Helper()
	c.send(t, marshal(t, object{"event": event, "data": data}))
}

// clientEvent writes a client event.
func (c *client) clientEvent(t testing.TB, event, channel string, data any) {
	t.Helper()
	c.send(t, marshal(t, object{"event": event, "channel": channel, "data": data}))
}
