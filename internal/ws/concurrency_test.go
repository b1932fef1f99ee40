package ws

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/session"
)

var tcpPair = auth.Key{Key: "k", Secret: "s"}

// Over real sockets: clients that end in every way, while events, terminations
// and a drain come from the other side.
func TestEndingsFromBothSides(t *testing.T) {
	const clients, rounds = 8, 25
	app := apps.Defaults()
	app.ID, app.Keys, app.BacklogBytes = "1", auth.Keys{tcpPair}, 64<<10
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	o := session.Options{Hub: hub.New(hub.Options{Registry: registry}), Log: log, SubscriptionErrorFrames: true}
	handler := New(Options{Registry: registry, Log: log, MessageBytes: 1 << 10, MaxConnections: 1000, Session: o})
	url, stopServer := serveTCP(t, handler)
	defer stopServer()

	stop := make(chan struct{})
	var background, work sync.WaitGroup
	background.Go(func() {
		data := protocol.PayloadOfText(make([]byte, 2_000))
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				o.Hub.Publish(&app, hub.Publication{Channel: "c", Event: "e", Data: data})
				o.Hub.TerminateUser(&app, fmt.Sprint("u", i%(2*clients))) // half of them are nobody
			}
		}
	})
	var lived sync.WaitGroup // before their last connections, which wait for the drain
	for n := range clients {
		lived.Add(1)
		work.Go(func() {
			for round := range rounds {
				if c := dialTCP(t, url, fmt.Sprint("u", n)); c != nil {
					c.end(n + round)
				}
			}
			last := dialTCP(t, url, "stays")
			lived.Done()
			for last != nil && last.receive() == nil {
			}
		})
	}
	lived.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	handler.Drain(ctx, 0)
	work.Wait()
	close(stop)
	background.Wait()
	handler.Wait()
	if n := o.Hub.Channel(&app, "c").Subscriptions; n != 0 || handler.open.Load() != 0 {
		t.Errorf("%d subscriptions and %d connections are left", n, handler.open.Load())
	}
}

func serveTCP(t *testing.T, handler http.Handler) (url string, stop func()) {
	t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(listener) }()
	return "ws://" + listener.Addr().String() + "/app/k?protocol=5", func() {
		_ = server.Close()
		<-served
	}
}

// tcpClient is a client that the server may close at any time.
type tcpClient struct {
	t    *testing.T
	conn *websocket.Conn
}

// dialTCP connects, signs in as the user and subscribes.
func dialTCP(t *testing.T, url, user string) *tcpClient {
	conn, response, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Errorf("dial: %v", err)
		return nil
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	conn.SetReadLimit(-1)
	c := &tcpClient{t: t, conn: conn}
	var m struct{ Data string }
	var established struct {
		SocketID protocol.SocketID `json:"socket_id"`
	}
	_, text, err := conn.Read(t.Context())
	if err != nil || json.Unmarshal(text, &m) != nil || json.Unmarshal([]byte(m.Data), &established) != nil {
		t.Errorf("handshake: %q, %v", text, err)
		return nil
	}
	userData := fmt.Sprintf(`{"id":%q}`, user)
	signin, err := json.Marshal(map[string]any{"event": "pusher:signin", "data": map[string]string{
		"user_data": userData, "auth": auth.Token(tcpPair, auth.UserText(established.SocketID, userData)),
	}})
	if err != nil {
		t.Error(err)
	}
	c.send(websocket.MessageText, string(signin))
	c.send(websocket.MessageText, `{"event":"pusher:subscribe","data":{"channel":"c"}}`)
	return c
}

func (c *tcpClient) send(kind websocket.MessageType, text string) {
	_ = c.conn.Write(c.t.Context(), kind, []byte(text)) // the server may have closed
}

func (c *tcpClient) receive() error {
	_, _, err := c.conn.Read(c.t.Context())
	return err
}

// end ends the connection in one of several ways.
func (c *tcpClient) end(way int) {
	defer func() { _ = c.conn.CloseNow() }()
	for range way % 4 {
		if c.receive() != nil {
			return
		}
	}
	switch way % 5 {
	case 0: // dropped
	case 1:
		_ = c.conn.Close(websocket.StatusNormalClosure, "")
	case 2:
		c.send(websocket.MessageBinary, "x")
	case 3:
		c.send(websocket.MessageText, string(make([]byte, 2<<10))) // over the limit
	case 4:
		c.send(websocket.MessageText, "\xff")
	}
}
