package conformance

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestDelivery(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-059 graceful shutdown closes every connection with 4200 and completes close handshakes", gracefulShutdown},
		{"P-060 a subscriber that stops reading is closed with 4100 and delays nobody", slowConsumer},
		{"P-061 events of one publisher arrive in order", publicationOrder},
	})
}

const reconnectText = "Please reconnect immediately"

func gracefulShutdown(t *testing.T) {
	s := startServer(t, "drain_window: 500ms\napps:\n"+appYAML(plain))
	var clients []*client
	for range 20 {
		clients = append(clients, connect(t, s, plain))
	}
	old := connectVersion(t, s, plain, 5)
	bare, _ := wireTo(t, s, plain)
	clients[0].subscribe(t, unique("draining-"))
	if err := s.signal(); err != nil {
		t.Fatalf("signal: %v", err)
	}
	for _, c := range clients {
		c.expectClose(t, 4200, reconnectText)
	}
	old.expectRefusal(t, 4200, reconnectText)
	if code, reason := bare.closing(t); code != 4200 || reason != reconnectText {
		t.Fatalf("closed with %d %q", code, reason)
	}
	// Our half of the handshake; then the server, not a reset, ends TCP.
	bare.put(t, masked(0x80|opClose, closePayload(4200, "")))
	if _, err := bare.in.ReadByte(); err != io.EOF {
		t.Fatalf("after the close handshake: %v, want the end of the stream", err)
	}
	// startServer's cleanup requires the exit status 0.
}

// slowConsumer publishes until the kernel's buffers and the backlog of a
// subscriber that does not read are full, which shows in the channel's count.
// The other subscriber takes each batch before the next goes out: what it waits
// is what the slow one costs it.
func slowConsumer(t *testing.T) {
	s := shared(t)
	channel := unique("busy-")
	slow, _ := wireTo(t, s, plain)
	slow.say(t, `{"event":"pusher:subscribe","data":{"channel":"`+channel+`"}}`)
	slow.expectText(t, succeeded(channel))
	fast := connect(t, s, plain)
	fast.subscribe(t, channel)
	const mostBatches = 400 // 40 MB; the kernel keeps a few
	sent := 0
	for count := ""; count != `{"occupied":true,"subscription_count":1}`; sent++ {
		if sent == mostBatches {
			t.Fatalf("not closed after %d batches: %s", sent, count)
		}
		publishBatch(t, s, channel, fast)
		count = s.api(plain).get(t, "/channels/"+channel, "info=subscription_count").body
	}
	publishBatch(t, s, channel, fast)
	for got := 0; ; got++ {
		op, data := slow.frame(t, patience)
		if op == opText && got < sent*batchSize {
			continue
		}
		if code, reason := closeBody(t, data); op != opClose || code != 4100 || reason != "Over capacity" {
			t.Fatalf("got frame %#x %q after %d events, want close 4100", op, data, got)
		}
		return
	}
}

const batchSize = 10

// publishBatch publishes ten events of almost 10 kB and has the subscriber take
// them.
func publishBatch(t *testing.T, s *server, channel string, subscriber *client) {
	t.Helper()
	var batch []object
	for i := range batchSize {
		batch = append(batch, object{"name": strconv.Itoa(i), "channel": channel, "data": strings.Repeat("x", 10_000)})
	}
	s.api(plain).post(t, "/batch_events", object{"batch": batch}).ok(t, "{}")
	for i := range batchSize {
		subscriber.expect(t, strconv.Itoa(i), channel)
	}
}

func publicationOrder(t *testing.T) {
	s := shared(t)
	s.explain(t)
	channel := unique("ordered-")
	subscribers := []*client{connect(t, s, plain), connect(t, s, plain), connectVersion(t, s, plain, 5)}
	for _, c := range subscribers {
		c.subscribe(t, channel)
	}
	const count = 200
	start := time.Now()
	for i := range count {
		s.api(plain).trigger(t, channel, "e", fmt.Sprint(i))
	}
	t.Logf("%d triggers in %v", count, time.Since(start))
	for _, c := range subscribers {
		for i := range count {
			c.expectEvent(t, "e", channel, fmt.Sprint(i))
		}
	}
}
