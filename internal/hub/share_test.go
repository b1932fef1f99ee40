package hub

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// has is a node's share of a channel.
func (f *fixture) has(n Node, channel protocol.ChannelName, subscriptions int) {
	f.hub.Apply(n, Share{ShareKey: channelKey(channel), Connections: subscriptions})
}

// hasMember is a node's share of a member since some moment; "" is no info.
func (f *fixture) hasMember(n Node, channel protocol.ChannelName, user, info string, since uint64) {
	f.hub.Apply(n, Share{ShareKey: memberKey(channel, user), Present: true, Info: info, Since: Stamp{since, uint64(n)}})
}

func (f *fixture) lacksMember(n Node, channel protocol.ChannelName, user string) {
	f.hub.Apply(n, Share{ShareKey: memberKey(channel, user)})
}

func expectNotices(t *testing.T, f *fixture, channel protocol.ChannelName, want ...string) {
	t.Helper()
	if got := f.noted(channel); !slices.Equal(got, want) {
		t.Errorf("notices %q, want %q", got, want)
	}
}

func TestSharesOfChannels(t *testing.T) {
	t.Run("a channel is occupied from the first subscriber anywhere to the last", func(t *testing.T) {
		f, _ := newHeard(t, nil)
		f.has(1, "c", 2)
		f.has(2, "c", 3)
		c := f.connect()
		c.mustSubscribe("c")
		if n := f.hub.Channel(f.app, "c").Subscriptions; n != 6 {
			t.Errorf("%d subscriptions, want 6", n)
		}
		f.has(1, "c", 0)
		c.a.Detach(nil)
		if all := f.hub.Channels(f.app, ""); len(all) != 1 || all[0].Subscriptions != 3 {
			t.Errorf("channels %+v", all)
		}
		f.has(2, "c", 0)
		expectNotices(t, f, "c", "channel_occupied", "channel_vacated")
		if n := f.channelsKept(); n != 0 {
			t.Errorf("%d channels are kept", n)
		}
	})
	t.Run("P-131 P-132 counts are of all nodes, changed here or there", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, withCounts)
			f.has(1, "c", 2)
			c := f.connect()
			c.mustSubscribe("c")
			f.has(1, "c", 5)
			f.has(1, "c", 5) // told again
			f.has(1, "c", 0)
			want := `[{"subscription_count":3} {"subscription_count":6} {"subscription_count":1}]`
			if got := fmt.Sprint(c.counts()); got != want {
				t.Errorf("told %s, want %s", got, want)
			}
			if n := count(f.noted("c"), string(SubscriptionCount)); n != 4 {
				t.Errorf("%d notices of counts, want 4", n)
			}
		})
	})
	t.Run("P-134 above 100 subscribers of all nodes a count is told every 5 s", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, withCounts)
			c := f.connect()
			c.mustSubscribe("c")
			c.take()
			for i := range 100 {
				f.has(1, "c", 200+i)
				time.Sleep(100 * time.Millisecond) // 10 s in all
			}
			time.Sleep(countInterval)
			got := c.counts()
			if len(got) > 4 || got[len(got)-1] != `{"subscription_count":300}` {
				t.Errorf("told %v", got)
			}
		})
	})
	t.Run("P-235 a cache miss is told once, whichever node's subscriber finds it", func(t *testing.T) {
		f, e := newHeard(t, nil)
		missed := Share{ShareKey: channelKey("cache-c"), Connections: 1, Missed: true}
		f.hub.Apply(1, missed)
		c := f.connect()
		c.mustSubscribe("cache-c")
		f.hub.Apply(2, missed)
		expectNotices(t, f, "cache-c", "channel_occupied", "cache_miss")
		f.publish("cache-c", "e", "1")
		for n := range Node(3) {
			f.has(n, "cache-c", 1) // they have got it
		}
		f.hub.Apply(1, missed)
		if n := count(f.noted("cache-c"), string(CacheMissed)); n != 2 {
			t.Errorf("%d misses are told, want 2", n)
		}
		e.take()
	})
	t.Run("what this node's subscribers have missed is its share until it is filled", func(t *testing.T) {
		f, _ := newHeard(t, nil)
		f.has(1, "cache-c", 1)
		c := f.connect()
		c.mustSubscribe("cache-c")
		if s := f.hub.Share(channelKey("cache-c")); !s.Missed || s.Connections != 1 {
			t.Errorf("share %+v", s)
		}
		c.a.Detach(nil)
		if s := f.hub.Share(channelKey("cache-c")); !s.Missed || s.Connections != 0 {
			t.Errorf("after leaving, while others are there: %+v", s)
		}
		f.has(1, "cache-c", 0)
		if s := f.hub.Share(channelKey("cache-c")); !s.Zero() {
			t.Errorf("after the channel was vacated: %+v", s)
		}
	})
}
