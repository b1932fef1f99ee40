package hub

import (
	"maps"
	"math"
	"slices"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

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
