package hub

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// A full channel makes the events of other nodes wait, not whoever brings them.
func TestDeliverToFullChannel(t *testing.T) {
	const size = 10_000
	long := strings.Repeat("x", size)
	t.Run("they come in order, before those of publishers that are held back", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			c := f.connect()
			c.mustSubscribe("c")
			release := f.holdRoundOf("c")
			f.fill("c")
			const n = 100 // more than there is room for at once
			for i := range n {
				f.hub.Deliver(nil, 1, relayed("c", "far", fmt.Sprint(i, " ", long)))
			}
			held := make(chan struct{})
			go func() { defer close(held); f.publish("c", "near", "") }()
			synctest.Wait()
			release()
			<-held
			next := 0
			for _, frame := range c.take() {
				switch frame.Event {
				case "far":
					if !strings.HasPrefix(frame.Data, fmt.Sprint(next, " ")) {
						t.Fatalf("event %d is %.10s", next, frame.Data)
					}
					next++
				case "near":
					if left := n - next; left*size > maxPendingBytes {
						t.Errorf("the publisher has overtaken %d", left)
					}
				}
			}
			if next != n {
				t.Errorf("%d events arrived, want %d", next, n)
			}
		})
	})
	t.Run("beyond 4 MiB they are dropped and counted", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			c := f.connect()
			c.mustSubscribe("cache-c")
			release := f.holdRoundOf("cache-c")
			f.fill("cache-c")
			c.take()
			const n = 2 * maxWaitingBytes / size
			for i := range n {
				f.hub.Deliver(nil, 1, filling("cache-c", fmt.Sprint(i, " ", long), Stamp{1000 + uint64(i), 1}))
			}
			if got, _ := f.hub.Cached(f.app, "cache-c"); !strings.HasPrefix(got.Data.Text(), fmt.Sprint(n-1, " ")) {
				t.Errorf("cached: %.10s", got.Data.Text())
			}
			release()
			arrived := count(names(c.take()), "e")
			dropped := int(f.hub.tenant(f.app).stats.dropped.Load())
			if arrived+dropped != n || arrived > maxWaitingBytes/size || arrived < maxWaitingBytes/size/3 {
				t.Errorf("%d arrived, %d dropped of %d", arrived, dropped, n)
			}
			if got, _ := f.hub.Cached(f.app, "cache-c"); !strings.HasPrefix(got.Data.Text(), fmt.Sprint(n-1, " ")) {
				t.Errorf("after all: cached %.10s", got.Data.Text())
			}
		})
	})
	t.Run("one that can never wait leaves the channel as it was", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			c := f.connect()
			c.mustSubscribe("c")
			release := f.holdRoundOf("c")
			f.fill("c")
			f.hub.Deliver(nil, 1, relayed("c", "far", strings.Repeat("x", maxWaitingBytes)))
			release()
			c.take()
			f.publish("c", "e", "1")
			expectEvents(t, c, "e 1")
		})
	})
	t.Run("§3.8 a newcomer gets what waits as cached or live, once", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			release := f.holdRoundOf("cache-c")
			f.fill("cache-c")
			f.hub.Deliver(nil, 1, filling("cache-c", "waits", Stamp{1000, 1}))
			c := f.connect()
			c.mustSubscribe("cache-c")
			if got := names(c.take()); !slices.Equal(got, []string{"pusher_internal:subscription_succeeded", "filler"}) {
				t.Errorf("greeted with %q", got)
			}
			release()
			expectEvents(t, c, "e waits")
		})
	})
	t.Run("a publisher of this node waits for those that have to follow others", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			c := f.connect()
			c.mustSubscribe("free")
			c.take()
			release := f.holdRoundOf("full")
			first, second := relayed("full", "e", "1"), relayed("free", "e", "2")
			first.Followed, second.Follows = true, true
			f.hub.Deliver(nil, 1, first)
			f.hub.Deliver(nil, 1, second)
			published := make(chan struct{})
			go func() { defer close(published); f.publish("free", "e", "3") }()
			synctest.Wait()
			expectEvents(t, c)
			release()
			<-published
			expectEvents(t, c, "e 2", "e 3")
		})
	})
	t.Run("they go when nobody is there to get them", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			c := f.connect()
			c.mustSubscribe("free")
			release := f.holdRoundOf("full")
			first, second := relayed("full", "e", "1"), relayed("free", "e", "2")
			first.Followed, second.Follows, second.Followed = true, true, true
			f.hub.Deliver(nil, 1, first)
			f.hub.Deliver(nil, 1, second)
			c.a.Detach(nil)
			synctest.Wait()
			if n := f.channelsKept(); n != 2 {
				t.Errorf("while an event waits for another: %d channels are kept", n)
			}
			release()
			synctest.Wait()
			if n := f.channelsKept(); n != 1 {
				t.Errorf("%d channels are kept", n)
			}
			if left := f.hub.orders.open(1); left != nil {
				t.Errorf("%d events are still to be delivered", len(left))
			}
		})
	})
}

// §7.4: events of a batch that another node has taken reach a connection in their
// order, on channels of few subscribers and of many, and however busy these are.
func TestDeliverInOrderAcrossChannels(t *testing.T) {
	const batches, size = 30, 10
	for _, crowd := range []int{0, fewSubscribers + 10} {
		t.Run(fmt.Sprintf("%d more subscribers", crowd), func(t *testing.T) {
			f, _ := newHeard(t, nil)
			var channels []string
			reader := f.connect()
			for i := range 4 {
				channels = append(channels, fmt.Sprintf("c%d", i))
				reader.mustSubscribe(channels[i])
				for range crowd * (i % 2) { // large ones and small ones
					f.connect().mustSubscribe(channels[i])
				}
			}
			var others sync.WaitGroup
			for _, channel := range channels {
				others.Go(func() {
					for n := range 60 {
						f.publish(channel, "noise", fmt.Sprint(n))
					}
				})
			}
			turn := &Turn{}
			for b := range batches {
				for i := range size {
					at := (b + i) % len(channels)
					r := relayed(protocol.ChannelName(channels[at]), "e", fmt.Sprint(b*size+i))
					r.Follows, r.Followed = i > 0, i < size-1
					f.hub.Deliver(turn, 1, r)
				}
				if b%3 == 0 {
					turn.End()
				}
			}
			turn.End()
			others.Wait()
			f.hub.drains.wait()
			checkBatches(t, reader, batches, size)
			if left := f.hub.orders.open(1); left != nil {
				t.Errorf("%d events are still to be delivered", len(left))
			}
		})
	}
	t.Run("one behind an event that waits for room waits too", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			c := f.connect()
			for _, channel := range []string{"full", "free", "third"} {
				c.mustSubscribe(channel)
			}
			release := f.holdRoundOf("full")
			f.fill("full")
			c.take()
			for i, channel := range []protocol.ChannelName{"full", "free", "third", "nobody", "free"} {
				r := relayed(channel, "e", fmt.Sprint(i))
				r.Follows, r.Followed = i > 0, i < 4
				f.hub.Deliver(nil, 1, r)
			}
			f.hub.Deliver(nil, 2, relayed("third", "e", "of another node"))
			f.hub.Deliver(nil, 1, relayed("free", "e", "last"))
			synctest.Wait()
			if got := names(c.take()); len(got) != 0 {
				t.Errorf("before the first: %q", got)
			}
			release()
			var got []string
			for _, frame := range c.take() {
				if frame.Event == "e" {
					got = append(got, frame.Data)
				}
			}
			at := func(data string) int { return slices.Index(got, data) }
			if len(got) != 6 || at("0") > at("1") || at("1") > at("2") || at("2") > at("4") || at("4") > at("last") {
				t.Errorf("got %q", got)
			}
			if n := f.channelsKept(); n != 3 {
				t.Errorf("%d channels are kept", n)
			}
		})
	})
}

// checkBatches checks that the events "e" of each batch have arrived in order.
func checkBatches(t *testing.T, reader *client, batches, size int) {
	t.Helper()
	arrived := make(map[int]int) // per batch
	for _, frame := range reader.frames {
		if frame.Event != "e" {
			continue
		}
		var n int
		if _, err := fmt.Sscan(frame.Data, &n); err != nil || n%size != arrived[n/size] {
			t.Fatalf("batch %d: got event %d, want %d (%v)", n/size, n%size, arrived[n/size], err)
		}
		arrived[n/size]++
	}
	for b := range batches {
		if arrived[b] != size {
			t.Errorf("batch %d: %d events arrived", b, arrived[b])
		}
	}
}
