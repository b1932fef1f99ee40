package hub

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// relayed is an event of another node.
func relayed(channel protocol.ChannelName, name, data string) Relayed {
	return Relayed{App: "1", Channel: channel, Frame: eventFrame(channel, name, data)}
}

func filling(channel protocol.ChannelName, data string, stamp Stamp) Relayed {
	r := relayed(channel, "e", data)
	r.Fill = &CacheFill{Event: "e", Data: protocol.PayloadOfText(data), TTL: time.Minute, Stamp: stamp}
	return r
}

func TestDeliver(t *testing.T) {
	t.Run("subscribers get the event, and nobody is told of it again", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, e := newHeard(t, nil)
			c := f.connect()
			c.mustSubscribe("c")
			c.take()
			e.take()
			f.hub.Deliver(nil, 1, relayed("c", "e", "1"))
			f.hub.Deliver(nil, 1, relayed("nobody", "e", "2"))
			f.hub.Deliver(nil, 1, Relayed{App: "unknown", Channel: "c", Frame: eventFrame("c", "e", "3")})
			expectEvents(t, c, "e 1")
			expectSaid(t, e)
			if n := f.channelsKept(); n != 1 {
				t.Errorf("%d channels are kept", n)
			}
		})
	})
	t.Run("with a turn it is delivered at the end of that", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			c := f.connect()
			c.mustSubscribe("c")
			c.take()
			turn := &Turn{}
			f.hub.Deliver(turn, 1, relayed("c", "e", "1"))
			f.hub.Deliver(turn, 1, relayed("c", "e", "2"))
			expectEvents(t, c)
			turn.End()
			expectEvents(t, c, "e 1", "e 2")
		})
	})
	t.Run("P-192 not to the connection that it leaves out", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			c, other := f.connect(), f.connect()
			c.mustSubscribe("c")
			other.mustSubscribe("c")
			c.take()
			other.take()
			r := relayed("c", "e", "1")
			r.Except = c.a.SocketID()
			f.hub.Deliver(nil, 1, r)
			expectEvents(t, c)
			expectEvents(t, other, "e 1")
		})
	})
}

func TestDeliverFills(t *testing.T) {
	cached := func(f *fixture) string {
		event, _ := f.hub.Cached(f.app, "cache-c")
		return event.Data.Text()
	}
	t.Run("the latest stamp wins, in whatever order they come", func(t *testing.T) {
		f, _ := newHeard(t, nil)
		for _, r := range []Relayed{
			filling("cache-c", "second", Stamp{2, 1}),
			filling("cache-c", "first", Stamp{1, 2}),
			filling("cache-c", "same clock", Stamp{2, 0}),
		} {
			f.hub.Deliver(nil, 1, r)
		}
		if got := cached(f); got != "second" {
			t.Errorf("cached: %q", got)
		}
		f.publish("cache-c", "e", "here")
		f.hub.Deliver(nil, 1, filling("cache-c", "late", Stamp{2, 9}))
		if got := cached(f); got != "here" {
			t.Errorf("after an event of this node: %q", got)
		}
	})
	t.Run("an event that is not the latest is delivered all the same", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			f.hub.Deliver(nil, 1, filling("cache-c", "second", Stamp{2, 1}))
			c := f.connect()
			c.mustSubscribe("cache-c")
			f.hub.Deliver(nil, 2, filling("cache-c", "first", Stamp{1, 2}))
			expectEvents(t, c, "pusher_internal:subscription_succeeded {}", "e second", "e first")
		})
	})
	t.Run("it is kept for the time that is left", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			f.hub.Deliver(nil, 1, filling("cache-c", "1", Stamp{1, 1}))
			time.Sleep(time.Minute - time.Second)
			if got := cached(f); got != "1" {
				t.Errorf("before: %q", got)
			}
			time.Sleep(time.Second)
			if got := cached(f); got != "" {
				t.Errorf("after: %q", got)
			}
			if n := f.channelsKept(); n != 0 {
				t.Errorf("%d channels are kept", n)
			}
		})
	})
	t.Run("what makes no sense is not kept", func(t *testing.T) {
		f, _ := newHeard(t, nil)
		for _, r := range []Relayed{
			filling("c", "no cache channel", Stamp{1, 1}),
			filling("cache-no:name", "1", Stamp{1, 1}),
			filling("cache-c", "1", Stamp{}),
			filling("cache-c", "1", Stamp{1 << 63, 1}),
			{App: "1", Channel: "cache-c", Fill: &CacheFill{Stamp: Stamp{1, 1}, TTL: -1}},
		} {
			f.hub.Deliver(nil, 1, r)
		}
		if n := f.channelsKept(); n != 0 {
			t.Errorf("%d channels are kept", n)
		}
	})
	t.Run("what is on cache channels is told to a node that begins", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			g, _ := newHeard(t, nil)
			f.publish("cache-a", "e", "1")
			f.hub.Deliver(nil, 1, filling("cache-c", "2", Stamp{7, 1}))
			f.hub.Deliver(nil, 1, filling("cache-expired", "3", Stamp{8, 1}))
			f.connect().mustSubscribe("c")
			time.Sleep(30 * time.Second)
			f.hub.Deliver(nil, 1, filling("cache-expired", "4", Stamp{9, 1}))
			var told []string
			for r := range f.hub.Fills() {
				if r.Frame != nil {
					t.Errorf("%s is told as an event", r.Channel)
				}
				told = append(told, fmt.Sprint(r.Channel, " ", r.Fill.Data.Text(), " ", r.Fill.TTL))
				g.hub.Deliver(nil, 1, r)
			}
			slices.Sort(told)
			want := []string{
				fmt.Sprint("cache-a 1 ", f.app.CacheTTL-30*time.Second), "cache-c 2 30s", "cache-expired 4 1m0s",
			}
			if !slices.Equal(told, want) {
				t.Errorf("told %q, want %q", told, want)
			}
			if got := cached(g); got != "2" {
				t.Errorf("taken over: %q", got)
			}
		})
	})
}

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
			c.a.Detach()
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

func TestTerminated(t *testing.T) { // P-162
	f, e := newHeard(t, nil)
	a, b := f.connect(), f.connect()
	mustSignin(t, a, `{"id":"a"}`)
	mustSignin(t, b, `{"id":"b"}`)
	e.take()
	f.hub.Terminated("1", "a")
	f.hub.Terminated("1", "nobody")
	f.hub.Terminated("unknown", "b")
	if a.closedWith() != 4009 || b.closedWith() != 0 {
		t.Errorf("closed with %d and %d", a.closedWith(), b.closedWith())
	}
	expectSaid(t, e)
}

func TestGap(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f, e := newHeard(t, nil)
		c := f.connect()
		c.mustSubscribe("cache-a")
		c.mustSubscribe("b")
		f.has(1, "far", 1)
		c.take()
		e.take()
		f.hub.Gap(func(_ apps.ID, channel protocol.ChannelName) bool { return channel == "cache-a" || channel == "far" })
		frames := c.take()
		if len(frames) != 1 || frames[0].Raw != `{"event":"pipesocket:gap","channel":"cache-a","data":"{}"}` {
			t.Errorf("got %+v", frames)
		}
		if _, ok := f.hub.Cached(f.app, "cache-a"); ok {
			t.Error("it is cached")
		}
		expectSaid(t, e)
	})
}
