package hub

import (
	"fmt"
	"slices"
	"testing"
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
