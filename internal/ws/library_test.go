package ws

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// watchedHijacker notes every write of the WebSocket library.
type watchedHijacker struct {
	*hijacker
	mu     sync.Mutex
	writes [][]byte
}

func (h *watchedHijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	c, _, err := h.hijacker.Hijack()
	if err != nil {
		return nil, nil, err
	}
	w := &watchedConn{Conn: c, by: h}
	return w, bufio.NewReadWriter(bufio.NewReaderSize(w, readBuffer), bufio.NewWriterSize(w, writeBuffer)), nil
}

type watchedConn struct {
	net.Conn
	by *watchedHijacker
}

func (c *watchedConn) Write(p []byte) (int, error) {
	c.by.mu.Lock()
	c.by.writes = append(c.by.writes, append([]byte(nil), p...))
	c.by.mu.Unlock()
	return c.Conn.Write(p)
}

// The outbox puts whole data frames between the library's writes. That holds
// only while each of its control frames, the largest included, is one write.
func TestLibraryWritesEachControlFrameAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		watched := &watchedHijacker{}
		ended := make(chan struct{})
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(ended)
			c := &connection{handler: &Handler{o: Options{Goroutines: true}}}
			watched.hijacker = &hijacker{ResponseWriter: w, conn: c, backlogBytes: 1 << 20}
			library, err := websocket.Accept(watched, r, nil)
			if err != nil {
				t.Error(err)
				return
			}
			_, _, _ = library.Read(t.Context())
			if gone := c.out.Gone(); gone != nil {
				<-gone
			}
			c.out.End()
		})}
		listener := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		served := make(chan struct{})
		go func() { defer close(served); _ = server.Serve(listener) }()
		s := &testServer{t: t, listener: listener}
		c := s.dial("")
		c.reading()
		for range 20 {
			if err := c.conn.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		_ = c.conn.Close(4321, strings.Repeat("r", 123))
		<-ended
		_ = server.Close()
		<-served

		if len(watched.writes) != 21 {
			t.Fatalf("%d writes for 20 pongs and the answer to the close frame", len(watched.writes))
		}
		for i, w := range watched.writes {
			frames := testkit.Frames(t, w)
			if len(frames) != 1 || i < 20 && frames[0].Op != testkit.OpPong || i == 20 && frames[0].Code != 4321 {
				t.Errorf("write %d is %+v", i, frames)
			}
		}
	})
}
