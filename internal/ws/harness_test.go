package ws

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/session"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// memoryListener accepts in-memory connections, so that a whole server and its
// clients run inside a synctest bubble. They are no sockets: everything that
// leaves goes through the backlog, the portable twin of direct writes.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error   { close(l.closed); return nil }
func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }

func (l *memoryListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// testServer is a handler behind an HTTP server on a memoryListener.
type testServer struct {
	t        *testing.T
	hub      *hub.Hub
	handler  *Handler
	listener *memoryListener
	app      *apps.App
}

// serve starts a server with one app, key "k" and secret "s". It must be called
// inside a synctest bubble, which waits for it to end.
func serve(t *testing.T, change func(*apps.App, *Options)) *testServer {
	t.Helper()
	app := apps.Defaults()
	app.ID, app.Keys, app.ClientEvents = "1", auth.Keys{{Key: "k", Secret: "s"}}, true
	o := Options{Log: slog.New(slog.DiscardHandler), MessageBytes: 64 << 10, MaxConnections: 100}
	o.Session = session.Options{Log: o.Log, SubscriptionErrorFrames: true}
	if change != nil {
		change(&app, &o)
	}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{
		t: t, app: &app, hub: hub.New(hub.Options{Registry: registry}),
		listener: &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})},
	}
	o.Registry, o.Session.Hub = registry, s.hub
	s.handler = New(o)
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: time.Second}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(s.listener) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		s.handler.Drain(ctx, time.Second)
		_ = server.Close()
		s.handler.Wait()
		<-served
	})
	return s
}

// testClient is a WebSocket client that notes what it gets.
type testClient struct {
	t    *testing.T
	conn *websocket.Conn
	id   string // socket id

	pings atomic.Int64
}

type received struct {
	Event, Channel string
	Data           json.RawMessage
}

// connect dials and reads the handshake. With silent, the client answers no
// control frames, since nothing reads them until receive is called.
func (s *testServer) connect(query string) *testClient {
	s.t.Helper()
	c := s.dial(query)
	m := c.receive()
	if m.Event != protocol.EventConnectionEstablished {
		s.t.Fatalf("first frame is %+v", m)
	}
	var text string
	var data struct {
		SocketID string `json:"socket_id"`
	}
	if err := json.Unmarshal(m.Data, &text); err != nil {
		s.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &data); err != nil {
		s.t.Fatal(err)
	}
	c.id = data.SocketID
	return c
}

func (s *testServer) dial(query string) *testClient {
	s.t.Helper()
	c := &testClient{t: s.t}
	transport := &http.Transport{DialContext: s.listener.dial, DisableKeepAlives: true}
	conn, _, err := websocket.Dial(context.Background(), "ws://memory/app/k?"+query, &websocket.DialOptions{
		HTTPClient:     &http.Client{Transport: transport},
		OnPingReceived: func(context.Context, []byte) bool { c.pings.Add(1); return true },
	})
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	c.conn = conn
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return c
}

func (c *testClient) receive() received {
	c.t.Helper()
	_, text, err := c.conn.Read(context.Background())
	if err != nil {
		c.t.Fatalf("receive: %v", err)
	}
	var m received
	if err := json.Unmarshal(text, &m); err != nil {
		c.t.Fatalf("frame %q: %v", text, err)
	}
	return m
}

// readUntilClosed reads, and so answers control frames, until the connection
// ends; it returns the frames and the close code.
func (c *testClient) readUntilClosed() ([]received, int) {
	var all []received
	for {
		_, text, err := c.conn.Read(context.Background())
		if err != nil {
			return all, int(websocket.CloseStatus(err))
		}
		var m received
		if err := json.Unmarshal(text, &m); err != nil {
			c.t.Fatalf("frame %q: %v", text, err)
		}
		all = append(all, m)
	}
}

func (c *testClient) send(text string) {
	c.t.Helper()
	if err := c.conn.Write(context.Background(), websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}
