package session

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func TestOutboxTakesOneDeliveryOfAnySize(t *testing.T) {
	const limit = 1 << 10
	greeting, snapshot := event("g", ""), event("s", strings.Repeat("x", 1<<20))
	onEach(t, func(t *testing.T, c connection) {
		out := NewOutbox(c.server, limit)
		if err := errors.Join(out.Deliver(greeting), out.Deliver(snapshot)); err != nil {
			t.Fatalf("less than half of the limit was waiting: %v", err)
		}
		taken := 2 + fillUntilSlow(t, out) // there is a limit all the same
		go out.Close(protocol.CloseFrame(protocol.CloseReconnect), false, 20*time.Second)
		if frames := readFrames(t, c.client); len(frames) != taken+1 || frames[1].Event != "s" {
			t.Errorf("%d frames arrived, want %d and the close", len(frames), taken)
		}
		out.Wait()
	})
}

// A peer that closes, or breaks a rule, and then reads nothing must not be able
// to hold its connection: nobody else will close it.
func TestOutboxLibraryCloseHasADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connections["pipe"](t) // takes nothing that is not read
		out := NewOutbox(c.server, 1<<10)
		for out.Deliver(event("e", strings.Repeat("x", 100))) == nil {
		}
		start := time.Now()
		if err := out.DeliverCopy(protocol.CloseFrame(protocol.CloseProtocol)); err != nil {
			t.Fatalf("a full backlog keeps the close frame out: %v", err)
		}
		out.Wait()
		if took := time.Since(start); took != closeGrace {
			t.Errorf("the flusher ended after %v, want %v", took, closeGrace)
		}
	})
}

func TestOutboxLibraryCloseFollowsAFullBacklog(t *testing.T) {
	onEach(t, func(t *testing.T, c connection) {
		out := NewOutbox(c.server, 100<<10)
		taken := fillUntilSlow(t, out)
		if err := out.DeliverCopy(protocol.CloseFrame(protocol.CloseProtocol)); err != nil {
			t.Fatal(err)
		}
		frames := readFrames(t, c.client)
		if last := frames[len(frames)-1]; last.Code != protocol.CodeProtocol || len(frames) != taken+1 {
			t.Errorf("%d frames arrived, the last %+v; want %d and close 1002", len(frames), last, taken+1)
		}
		out.Wait()
	})
}

func TestOutboxBeginsNothingAfterEnd(t *testing.T) {
	onEach(t, func(t *testing.T, c connection) {
		out := NewOutbox(c.server, 100<<10)
		fillUntilSlow(t, out) // a flusher runs
		out.End()
		if out.Close(protocol.CloseFrame(protocol.CloseReconnect), false, time.Second) {
			t.Error("an outbox that has ended was closed")
		}
		if err := errors.Join(out.Deliver(event("e", "x")), out.DeliverCopy(protocol.PingFrame())); err != nil {
			t.Errorf("delivery to an outbox that has ended: %v", err)
		}
		out.mu.Lock()
		defer out.mu.Unlock()
		if out.flushing || len(out.backlog) > 0 {
			t.Error("something has begun after the end")
		}
	})
}
