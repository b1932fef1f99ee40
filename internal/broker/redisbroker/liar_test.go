package redisbroker

import (
	"io"
	"net"
	"sync"
	"testing"
)

// listen serves connections until the end of the test; serve has to return when
// its connection is closed.
func listen(t *testing.T, serve func(number int, c net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var conns []net.Conn
	var running sync.WaitGroup
	running.Go(func() {
		for number := 0; ; number++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			running.Go(func() {
				serve(number, c)
				_ = c.Close()
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for _, c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return l.Addr().String()
}

// liar is a server that answers whatever is asked first with the same bytes, and
// then listens. It returns its URL.
func liar(t *testing.T, answer func(connection int) []byte) string {
	t.Helper()
	return "redis://" + listen(t, func(number int, c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err != nil {
			return
		}
		if _, err := c.Write(answer(number)); err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, c)
	})
}

// middleman passes on what clients and a server say, and can add to the latter.
type middleman struct {
	address string

	mu      sync.Mutex
	clients []net.Conn
}

func newMiddleman(t *testing.T, server string) *middleman {
	t.Helper()
	m := &middleman{}
	m.address = listen(t, func(_ int, c net.Conn) {
		s, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		m.mu.Lock()
		m.clients = append(m.clients, c)
		m.mu.Unlock()
		var back sync.WaitGroup
		back.Go(func() {
			_, _ = io.Copy(c, s)
			_ = c.Close()
		})
		_, _ = io.Copy(s, c)
		_ = s.Close()
		back.Wait()
	})
	return m
}

func (m *middleman) addr() string { return m.address }

// tell writes to all clients.
func (m *middleman) tell(lie string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.clients {
		_, _ = io.WriteString(c, lie)
	}
	m.clients = nil
}
