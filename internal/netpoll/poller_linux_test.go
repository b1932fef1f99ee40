package netpoll

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

type work struct{}

func (work) Done() {}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p, err := New(func() Work { return work{} })
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// echo is a handler that sends back what it reads, until the peer ends.
type echo struct {
	Conn
	t       *testing.T
	waiting []byte      // to be written
	before  func(*Pass) // called before each read
	closed  bool
	ended   sync.WaitGroup
}

func (e *echo) Ready(p *Pass, _, _ bool) {
	if e.before != nil {
		_ = e.WatchRead(false)
		e.before(p)
		defer func() {
			if !e.closed {
				_ = e.WatchRead(true)
			}
		}()
	}
	buf := make([]byte, 4<<10)
	n, err := e.Read(buf)
	e.waiting = append(e.waiting, buf[:n]...)
	written, werr := e.Write(e.waiting)
	e.waiting = e.waiting[written:]
	if werr != nil || err != nil && len(e.waiting) == 0 {
		e.closed = true
		e.Close()
		e.ended.Done()
		return
	}
	if err := e.WatchWrite(len(e.waiting) > 0); err != nil {
		e.t.Error(err)
	}
}

// connect returns a client whose peer is the handler.
func connect(t *testing.T, p *Poller, e *echo) net.Conn {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var dialer net.Dialer
	client, err := dialer.DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = client.SetDeadline(time.Now().Add(time.Minute))
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	e.t = t
	e.ended.Add(1)
	if err := p.Adopt(&e.Conn, server, e); err != nil {
		t.Fatal(err)
	}
	if err := e.WatchRead(true); err != nil {
		t.Fatal(err)
	}
	return client
}

func exchange(t *testing.T, client net.Conn, size int) {
	t.Helper()
	sent := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	go func() { _, _ = client.Write(sent) }() // what fails shows in what comes back
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(client, got); err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d bytes came back wrong: %v", len(sent), err)
	}
}

func TestSocketsAreServedUntilTheirEnd(t *testing.T) {
	p := newPoller(t)
	var work sync.WaitGroup
	for range 20 {
		work.Go(func() {
			e := &echo{}
			client := connect(t, p, e)
			for _, size := range []int{16, 1 << 10, 4 << 20} { // the last fills both directions
				exchange(t, client, size)
			}
			_ = client.Close()
			e.ended.Wait()
		})
	}
	work.Wait()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// Handlers that wait hold nobody up once they have left their loops.
func TestHandlersMayWaitAfterLeaving(t *testing.T) {
	p := newPoller(t)
	release := make(chan struct{})
	var held []*echo
	var clients []net.Conn
	entered := make(chan struct{}, 64)
	for range 4 * len(p.loops) {
		e := &echo{before: func(pass *Pass) { pass.Leave(); entered <- struct{}{}; <-release }}
		held = append(held, e)
		clients = append(clients, connect(t, p, e))
		if _, err := clients[len(clients)-1].Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	for range held {
		<-entered
	}
	for range 2 * len(p.loops) {
		e := &echo{}
		client := connect(t, p, e)
		exchange(t, client, 1<<10)
		_ = client.Close()
		e.ended.Wait()
	}
	close(release)
	for i, client := range clients {
		if _, err := io.ReadFull(client, make([]byte, 1)); err != nil {
			t.Errorf("held connection %d: %v", i, err)
		}
		_ = client.Close()
		held[i].ended.Wait()
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestShutdownIsReported(t *testing.T) {
	p := newPoller(t)
	e := &echo{}
	client := connect(t, p, e)
	e.Shutdown()
	e.ended.Wait()
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("the peer reads %v, want the end", err)
	}
	_ = client.Close()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
