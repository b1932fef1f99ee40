package ws

import (
	"runtime"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// A connection is idle again after control frames alone: neither these nor
// messages leave a goroutine behind.
func TestIdleConnectionsHaveNoGoroutine(t *testing.T) {
	for _, network := range []string{"tcp", "unix", "tls"} {
		t.Run(network, func(t *testing.T) { idleConnectionsHaveNoGoroutine(t, network) })
	}
}

func idleConnectionsHaveNoGoroutine(t *testing.T, network string) {
	const connections = 40
	s := serveSockets(t, network, false, nil)
	before := runtime.NumGoroutine()
	for range connections {
		r := subscribe(t, s.dial())
		for _, frame := range [][]byte{
			textFrame(0x8a, ""), textFrame(0x89, "p"), textFrame(0x81, `{"event":"pusher:ping","data":{}}`), textFrame(0x89, "q"),
		} {
			if _, err := r.conn.Write(frame); err != nil {
				t.Fatal(err)
			}
		}
		r.nextEvent(protocol.EventPong)
		if f := r.next(); f.Op != testkit.OpPong {
			t.Fatalf("got %+v, want the second pong", f)
		}
	}
	awaitIdle(t, s, before, connections)
}

// TLS keeps the half of a record itself.
func TestHalfARecordHasNoGoroutine(t *testing.T) {
	const connections = 40
	s := serveSockets(t, "tls", false, nil)
	before := runtime.NumGoroutine()
	var rest []func()
	for range connections {
		c := s.dialByHand(t)
		r := subscribe(t, c)
		record := c.record(recordData, textFrame(0x81, pingText))
		if _, err := c.Conn.Write(record[:len(record)-20]); err != nil {
			t.Fatal(err)
		}
		rest = append(rest, func() {
			if _, err := c.Conn.Write(record[len(record)-20:]); err != nil {
				t.Fatal(err)
			}
			r.nextEvent(protocol.EventPong)
		})
	}
	awaitIdle(t, s, before, connections)
	for _, send := range rest {
		send()
	}
}

// awaitIdle waits until connections that were made after before goroutines were
// counted have none.
func awaitIdle(t *testing.T, s *socketServer, before, connections int) {
	t.Helper()
	// The loops and the server's own few may have begun meanwhile.
	testkit.WaitFor(t, func() bool { return runtime.NumGoroutine() < before+connections/2 }, "the connections' goroutines to end")
	if n := s.handler.open.Load(); n != int64(connections) {
		t.Errorf("%d connections are open, want %d", n, connections)
	}
}
