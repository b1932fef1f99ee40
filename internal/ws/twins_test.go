package ws

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/netpoll"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/session"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// socketServer is a handler behind real sockets.
type socketServer struct {
	t        *testing.T
	handler  *Handler
	listener net.Listener
	secure   bool
	version  uint16 // of TLS, at most; 0: the latest
}

// onTwins runs a test on every kind of socket, with loops and without.
func onTwins(t *testing.T, test func(t *testing.T, s *socketServer)) {
	t.Helper()
	onTwinsWith(t, nil, test)
}

// onTwinsWith is onTwins for an app with other settings.
func onTwinsWith(t *testing.T, change func(*apps.App), test func(t *testing.T, s *socketServer)) {
	for _, network := range []string{"tcp", "unix", "tls", "tls 1.2"} {
		for _, goroutines := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, goroutines=%t", network, goroutines), func(t *testing.T) {
				test(t, serveSockets(t, network, goroutines, change))
			})
		}
	}
}

func serveSockets(t *testing.T, network string, goroutines bool, change func(*apps.App)) *socketServer {
	t.Helper()
	app := apps.Defaults()
	app.ID, app.Keys, app.ClientEvents, app.ClientEventRate = "1", auth.Keys{{Key: "k", Secret: "s"}}, true, 1_000_000
	app.BacklogBytes = 8 << 20
	if change != nil {
		change(&app)
	}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	o := session.Options{Hub: hub.New(hub.Options{Registry: registry}), Log: log, SubscriptionErrorFrames: true}
	s := &socketServer{t: t, secure: strings.HasPrefix(network, "tls")}
	if network == "tls 1.2" {
		s.version = tls.VersionTLS12
	}
	s.handler = New(Options{
		Registry: registry, Log: log, MessageBytes: 64 << 10, MaxConnections: 1000, Session: o, Goroutines: goroutines,
	})
	kind, address := "tcp", "127.0.0.1:0"
	if network == "unix" {
		kind, address = "unix", t.TempDir()+"/socket"
	}
	var config net.ListenConfig
	if s.listener, err = config.Listen(t.Context(), kind, address); err != nil {
		t.Fatal(err)
	}
	served := s.listener
	if s.secure {
		served = tls.NewListener(netpoll.Under(served), &tls.Config{Certificates: []tls.Certificate{testkit.Certificate(t)}})
	}
	server := &http.Server{Handler: s.handler, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(served) }()
	t.Cleanup(func() {
		s.handler.Drain(t.Context(), 0) // drops what is left: the test's context has ended
		_ = server.Close()
		<-done
		s.handler.Wait()
	})
	return s
}

// dial connects and returns the stream behind the handshake.
func (s *socketServer) dial() net.Conn {
	s.t.Helper()
	conn := s.dialSocket()
	if s.secure {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MaxVersion: s.version})
	}
	s.upgrade(conn)
	return conn
}

func (s *socketServer) dialSocket() net.Conn {
	s.t.Helper()
	var dialer net.Dialer
	conn, err := dialer.DialContext(s.t.Context(), s.listener.Addr().Network(), s.listener.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return conn
}

// upgrade makes the WebSocket handshake.
func (s *socketServer) upgrade(conn net.Conn) {
	s.t.Helper()
	if _, err := conn.Write([]byte("GET /app/k?protocol=7 HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")); err != nil {
		s.t.Fatal(err)
	}
	one := make([]byte, 1)
	for head := ""; !strings.HasSuffix(head, "\r\n\r\n"); head += string(one) {
		if _, err := conn.Read(one); err != nil {
			s.t.Fatalf("handshake: %v", err)
		}
	}
}

// frameReader reads the server's frames one by one.
type frameReader struct {
	t      *testing.T
	conn   net.Conn
	unread []byte
}

func (r *frameReader) next() testkit.Frame {
	r.t.Helper()
	buf := make([]byte, 16<<10)
	for {
		if n := protocol.Wire(r.unread).FrameLen(); n > 0 {
			frame := testkit.Frames(r.t, r.unread[:n])[0]
			r.unread = r.unread[n:]
			return frame
		}
		n, err := r.conn.Read(buf)
		r.unread = append(r.unread, buf[:n]...)
		if err != nil && n == 0 {
			r.t.Fatalf("read: %v", err)
		}
	}
}

func (r *frameReader) nextEvent(name string) testkit.Frame {
	r.t.Helper()
	for {
		if f := r.next(); f.Event == name {
			return f
		}
	}
}

// subscribe joins the channel private-x and returns when that is acknowledged.
func subscribe(t *testing.T, conn net.Conn) *frameReader {
	t.Helper()
	r := &frameReader{t: t, conn: conn}
	established := r.nextEvent(protocol.EventConnectionEstablished)
	_, rest, _ := strings.Cut(established.Data, `"socket_id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	token := auth.Token(auth.Key{Key: "k", Secret: "s"}, auth.ChannelText(protocol.SocketID(id), "private-x", nil))
	text := fmt.Sprintf(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":%q}}`, token)
	if _, err := conn.Write(textFrame(0x81, text)); err != nil {
		t.Fatal(err)
	}
	r.nextEvent(protocol.EventSubscriptionSucceeded)
	return r
}

// textFrame returns a client frame with a mask of zeros.
func textFrame(first byte, payload string) []byte {
	b := clientFrame(first, len(payload))
	at := len(b) - len(payload)
	clear(b[at-4 : at])
	copy(b[at:], payload)
	return b
}

// What a client sends is carried out once and in order however its bytes are cut,
// fragmented and mixed with control frames, and reaches everybody else once and
// in that order.
func TestMessagesArriveHoweverTheyAreSent(t *testing.T) { // P-061
	const events, senders, receivers = 150, 3, 3
	onTwins(t, func(t *testing.T, s *socketServer) {
		var all []*frameReader
		for range senders + receivers {
			all = append(all, subscribe(t, s.dial()))
		}
		var work sync.WaitGroup
		for n := range senders {
			work.Go(func() { sendCut(t, all[n].conn, n, events) })
		}
		for n, r := range all {
			work.Go(func() {
				next := make(map[int]int)
				expected := senders * events
				if n < senders {
					expected -= events // not its own
				}
				for range expected {
					f := r.nextEvent("client-e")
					var from, i int
					if _, err := fmt.Sscanf(strings.Trim(f.Data, "x"), "%d %d ", &from, &i); err != nil || i != next[from] || from == n {
						t.Errorf("connection %d: got event %q, want %d of its sender", n, f.Data[:min(20, len(f.Data))], next[from])
						return
					}
					next[from]++
				}
			})
		}
		work.Wait()
	})
}

// sendCut sends numbered events in random pieces.
func sendCut(t *testing.T, conn net.Conn, from, events int) {
	r := rand.New(rand.NewPCG(1, uint64(from)))
	var pending []byte
	for i := range events {
		text := fmt.Sprintf(`{"event":"client-e","channel":"private-x","data":"%d %d %s"}`, from, i, strings.Repeat("x", r.IntN(1+r.IntN(9_000))))
		if r.IntN(3) == 0 { // in fragments, with a ping in between
			cut := r.IntN(len(text))
			pending = append(pending, textFrame(0x01, text[:cut])...)
			pending = append(pending, textFrame(0x89, "ping")...)
			pending = append(pending, textFrame(0x80, text[cut:])...)
		} else {
			pending = append(pending, textFrame(0x81, text)...)
		}
		if r.IntN(4) == 0 {
			pending = append(pending, textFrame(0x8a, "")...)
		}
		for r.IntN(3) > 0 && len(pending) > 0 {
			n := 1 + r.IntN(len(pending))
			if _, err := conn.Write(pending[:n]); err != nil {
				t.Errorf("send: %v", err)
				return
			}
			pending = pending[n:]
			runtime.Gosched()
		}
	}
	if _, err := conn.Write(pending); err != nil {
		t.Errorf("send: %v", err)
	}
}

// A peer that sends half a message and stops holds nobody else up.
func TestHalfAMessageDisturbsNobody(t *testing.T) {
	onTwins(t, func(t *testing.T, s *socketServer) {
		for range 2 * runtime.GOMAXPROCS(0) {
			r := subscribe(t, s.dial())
			half := textFrame(0x81, `{"event":"pusher:ping"}`)
			if _, err := r.conn.Write(half[:len(half)-1]); err != nil {
				t.Fatal(err)
			}
		}
		r := subscribe(t, s.dial())
		if _, err := r.conn.Write(textFrame(0x81, `{"event":"pusher:ping","data":{}}`)); err != nil {
			t.Fatal(err)
		}
		r.nextEvent(protocol.EventPong)
	})
}
