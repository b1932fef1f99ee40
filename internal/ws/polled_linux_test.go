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
	const connections = 40
	s := serveSockets(t, "tcp", false, nil)
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
	// The loops and the server's own few may have begun meanwhile.
	testkit.WaitFor(t, func() bool { return runtime.NumGoroutine() < before+connections/2 }, "the connections' goroutines to end")
	if n := s.handler.open.Load(); n != connections {
		t.Errorf("%d connections are open, want %d", n, connections)
	}
}
