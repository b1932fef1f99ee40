package fastlane

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// brief is a limit that a test waits for.
const brief = 30 * time.Millisecond

// with returns generous limits with a change.
func with(change func(*Limits)) Limits {
	l := generous
	change(&l)
	return l
}

// Whoever takes too long is let go, whatever has arrived by then.
func TestSlowClientsAreLetGo(t *testing.T) {
	request := trigger(plain)
	head := len(request) - len(plain)
	for name, tt := range map[string]struct {
		limits Limits
		sends  string
		answer string // how it may begin
	}{
		"nothing comes":              {with(func(l *Limits) { l.Head = brief }), "", ""},
		"half a head":                {with(func(l *Limits) { l.Head = brief }), request[:head/2], ""},
		"a request and half another": {with(func(l *Limits) { l.Head = brief }), request + request[:head/2], "HTTP/1.1 200 OK"},
		"half a body":                {with(func(l *Limits) { l.Body = brief }), request[:head+5], "HTTP/1.1 4"},
		"nothing after a request":    {with(func(l *Limits) { l.Idle = brief }), request, "HTTP/1.1 200 OK"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSite(t, newAPI(t, nil), tt.limits).dial()
			c.send(tt.sends)
			got := c.rest()
			if !strings.HasPrefix(got, tt.answer) || strings.Count(got, "200 OK") != strings.Count(tt.answer, "200 OK") {
				t.Errorf("got %q", got)
			}
		})
	}
}

// A client that sends and does not read is cut off when an answer has waited
// for too long.
func TestClientsThatDoNotRead(t *testing.T) {
	c := newSite(t, newAPI(t, nil), with(func(l *Limits) { l.Write = brief })).dial()
	request := strings.Repeat(trigger(plain), 100)
	for {
		if _, err := c.Write([]byte(request)); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal("the connection stands still")
			}
			return
		}
	}
}

func TestCloseEndsIdleConnections(t *testing.T) {
	s := newSite(t, newAPI(t, nil), generous)
	fresh, used := s.dial(), s.dial()
	used.send(trigger(plain))
	used.next()
	s.shutdown()
	for name, c := range map[string]*client{"without a request": fresh, "after a request": used} {
		if got := c.rest(); got != "" {
			t.Errorf("%s: got %q", name, got)
		}
	}
	s.lane.Wait(t.Context())
	if err := s.lane.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
}

// A request that has begun is still answered, and the client told that it was
// the last one.
func TestCloseLetsRequestsEnd(t *testing.T) {
	s := newSite(t, newAPI(t, nil), generous)
	c := s.dial()
	request := trigger(plain)
	c.send(request + request[:10]) // one segment, so that the answer tells that both were read
	c.next()
	s.shutdown()
	c.send(request[10:])
	if got := c.next(); got != "200, closes: {}" {
		t.Error(got)
	}
	if got := c.rest(); got != "" {
		t.Errorf("then %q", got)
	}
	s.lane.Wait(t.Context())
}

// Wait does not wait for longer than it is told to.
func TestWaitCutsOffWhatTakesTooLong(t *testing.T) {
	blocked, release := make(chan struct{}), make(chan struct{})
	s := newSite(t, newAPI(t, func() { close(blocked); <-release }), generous)
	stuck, half := s.dial(), s.dial()
	stuck.send(trigger(plain))
	<-blocked
	half.send("POST")
	s.shutdown()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	waited := make(chan struct{})
	go func() { defer close(waited); s.lane.Wait(ctx) }()
	if got := half.rest(); got != "" {
		t.Errorf("half a request: %q", got)
	}
	close(release)
	<-waited
}

// failing is a listener whose first Accept fails.
type failing struct {
	net.Listener
	failed atomic.Bool
}

func (l *failing) Accept() (net.Conn, error) {
	if !l.failed.Swap(true) {
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept", syscall.EMFILE)}
	}
	return l.Listener.Accept()
}

// net/http learns of connections that could not be accepted, and those after
// them are served.
func TestAcceptErrors(t *testing.T) {
	l := &failing{Listener: listenTCP(t)}
	c := serveOn(t, l, newAPI(t, nil), generous).dial()
	c.send(trigger(plain))
	if got := c.next(); got != "200: {}" {
		t.Error(got)
	}
	if !l.failed.Load() {
		t.Error("no accept has failed")
	}
}

// What is no TCP connection goes to net/http at once.
func TestUnixSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := serveOn(t, l, newAPI(t, nil), generous)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write([]byte(trigger(plain, last))); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 64)
	n, err := conn.Read(buffer)
	if err != nil || !strings.HasPrefix(string(buffer[:n]), "HTTP/1.1 200 OK") || s.behind.Load() != 1 {
		t.Errorf("%q, %v, %d behind", buffer[:n], err, s.behind.Load())
	}
}
