package hub

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

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
			c.a.Detach(nil)
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
