package natsbroker

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// TestSlowReceiver: what a receiver does not take stays with the server, in order
// and without loss, as far as the server keeps it.
func TestSlowReceiver(t *testing.T) {
	t.Run("loses nothing within the server's limits", func(t *testing.T) {
		s, _ := startServer(t, nil)
		slow, from := started(t, Options{URL: clientURL(s)}), started(t, Options{URL: clientURL(s)})
		slow.do(sub(room("a")))
		slow.hold.Lock()
		const count, size = 4000, 8 << 10 // 32 MiB, four times the queue
		for i := 0; i < count; i += 100 {
			var batch []broker.Command
			for j := range 100 {
				m := make([]byte, size)
				m[0], m[1] = byte(i+j), byte((i+j)>>8)
				batch = append(batch, broker.Command{Subject: room("a"), Message: m})
			}
			from.do(batch...)
		}
		l := slow.current()
		testkit.WaitFor(t, func() bool { return len(l.calls) > 0 }, "the receiver to be called")
		if queued := len(l.queue) * size; queued > 128<<10 {
			t.Errorf("%d bytes are queued, more than was read at once", queued)
		}
		slow.hold.Unlock()
		for i := range count {
			m := await(t, slow.got, "a message")
			if got := int(m[0]) | int(m[1])<<8; got != i {
				t.Fatalf("message %d came in the place of %d", got, i)
			}
		}
		if len(slow.down) > 0 {
			t.Error("the link went down")
		}
	})
	t.Run("goes down beyond them", func(t *testing.T) {
		s, _ := startServer(t, func(o *server.Options) {
			o.MaxPending = 1 << 20
			o.WriteDeadline = 200 * time.Millisecond
		})
		slow, from := started(t, Options{URL: clientURL(s)}), started(t, Options{URL: clientURL(s)})
		slow.do(sub(room("a")))
		slow.hold.Lock()
		batch := slices.Repeat([]broker.Command{pub(room("a"), strings.Repeat("x", 64<<10))}, 16)
		testkit.WaitFor(t, func() bool {
			from.do(batch...)
			return s.NumSlowConsumers() > 0
		}, "the server to give up")
		slow.hold.Unlock()
		_ = await(t, slow.down, "the end of the link")
		await(t, slow.up, "a new link")
		if len(slow.down) > 0 {
			t.Error("it went down more than once")
		}
		if len(from.down) > 0 {
			t.Error("the sender went down")
		}
	})
	t.Run("with many small messages", func(t *testing.T) {
		s, _ := startServer(t, nil)
		slow, from := started(t, Options{URL: clientURL(s), Prefix: "p"}), started(t, Options{URL: clientURL(s), Prefix: "p"})
		all := broker.Subject{Kind: broker.ToAll}
		slow.do(sub(all))
		slow.hold.Lock()
		const count = 3 * queueMessages
		for range count / 1024 {
			from.do(slices.Repeat([]broker.Command{pub(all, "")}, 1024)...)
		}
		l := slow.current()
		testkit.WaitFor(t, func() bool { return len(l.calls) > 0 }, "the receiver to be called")
		if queued := len(l.queue); queued > queueMessages/4 {
			t.Errorf("%d messages are queued, more than are read at once", queued)
		}
		slow.hold.Unlock()
		for range count {
			await(t, slow.got, "a message")
		}
		if len(slow.down) > 0 {
			t.Error("the link went down")
		}
	})
}
