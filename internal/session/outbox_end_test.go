package session

import (
	"errors"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func TestOutboxTakesOneDeliveryOfAnySize(t *testing.T) {
	const limit = 1 << 10
	greeting, snapshot := event("g", ""), event("s", strings.Repeat("x", 1<<20))
	onEach(t, func(t *testing.T, c connection) {
		out := c.outbox(t, limit)
		if err := errors.Join(out.Deliver(greeting), out.Deliver(snapshot)); err != nil {
			t.Fatalf("less than half of the limit was waiting: %v", err)
		}
		taken := 2 + fillUntilSlow(t, out) // there is a limit all the same
		go out.Close(protocol.CloseFrame(protocol.CloseReconnect), false)
		if frames := readFrames(t, c.client); len(frames) != taken+1 || frames[1].Event != "s" {
			t.Errorf("%d frames arrived, want %d and the close", len(frames), taken)
		}
		awaitGone(out)
	})
}

func TestOutboxLibraryCloseFollowsAFullBacklog(t *testing.T) {
	onEach(t, func(t *testing.T, c connection) {
		out := c.outbox(t, 100<<10)
		taken := fillUntilSlow(t, out)
		if err := out.DeliverCopy(protocol.CloseFrame(protocol.CloseProtocol)); err != nil {
			t.Fatal(err)
		}
		frames := readFrames(t, c.client)
		if last := frames[len(frames)-1]; last.Code != protocol.CodeProtocol || len(frames) != taken+1 {
			t.Errorf("%d frames arrived, the last %+v; want %d and close 1002", len(frames), last, taken+1)
		}
		awaitGone(out)
	})
}

func TestOutboxBeginsNothingAfterEnd(t *testing.T) {
	onEach(t, func(t *testing.T, c connection) {
		out := c.outbox(t, 100<<10)
		fillUntilSlow(t, out) // a flusher runs
		out.End()
		if out.Close(protocol.CloseFrame(protocol.CloseReconnect), false) {
			t.Error("an outbox that has ended was closed")
		}
		if err := errors.Join(out.Deliver(event("e", "x")), out.DeliverCopy(protocol.PingFrame())); err != nil {
			t.Errorf("delivery to an outbox that has ended: %v", err)
		}
		if n := waiting(out); n > 0 || out.Gone() != nil {
			t.Error("something has begun after the end")
		}
	})
}
