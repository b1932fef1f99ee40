package hub

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
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
		c.a.Detach()
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
		c.a.Detach()
		if s := f.hub.Share(channelKey("cache-c")); !s.Missed || s.Connections != 0 {
			t.Errorf("after leaving, while others are there: %+v", s)
		}
		f.has(1, "cache-c", 0)
		if s := f.hub.Share(channelKey("cache-c")); !s.Zero() {
			t.Errorf("after the channel was vacated: %+v", s)
		}
	})
}

func TestSharesOfMembers(t *testing.T) {
	t.Run("a user is added with the first connection anywhere, and removed with the last", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, _ := newHeard(t, nil)
			reader, c := f.connect(), f.connect()
			reader.mustSubscribe("presence-c", "reader")
			reader.take()
			f.hasMember(1, "presence-c", "u", `{"x":1}`, 5)
			f.hasMember(2, "presence-c", "u", `{"x":1}`, 6)
			c.mustSubscribe("presence-c", "u")
			expectEvents(t, reader, `pusher_internal:member_added {"user_id":"u","user_info":{"x":1}}`)
			f.lacksMember(1, "presence-c", "u")
			f.lacksMember(2, "presence-c", "u")
			expectEvents(t, reader)
			if got := f.hub.Users(f.app, "presence-c"); !slices.Equal(got, []string{"reader", "u"}) {
				t.Errorf("users %v", got)
			}
			c.a.Detach()
			expectEvents(t, reader, `pusher_internal:member_removed {"user_id":"u"}`)
			expectNotices(t, f, "presence-c", "channel_occupied", "member_added reader", "member_added u", "member_removed u")
		})
	})
	t.Run("a channel is occupied before its members, and vacated after them, in whatever order that is told", func(t *testing.T) {
		f, _ := newHeard(t, nil)
		f.hasMember(1, "presence-c", "u", "", 1)
		f.has(1, "presence-c", 1)
		f.has(1, "presence-c", 0)
		f.lacksMember(1, "presence-c", "u")
		expectNotices(t, f, "presence-c", "channel_occupied", "member_added u", "member_removed u", "channel_vacated")
		if n := f.channelsKept(); n != 0 {
			t.Errorf("%d channels are kept", n)
		}
	})
	t.Run("P-117 the member limit counts those of all nodes", func(t *testing.T) {
		f, _ := newHeard(t, func(app *apps.App) { app.MaxPresenceMembers = 2 })
		f.hasMember(1, "presence-c", "u", "", 1)
		f.hasMember(2, "presence-c", "v", "", 1)
		c := f.connect()
		if refusal := c.subscribe("presence-c", "w"); refusal == nil {
			t.Error("a third member is let in")
		}
		c.mustSubscribe("presence-c", "u")
	})
	for _, tt := range []struct {
		name string
		do   func(f *fixture, c *client)
		want string // info of u
	}{
		{
			"the info is that of the first connection, on whatever node",
			func(f *fixture, c *client) {
				f.hasMember(1, "presence-c", "u", `"first"`, 5)
				c.mustSubscribe("presence-c", "u")
				f.hasMember(2, "presence-c", "u", `"third"`, 100)
			},
			`"first"`,
		},
		{
			"it outlives the first one",
			func(f *fixture, c *client) {
				f.hasMember(1, "presence-c", "u", `"first"`, 5)
				c.mustSubscribe("presence-c", "u")
				f.lacksMember(1, "presence-c", "u")
			},
			`"first"`,
		},
		{
			"one that came earlier, but is heard of later, has the info",
			func(f *fixture, c *client) {
				f.hasMember(2, "presence-c", "v", "", 100) // makes the clock later
				c.mustSubscribe("presence-c", "u")
				f.hasMember(1, "presence-c", "u", `"first"`, 5)
			},
			`"first"`,
		},
		{
			"and this node has adopted it when the other ends",
			func(f *fixture, c *client) {
				f.hasMember(2, "presence-c", "v", "", 100)
				c.mustSubscribe("presence-c", "u")
				f.hasMember(1, "presence-c", "u", `"first"`, 5)
				f.lacksMember(1, "presence-c", "u")
			},
			`"first"`,
		},
		{
			"one that comes later changes nothing",
			func(f *fixture, c *client) {
				c.mustSubscribe("presence-c", "u")
				f.hasMember(1, "presence-c", "u", `"later"`, 100)
			},
			`{"name":"u"}`,
		},
		{
			"without the first, the next one has it",
			func(f *fixture, _ *client) {
				f.hasMember(1, "presence-c", "u", `"first"`, 5)
				f.hasMember(2, "presence-c", "u", `"second"`, 6)
				f.hasMember(3, "presence-c", "u", `"third"`, 7)
				f.lacksMember(1, "presence-c", "u")
			},
			`"second"`,
		},
		{
			"a node tells another one: the user has come anew there",
			func(f *fixture, _ *client) {
				f.hasMember(1, "presence-c", "u", `"old"`, 5)
				f.hasMember(1, "presence-c", "u", `"new"`, 9)
			},
			`"new"`,
		},
		{
			"and back",
			func(f *fixture, _ *client) {
				f.hasMember(1, "presence-c", "u", `"old"`, 5)
				f.hasMember(1, "presence-c", "u", `"new"`, 9)
				f.hasMember(1, "presence-c", "u", `"old"`, 12)
			},
			`"old"`,
		},
	} {
		t.Run("P-111 "+tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f, e := newHeard(t, nil)
				c := f.connect()
				tt.do(f, c)
				e.take()
				late := f.connect()
				late.mustSubscribe("presence-c", "late")
				var snapshot struct {
					Presence struct {
						Hash map[string]any `json:"hash"`
					} `json:"presence"`
				}
				frame := late.take()[0]
				decode(t, frame.Data, &snapshot)
				var want any
				decode(t, tt.want, &want)
				if got := snapshot.Presence.Hash["u"]; fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("info %v, want %v", got, want)
				}
				if s := f.hub.Share(memberKey("presence-c", "u")); s.Present && s.Info != tt.want {
					t.Errorf("this node tells info %s, want %s", s.Info, tt.want)
				}
			})
		})
	}
	t.Run("adopting another info is told", func(t *testing.T) {
		f, e := newHeard(t, nil)
		f.hasMember(2, "presence-c", "v", "", 100)
		f.connect().mustSubscribe("presence-c", "u")
		e.take()
		f.hasMember(1, "presence-c", "u", `"first"`, 5)
		f.hasMember(1, "presence-c", "u", `"first"`, 5)
		expectSaid(t, e, "changed member presence-c u")
		if s := f.hub.Share(memberKey("presence-c", "u")); s.Since != (Stamp{5, 1}) {
			t.Errorf("present since %+v", s.Since)
		}
	})
	t.Run("what joins here is later than all that was heard", func(t *testing.T) {
		f, _ := newHeard(t, nil)
		f.hasMember(1, "presence-c", "v", "", 1000)
		f.connect().mustSubscribe("presence-c", "u")
		if s := f.hub.Share(memberKey("presence-c", "u")); s.Since.Count <= 1000 {
			t.Errorf("present since %+v", s.Since)
		}
	})
}

func TestSharesOfUsers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f, e := newHeard(t, withWatchlists)
		w := f.connect()
		f.hub.Apply(1, Share{ShareKey: userKey("a"), Present: true})
		mustSignin(t, w, `{"id":"w","watchlist":["a","b"]}`)
		if got := w.events(); got[len(got)-1] !=
			`pusher_internal:watchlist_events {"events":[{"name":"offline","user_ids":["b"]},{"name":"online","user_ids":["a"]}]}` {
			t.Errorf("P-168: the watcher is told %q", got)
		}
		online, offline := `pusher_internal:watchlist_events {"events":[{"name":"online","user_ids":["%s"]}]}`,
			`pusher_internal:watchlist_events {"events":[{"name":"offline","user_ids":["%s"]}]}`
		f.hub.Apply(1, Share{ShareKey: userKey("b"), Present: true})
		f.hub.Apply(2, Share{ShareKey: userKey("b"), Present: true})
		expectEvents(t, w, fmt.Sprintf(online, "b"))
		b := f.connect()
		mustSignin(t, b, `{"id":"b"}`)
		f.hub.Apply(1, Share{ShareKey: userKey("b")})
		f.hub.Apply(2, Share{ShareKey: userKey("b")})
		expectEvents(t, w)
		if s := f.hub.Share(userKey("b")); !s.Present {
			t.Error("this node does not tell who is signed in")
		}
		b.a.Detach()
		expectEvents(t, w, fmt.Sprintf(offline, "b"))
		f.hub.Forget(1)
		expectEvents(t, w, fmt.Sprintf(offline, "a"))
		if s := f.hub.Share(userKey("b")); !s.Zero() {
			t.Errorf("share %+v", s)
		}
		e.take()
	})
}

func TestQuotaOfSeveralNodes(t *testing.T) {
	appKey := ShareKey{Kind: ShareOfApp, App: "1"}
	t.Run("P-018 connections of all nodes use it up", func(t *testing.T) {
		f, _ := newHeard(t, func(app *apps.App) { app.MaxConnections = 3 })
		f.hub.Apply(1, Share{ShareKey: appKey, Connections: 5, Counted: 2})
		c := f.connect()
		if err := attachError(f); !errors.Is(err, protocol.CloseOverQuota) {
			t.Errorf("the fourth connection: %v", err)
		}
		if s := f.hub.Share(appKey); s.Connections != 1 || s.Counted != 1 {
			t.Errorf("share %+v", s)
		}
		f.hub.Apply(1, Share{ShareKey: appKey, Connections: 5, Counted: 1})
		if err := attachError(f); err != nil {
			t.Errorf("after one left elsewhere: %v", err)
		}
		c.a.Detach()
	})
	t.Run("a place that another node took at the same time is given back", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, e := newHeard(t, func(app *apps.App) { app.MaxConnections = 1 })
			release := e.holdBack()
			refused := make(chan error)
			go func() { refused <- attachError(f) }()
			synctest.Wait()
			f.hub.Apply(1, Share{ShareKey: appKey, Connections: 1, Counted: 1})
			release()
			if err := <-refused; !errors.Is(err, protocol.CloseOverQuota) {
				t.Errorf("attach: %v", err)
			}
			if s := f.hub.Share(appKey); !s.Zero() {
				t.Errorf("share %+v", s)
			}
		})
	})
	t.Run("P-167 so is that of one that is authorized, which is closed", func(t *testing.T) {
		f, _ := newHeard(t, func(app *apps.App) { app.MaxConnections, app.AuthorizedConnections = 1, true })
		f.hub.Apply(1, Share{ShareKey: appKey, Connections: 1, Counted: 1})
		c, d := f.connect(), f.connect()
		c.mustSubscribe("private-c") // answered by the close
		mustSignin(t, d, `{"id":"u"}`)
		if c.closedWith() != 4004 || d.closedWith() != 4004 {
			t.Errorf("closed with %d and %d, want 4004", c.closedWith(), d.closedWith())
		}
		if info := f.hub.Channel(f.app, "private-c"); info.Subscriptions != 0 {
			t.Errorf("%d subscriptions", info.Subscriptions)
		}
	})
	for _, limit := range []int{1, 10, 50} {
		t.Run(fmt.Sprintf("three nodes that are stormed share %d places", limit), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				all := newNodes(t, 3, time.Millisecond, 1, func(app *apps.App) { app.MaxConnections = limit })
				admitted := make(chan *Attachment, 120)
				for i := range cap(admitted) {
					x := all.all[i%3]
					all.running.Go(func() {
						a, err := x.hub.Attach(x.app, &client{t: t})
						if err != nil {
							a = nil
						}
						admitted <- a
					})
				}
				var in []*Attachment
				for range cap(admitted) {
					if a := <-admitted; a != nil {
						in = append(in, a)
					}
				}
				if len(in) > limit || len(in) < limit-3 {
					t.Errorf("%d connections are admitted", len(in))
				}
				for _, a := range in {
					a.Detach()
				}
				all.settle()
				for _, x := range all.all {
					checkEmpty(t, x)
				}
			})
		})
	}
}

func TestSharesThatMakeNoSense(t *testing.T) {
	f, _ := newHeard(t, nil)
	c := f.connect()
	c.mustSubscribe("presence-c", "u")
	before := f.noted("presence-c")
	for _, s := range []Share{
		{ShareKey: ShareKey{Kind: ShareOfChannel, App: "unknown", Channel: "c"}, Connections: 1},
		{ShareKey: ShareKey{Kind: 99, App: "1", Channel: "c"}, Connections: 1},
		{ShareKey: ShareKey{App: "1", Channel: "c"}, Connections: 1},
		{ShareKey: channelKey("c"), Connections: -5},
		{ShareKey: channelKey("no channel:name"), Connections: 1},
		{ShareKey: channelKey(""), Connections: 1},
		{ShareKey: channelKey("presence-c"), Connections: math.MinInt},
		{ShareKey: memberKey("c", "v"), Present: true},
		{ShareKey: memberKey("presence-c", ""), Present: true},
		{ShareKey: memberKey("presence-d", "v"), Present: true, Since: Stamp{Count: math.MaxUint64}},
		{ShareKey: memberKey("presence-c", "u")},
		{ShareKey: userKey(""), Present: true},
		{ShareKey: ShareKey{Kind: ShareOfApp, App: "1"}, Connections: -1, Counted: math.MinInt},
	} {
		f.hub.Apply(1, s)
	}
	f.hub.Apply(here, Share{ShareKey: memberKey("presence-c", "u")}) // no number of another node
	if got := f.noted("presence-c"); !slices.Equal(got, before) {
		t.Errorf("notices %q, want %q", got, before)
	}
	if n := f.channelsKept(); n != 1 {
		t.Errorf("%d channels are kept, want 1", n)
	}
	if tenant := f.hub.tenant(f.app); tenant.farCount != 0 || len(tenant.farUsers) != 0 || len(tenant.farApps) != 0 {
		t.Errorf("kept: %d counted, %v, %v", tenant.farCount, tenant.farUsers, tenant.farApps)
	}
	f.has(1, "c", math.MaxInt)
	f.has(2, "c", math.MaxInt)
	if n := f.hub.Channel(f.app, "c").Subscriptions; n != 2*math.MaxInt32 {
		t.Errorf("%d subscriptions", n)
	}
}

func TestShares(t *testing.T) {
	setUp := func(t *testing.T) *fixture {
		f, _ := newHeard(t, nil)
		a, b := f.connect(), f.connect()
		a.mustSubscribe("c")
		a.mustSubscribe("presence-c", "u")
		b.mustSubscribe("presence-c", "u")
		mustSignin(t, a, `{"id":"u"}`)
		f.has(1, "c", 1)
		f.has(2, "c", 1)
		f.has(1, "far", 2)
		f.has(1, "presence-c", 2)
		f.hasMember(1, "presence-c", "v", "", 1)
		f.hasMember(1, "presence-c", "u", "", 1)
		f.hasMember(2, "presence-c", "w", "", 1)
		f.hub.Apply(1, Share{ShareKey: userKey("v"), Present: true})
		f.hub.Apply(2, Share{ShareKey: userKey("v"), Present: true})
		f.hub.Apply(1, Share{ShareKey: ShareKey{Kind: ShareOfApp, App: "1"}, Connections: 3, Counted: 3})
		return f
	}
	t.Run("all of this node's are told, and none of others", func(t *testing.T) {
		f := setUp(t)
		got := make(map[ShareKey]int)
		for s := range f.hub.Shares() {
			if s.Zero() {
				t.Errorf("%+v is no share", s)
			}
			got[s.ShareKey] = s.Connections
		}
		want := map[ShareKey]int{
			channelKey("c"): 1, channelKey("presence-c"): 2, memberKey("presence-c", "u"): 0,
			userKey("u"): 0, {Kind: ShareOfApp, App: "1"}: 2,
		}
		if !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
	t.Run("a node that is forgotten has nothing any more", func(t *testing.T) {
		f := setUp(t)
		f.hub.Forget(1)
		f.hub.Forget(2)
		f.hub.Forget(3)
		expectNotices(t, f, "far", "channel_occupied", "channel_vacated")
		if got := f.hub.Users(f.app, "presence-c"); !slices.Equal(got, []string{"u"}) {
			t.Errorf("users %v", got)
		}
		if n := f.hub.Channel(f.app, "c").Subscriptions; n != 1 {
			t.Errorf("%d subscriptions of c, want 1", n)
		}
		tenant := f.hub.tenant(f.app)
		if len(tenant.farUsers) != 0 || len(tenant.farApps) != 0 || tenant.farCount != 0 {
			t.Errorf("kept: %v, %v", tenant.farUsers, tenant.farApps)
		}
	})
	t.Run("users go before their channel is vacated", func(t *testing.T) {
		f, _ := newHeard(t, nil)
		f.has(1, "presence-c", 1)
		f.hasMember(1, "presence-c", "u", "", 1)
		f.hub.Forget(1)
		expectNotices(t, f, "presence-c", "channel_occupied", "member_added u", "member_removed u", "channel_vacated")
	})
	t.Run("what is retained stays", func(t *testing.T) {
		f := setUp(t)
		f.hub.Retain(1, func(k ShareKey) bool { return k.Kind != ShareOfMember && k.Channel != "far" })
		if got := f.hub.Users(f.app, "presence-c"); !slices.Equal(got, []string{"u", "w"}) {
			t.Errorf("users %v", got)
		}
		if far, c := f.hub.Channel(f.app, "far").Subscriptions, f.hub.Channel(f.app, "c").Subscriptions; far != 0 || c != 3 {
			t.Errorf("%d subscriptions of far, %d of c", far, c)
		}
		if n := f.hub.tenant(f.app).farCount; n != 3 {
			t.Errorf("%d counted connections elsewhere, want 3", n)
		}
	})
	t.Run("edges are on while anybody's share says so", func(t *testing.T) {
		f := setUp(t)
		user := f.connect()
		mustSignin(t, user, `{"id":"x"}`)
		user.mustSubscribe("#server-to-user-x")
		on := func(channel protocol.ChannelName, user string) bool {
			return f.hub.On(Edge{App: "1", Channel: channel, UserID: user, Member: user != ""})
		}
		for _, tt := range []struct {
			channel protocol.ChannelName
			user    string
			want    bool
		}{
			{"c", "", true},
			{"far", "", true},
			{"nowhere", "", false},
			{"presence-c", "", true},
			{"#server-to-user-x", "", false},
			{"presence-c", "u", true},
			{"presence-c", "v", true},
			{"presence-c", "nobody", false},
			{"c", "u", false},
		} {
			if got := on(tt.channel, tt.user); got != tt.want {
				t.Errorf("%s %s: %v", tt.channel, tt.user, got)
			}
		}
		if f.hub.On(Edge{App: "unknown", Channel: "c"}) {
			t.Error("a channel of no app is on")
		}
		all := make(map[Edge]bool)
		for e := range f.hub.AllOn() {
			if e.Member && !all[Edge{App: "1", Channel: e.Channel}] {
				t.Errorf("%+v comes before its channel", e)
			}
			all[e] = true
		}
		if len(all) != 6 || all[Edge{App: "1", Channel: "#server-to-user-x"}] {
			t.Errorf("on: %v", all)
		}
	})
}

// The apps of nodes may be changed one node after another.
func TestSharesOfAppsThatComeLater(t *testing.T) {
	f, e := newHeard(t, nil)
	f.hub.Reconfigure()
	if e.asked != 0 {
		t.Error("asked without reason")
	}
	f.hub.Apply(1, Share{ShareKey: ShareKey{Kind: ShareOfChannel, App: "2", Channel: "c"}, Connections: 1})
	next := *f.app
	next.ID, next.Keys = "2", nil
	if err := f.hub.registry.Replace(f.app, &next); err != nil {
		t.Fatal(err)
	}
	f.hub.Reconfigure()
	if e.asked != 1 {
		t.Errorf("the others were asked %d times for what was ignored, want once", e.asked)
	}
	f.hub.Apply(1, Share{ShareKey: ShareKey{Kind: ShareOfChannel, App: "2", Channel: "c"}, Connections: 1})
	if n := f.hub.Channel(&next, "c").Subscriptions; n != 1 {
		t.Errorf("%d subscriptions", n)
	}
}
