package hub

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

func withWatchlists(app *apps.App) { app.Watchlist = true }

func TestWatchlists(t *testing.T) {
	t.Run("P-168 P-169 P-170 a watcher is told the state and then the edges", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withWatchlists)
			w, a1, a2 := f.connect(), f.connect(), f.connect()
			mustSignin(t, a1, `{"id":"a"}`)
			mustSignin(t, w, `{"id":"w","watchlist":["b","a",7,"a",true]}`)
			expectEvents(t, w,
				`pusher:signin_success {"user_data":"{\"id\":\"w\",\"watchlist\":[\"b\",\"a\",7,\"a\",true]}"}`,
				`pusher_internal:watchlist_events {"events":[{"name":"offline","user_ids":["b","7"]},{"name":"online","user_ids":["a"]}]}`)
			mustSignin(t, a2, `{"id":"a"}`)
			expectEvents(t, w)
			a1.a.Detach(nil)
			expectEvents(t, w)
			a2.a.Detach(nil)
			expectEvents(t, w, `pusher_internal:watchlist_events {"events":[{"name":"offline","user_ids":["a"]}]}`)
			mustSignin(t, f.connect(), `{"id":"a"}`)
			expectEvents(t, w, `pusher_internal:watchlist_events {"events":[{"name":"online","user_ids":["a"]}]}`)
		})
	})
	t.Run("watching oneself is told once, in the first frame", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := newFixture(t, withWatchlists).connect()
			mustSignin(t, c, `{"id":"a","watchlist":["a"]}`)
			expectEvents(t, c, `pusher:signin_success {"user_data":"{\"id\":\"a\",\"watchlist\":[\"a\"]}"}`,
				`pusher_internal:watchlist_events {"events":[{"name":"online","user_ids":["a"]}]}`)
		})
	})
	t.Run("signing in again replaces the watchlist", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withWatchlists)
			w := f.connect()
			mustSignin(t, w, `{"id":"w","watchlist":["a"]}`)
			mustSignin(t, w, `{"id":"w","watchlist":["b"]}`)
			w.take()
			mustSignin(t, f.connect(), `{"id":"a"}`)
			expectEvents(t, w)
			mustSignin(t, f.connect(), `{"id":"b"}`)
			expectEvents(t, w, `pusher_internal:watchlist_events {"events":[{"name":"online","user_ids":["b"]}]}`)
		})
	})
	t.Run("P-171 of 101 ids the first 100 are watched", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withWatchlists)
			w := f.connect()
			ids := make([]string, 101)
			for i := range ids {
				ids[i] = fmt.Sprintf(`"u%d"`, i)
			}
			mustSignin(t, w, `{"id":"w","watchlist":[`+strings.Join(ids, ",")+`]}`)
			frames := w.take()
			if len(frames) != 3 || frames[1].Field("data") != `{"code":4302,"message":"Watchlist limit exceeded. Only the first 100 user IDs are accepted."}` {
				t.Fatalf("got %+v", frames)
			}
			mustSignin(t, f.connect(), `{"id":"u100"}`)
			expectEvents(t, w)
			mustSignin(t, f.connect(), `{"id":"u99"}`)
			expectEvents(t, w, `pusher_internal:watchlist_events {"events":[{"name":"online","user_ids":["u99"]}]}`)
		})
	})
	t.Run("P-172 without the feature nothing is told", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := newFixture(t, nil).connect()
			mustSignin(t, c, `{"id":"a","watchlist":["b"]}`)
			expectEvents(t, c, `pusher:signin_success {"user_data":"{\"id\":\"a\",\"watchlist\":[\"b\"]}"}`)
		})
	})
	t.Run("users are forgotten when nobody is signed in as them or watches them", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withWatchlists)
			c := f.connect()
			mustSignin(t, c, `{"id":"a","watchlist":["b","c"]}`)
			c.a.Detach(nil)
			if n := len(f.hub.tenant(f.app).users); n != 0 {
				t.Errorf("%d users are kept", n)
			}
		})
	})
}

func mustSignin(t *testing.T, c *client, userData string) {
	t.Helper()
	if refusal := c.signin(userData); refusal != nil {
		t.Fatalf("signin %s: %v", userData, refusal)
	}
}

func expectEvents(t *testing.T, c *client, want ...string) {
	t.Helper()
	if got := c.events(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTerminateUser(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, nil)
		a1, a2, b, member := f.connect(), f.connect(), f.connect(), f.connect()
		mustSignin(t, a1, `{"id":"a"}`)
		mustSignin(t, a2, `{"id":"a"}`)
		mustSignin(t, b, `{"id":"b"}`)
		member.mustSubscribe("presence-x", "a")
		f.hub.TerminateUser(f.app, "a")
		f.hub.TerminateUser(f.app, "nobody")                                        // P-216
		for c, want := range map[*client]int{a1: 4009, a2: 4009, b: 0, member: 0} { // P-162, P-163
			if got := c.closedWith(); got != want {
				t.Errorf("closed with %d, want %d", got, want)
			}
		}
	})
}
