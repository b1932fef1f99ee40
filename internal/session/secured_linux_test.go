package session

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/netpoll"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// TLS answers some of what a peer sends by itself, whether the socket takes it or
// not.
func TestOutboxSendsWhatTLSHasToSay(t *testing.T) {
	c := connections["polled tls"](t)
	secure := c.server.(*tls.Conn)
	under := secure.NetConn().(*netpoll.Underlay)
	out := c.outbox(t, 1<<20)
	written := 0
	for !under.Held() {
		if _, err := secure.Write(event("tls", strings.Repeat("x", 16<<10))); err != nil { // not through the outbox
			t.Fatal(err)
		}
		written++
	}
	if out.Gone() != nil {
		t.Fatal("the outbox knows of it already")
	}
	out.Flush() // as the source does after reading
	if out.Gone() == nil {
		t.Fatal("nobody waits for room")
	}
	if err := out.Deliver(event("e", "behind it")); err != nil {
		t.Fatal(err)
	}
	go out.Close(protocol.CloseFrame(protocol.CloseReconnect), false)
	frames := readFrames(t, c.client)
	if len(frames) != written+2 || frames[written].Event != "e" || frames[written-1].Event != "tls" {
		t.Errorf("%d frames arrived, want %d and an event before the close", len(frames), written)
	}
	awaitGone(out)
}

// However much is delivered at once, no more of it is encrypted than the socket
// takes and one record.
func TestOutboxEncryptsWhatLeaves(t *testing.T) {
	c := connections["polled tls"](t)
	out := c.outbox(t, 1<<20)
	if err := out.Deliver(event("e", strings.Repeat("x", 8<<20))); err != nil {
		t.Fatal(err)
	}
	if n := waiting(out); n == 0 {
		t.Fatal("the socket takes everything")
	}
	go out.Close(protocol.CloseFrame(protocol.CloseReconnect), false)
	if frames := readFrames(t, c.client); len(frames) != 2 || len(frames[0].Data) != 8<<20 {
		t.Errorf("%d frames arrived, want one whole event and the close", len(frames))
	}
	awaitGone(out)
}

// What TLS says to a peer that takes none of it has a limit.
func TestOutboxEndsWhenTLSCannotSpeak(t *testing.T) {
	c := connections["polled tls"](t)
	secure := c.server.(*tls.Conn)
	out := c.outbox(t, 1<<20)
	refused := false
	for range 1 << 20 { // far more than any socket takes
		if _, err := secure.Write(event("tls", "itself")); err != nil {
			refused = true
			break
		}
	}
	if !refused {
		t.Fatal("there is no limit")
	}
	if err := out.DeliverCopy(protocol.PingFrame()); err != nil {
		t.Fatal(err)
	}
	_ = c.client.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, c.client); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection goes on without what its peer was promised")
	}
	if !out.Closing() {
		t.Error("the outbox takes more")
	}
}
