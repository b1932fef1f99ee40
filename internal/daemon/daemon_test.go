package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// server is a daemon that runs inside the test process.
type server struct {
	t           *testing.T
	public, ops string // host:port
	out         fmt.Stringer
	stop        context.CancelFunc
	done        chan error
}

var readyLine = regexp.MustCompile(`(?m)^pipesocketd ready: public=https?://(\S+) ops=http://(\S+)$`)

func run(t *testing.T, change func(*Options)) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{t: t, stop: cancel, done: make(chan error, 1)}
	o := options(nil)
	if change != nil {
		change(&o)
	}
	s.out = o.Stdout.(fmt.Stringer)
	go func() { s.done <- Run(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-s.done; err != nil {
			t.Errorf("Run: %v", err)
		}
		s.done <- nil
	})
	testkit.WaitFor(t, func() bool { return readyLine.MatchString(s.out.String()) }, "the ready line")
	found := readyLine.FindStringSubmatch(s.out.String())
	s.public, s.ops = found[1], found[2]
	return s
}

func (s *server) get(host, path string) (int, string) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+host+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func (s *server) dial(path string) *websocket.Conn {
	s.t.Helper()
	conn, response, err := websocket.Dial(s.t.Context(), "ws://"+s.public+path, nil)
	if err != nil {
		s.t.Fatalf("dial: %v", err)
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	s.t.Cleanup(func() { _ = conn.CloseNow() })
	return conn
}

type message struct {
	Event, Channel string
	Data           json.RawMessage
}

func receive(t *testing.T, conn *websocket.Conn) message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, text, err := conn.Read(ctx)
	if err != nil {
		t.Fatalf("receive: %v", err)
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatalf("frame %q: %v", text, err)
	}
	return m
}

func send(t *testing.T, conn *websocket.Conn, text string) {
	t.Helper()
	if err := conn.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatalf("send: %v", err)
	}
}

func TestRunWithoutConfiguration(t *testing.T) {
	s := run(t, nil)
	conn := s.dial("/app/app-key?protocol=7&client=js&version=8.4.0&flash=false")
	if m := receive(t, conn); m.Event != "pusher:connection_established" {
		t.Fatalf("first frame is %s", m.Event)
	}
	send(t, conn, `{"event":"pusher:subscribe","data":{"auth":"","channel":"my-channel"}}`)
	if m := receive(t, conn); m.Event != "pusher_internal:subscription_succeeded" || m.Channel != "my-channel" {
		t.Fatalf("subscribing was answered by %+v", m)
	}

	s.trigger(`{"name":"my-event","channel":"my-channel","data":"{\"a\":1}"}`)
	if m := receive(t, conn); m.Event != "my-event" || string(m.Data) != `"{\"a\":1}"` {
		t.Fatalf("delivered %+v", m)
	}

	for _, text := range []string{"new Pusher(\"app-key\"", "auth_signature=", "secret app-secret"} {
		if !strings.Contains(s.out.String(), text) {
			t.Errorf("standard output does not tell a newcomer %q", text)
		}
	}
	if status, body := s.get(s.ops, "/metrics"); status != http.StatusOK ||
		!strings.Contains(body, `pipesocketd_connections{app="1001"} 1`) {
		t.Errorf("metrics do not count the connection: %d", status)
	}
	for _, path := range []string{"/live", "/ready"} {
		for _, host := range []string{s.public, s.ops} {
			if status, body := s.get(host, path); status != http.StatusOK {
				t.Errorf("%s answers %d %s", path, status, body)
			}
		}
	}
}

func (s *server) trigger(body string) {
	s.t.Helper()
	pair := auth.Key{Key: "app-key", Secret: "app-secret"}
	query := auth.SignedQuery(pair, http.MethodPost, "/apps/1001/events", nil, []byte(body), time.Now())
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost,
		"http://"+s.public+"/apps/1001/events?"+query, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		s.t.Fatalf("trigger answered %d %s", response.StatusCode, answer)
	}
}

func TestStopClosesConnectionsWith4200(t *testing.T) { // P-059
	s := run(t, nil)
	conns := make([]*websocket.Conn, 5)
	for i := range conns {
		conns[i] = s.dial("/app/app-key?protocol=7")
		receive(t, conns[i])
	}
	s.stop()
	for _, conn := range conns {
		_, _, err := conn.Read(t.Context())
		if websocket.CloseStatus(err) != 4200 {
			t.Errorf("connection ended with %v", err)
		}
	}
}
