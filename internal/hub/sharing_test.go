package hub

import (
	"testing"
	"unsafe"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func sameMemory(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }

// What many connections have in common is kept once.
func TestSharing(t *testing.T) {
	t.Run("a connection's member text on several channels", func(t *testing.T) {
		c := newFixture(t, nil).connect()
		c.mustSubscribe("presence-a", "1")
		c.mustSubscribe("public")
		c.mustSubscribe("presence-b", "1")
		c.mustSubscribe("presence-c", "2")
		id := func(channel string) string {
			return c.a.subscriptions.find(protocol.ChannelName(channel)).member.UserID()
		}
		if !sameMemory(id("presence-a"), id("presence-b")) {
			t.Error("the same user's text is kept twice")
		}
		if id("presence-c") != "2" {
			t.Errorf("another user became %s", id("presence-c"))
		}
	})
	t.Run("the info of a user's connections and the ids of whom they watch", func(t *testing.T) {
		f := newFixture(t, withWatchlists)
		const data = `{"id":"a","user_info":{"n":1},"watchlist":["b","c"]}`
		c1, c2, other := f.connect(), f.connect(), f.connect()
		mustSignin(t, c1, data)
		mustSignin(t, c2, data)
		mustSignin(t, other, `{"id":"a","user_info":{"n":2},"watchlist":["c"]}`)
		s1, s2, s3 := c1.a.signin, c2.a.signin, other.a.signin
		if s1.user != s2.user || !sameMemory(s1.userInfo, s2.userInfo) || s1.watchlist[1] != s3.watchlist[0] {
			t.Error("what the connections of a user have in common is kept twice")
		}
		if s3.userInfo != `{"n":2}` {
			t.Errorf("other info became %s", s3.userInfo)
		}
		mustSignin(t, c1, `{"id":"a","user_info":{"n":3},"watchlist":["a"]}`)
		if s := c1.a.signin; s.userInfo != `{"n":3}` || c2.a.signin.userInfo != `{"n":1}` {
			t.Errorf("signed in again the info is %s, that of the other connection %s", s.userInfo, c2.a.signin.userInfo)
		}
	})
}
