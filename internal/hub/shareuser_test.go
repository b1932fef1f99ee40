package hub

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

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
		b.a.Detach(nil)
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
		c.a.Detach(nil)
	})
	t.Run("a place that another node took at the same time is given back", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, e := newHeard(t, func(app *apps.App) { app.MaxConnections = 1 })
			release := e.holdBack(Told)
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
					a.Detach(nil)
				}
				all.settle()
				for _, x := range all.all {
					checkEmpty(t, x)
				}
			})
		})
	}
}
