package hub

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// holdRoundOf begins a round on a channel whatever its kind, like holdRound.
func (f *fixture) holdRoundOf(channel string) (release func()) {
	g := &gate{entered: make(chan struct{}), opened: make(chan struct{})}
	a, err := f.hub.Attach(f.app, g)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { a.Detach(nil) })
	c := &client{t: f.t, a: a}
	c.mustSubscribe(channel, "gate")
	published := make(chan struct{})
	go func() {
		defer close(published)
		f.publish(channel, "held", "")
	}()
	<-g.entered
	return func() { close(g.opened); <-published }
}

// fill publishes on a channel whose round is held until it takes no more.
func (f *fixture) fill(channel protocol.ChannelName) {
	for f.pending(channel) <= maxPendingBytes {
		f.publish(string(channel), "filler", strings.Repeat("x", 10_000))
	}
}

// A subscription is made in two steps: between them it counts, but its connection is
// sent nothing.
func TestSubscribeWaitsForOtherNodes(t *testing.T) {
	begin := func(c *client, turn *Turn) (done chan struct{}) {
		done = make(chan struct{})
		go func() {
			defer close(done)
			if refusal := c.subscribeIn(turn, "presence-cache-c", "u"); refusal != nil {
				c.t.Error(refusal)
			}
		}()
		return done
	}
	t.Run("what happens in between is in the snapshot, or as if before", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, e := newHeard(t, nil)
			other, c := f.connect(), f.connect()
			other.mustSubscribe("presence-cache-c", "other")
			other.take()
			release := e.holdBack(Told)
			turn := &Turn{}
			yielded := 0
			turn.Yield = func() { yielded++ }
			done := begin(c, turn)
			synctest.Wait()
			if info := f.hub.Channel(f.app, "presence-cache-c"); info.Subscriptions != 2 || info.Users != 2 {
				t.Errorf("in between: %+v", info)
			}
			f.hub.Apply(1, Share{ShareKey: memberKey("presence-cache-c", "far"), Present: true})
			f.hub.Deliver(nil, 1, Relayed{
				App: "1", Channel: "presence-cache-c", Frame: eventFrame("presence-cache-c", "e", "1"),
				Fill: &CacheFill{Event: "e", Data: protocol.PayloadOfText("1"), TTL: f.app.CacheTTL, Stamp: Stamp{1, 1}},
			})
			if len(c.frames) != 0 || yielded != 2 {
				t.Errorf("in between the connection has got %d frames, its goroutine has yielded %d times", len(c.frames), yielded)
			}
			release()
			<-done
			expectEvents(t, c, `pusher_internal:subscription_succeeded {"presence":{"count":3,"ids":["other","u","far"],`+
				`"hash":{"other":{"name":"other"},"u":{"name":"u"},"far":null}}}`, "e 1")
			expectEvents(t, other, `pusher_internal:member_added {"user_id":"u","user_info":{"name":"u"}}`,
				`pusher_internal:member_added {"user_id":"far","user_info":null}`, "e 1")
		})
	})
	t.Run("a connection that ends meanwhile leaves nothing behind", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, e := newHeard(t, nil)
			c := f.connect()
			release := e.holdBack(Told)
			done := begin(c, nil)
			synctest.Wait()
			ended := make(chan struct{})
			go func() { defer close(ended); c.a.Detach(nil) }()
			release()
			<-done
			<-ended
			if n := f.channelsKept(); n != 0 {
				t.Errorf("%d channels are kept", n)
			}
			want := []string{"channel_occupied", "member_added u", "cache_miss", "member_removed u", "channel_vacated"}
			if got := f.noted("presence-cache-c"); !slices.Equal(got, want) {
				t.Errorf("notices %q, want %q", got, want)
			}
		})
	})
	t.Run("a sign-in succeeds once the others know of it", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, e := newHeard(t, withWatchlists)
			watcher, c := f.connect(), f.connect()
			mustSignin(t, watcher, `{"id":"w","watchlist":["u"]}`)
			watcher.take()
			release := e.holdBack(Told)
			done := make(chan struct{})
			go func() { defer close(done); mustSignin(t, c, `{"id":"u","watchlist":["far"]}`) }()
			synctest.Wait()
			expectEvents(t, c)
			expectEvents(t, watcher, `pusher_internal:watchlist_events {"events":[{"name":"online","user_ids":["u"]}]}`)
			f.hub.Apply(1, Share{ShareKey: userKey("far"), Present: true})
			release()
			<-done
			expectEvents(t, c, `pusher:signin_success {"user_data":"{\"id\":\"u\",\"watchlist\":[\"far\"]}"}`,
				`pusher_internal:watchlist_events {"events":[{"name":"online","user_ids":["far"]}]}`)
		})
	})
}

// Who has come back at another node, and was confirmed there before the last connection
// to this one ends, has never left.
func TestTheLastOneLeavesWhenTheOthersHaveBeenHeard(t *testing.T) {
	for _, leave := range []struct {
		name string
		by   func(*client)
	}{
		{"unsubscribes", func(c *client) { _ = c.a.Unsubscribe(nil, "presence-c") }},
		{"disconnects", func(c *client) { c.a.Detach(nil) }},
	} {
		t.Run(leave.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f, e := newHeard(t, withWatchlists)
				watcher, c := f.connect(), f.connect()
				mustSignin(t, watcher, `{"id":"w","watchlist":["u"]}`)
				mustSignin(t, c, `{"id":"u"}`)
				watcher.mustSubscribe("presence-c", "w")
				c.mustSubscribe("presence-c", "u")
				watcher.take()
				before := f.noted("presence-c")
				release := e.holdBack(Heard)
				left := make(chan struct{})
				go func() { defer close(left); leave.by(c) }()
				synctest.Wait()
				f.hub.Apply(1, Share{ShareKey: memberKey("presence-c", "u"), Present: true, Info: `{"name":"u"}`})
				f.hub.Apply(1, Share{ShareKey: userKey("u"), Present: true})
				release()
				<-left
				expectEvents(t, watcher)
				if got := f.noted("presence-c"); !slices.Equal(got, before) {
					t.Errorf("notices %q, were %q", got, before)
				}
			})
		})
	}
}
