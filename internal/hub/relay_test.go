package hub

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// ear is a relay that notes what it is told.
type ear struct {
	mu     sync.Mutex
	said   []string
	events []Relayed
	hold   chan struct{} // Await for Told returns when it is closed; nil: at once
	asked  int           // to resync
}

func (e *ear) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = append(e.said, fmt.Sprintf(format, args...))
}

// take returns what was said since the last take.
func (e *ear) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	said := e.said
	e.said = nil
	return said
}

// Publish implements Relay.
func (e *ear) Publish(r Relayed) {
	e.note("event %s", r.Channel)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, r)
}

// Interest implements Relay.
func (e *ear) Interest(_ apps.ID, channel protocol.ChannelName, on bool) {
	e.note("interest %s %v", channel, on)
}

// Changed implements Relay.
func (e *ear) Changed(k ShareKey) {
	e.note("changed %s", strings.TrimSpace(fmt.Sprint(
		[...]string{"", "channel", "member", "user", "app"}[k.Kind], " ", k.Channel, " ", k.UserID)))
}

// Terminate implements Relay.
func (e *ear) Terminate(_ apps.ID, userID string) { e.note("terminate %s", userID) }

// Await implements Relay.
func (e *ear) Await(b Barrier) {
	e.note("await %d", b)
	e.mu.Lock()
	hold := e.hold
	e.mu.Unlock()
	if hold != nil && b&Told != 0 {
		<-hold
	}
}

// Resync implements Resyncer.
func (e *ear) Resync() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
}

// holdBack makes Await for Told wait until release is called.
func (e *ear) holdBack() (release func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hold = make(chan struct{})
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		close(e.hold)
		e.hold = nil
	}
}

func newHeard(t *testing.T, change func(*apps.App)) (*fixture, *ear) {
	t.Helper()
	e := &ear{}
	return newRelayedFixture(t, change, e), e
}

func expectSaid(t *testing.T, e *ear, want ...string) {
	t.Helper()
	if got := e.take(); !slices.Equal(got, want) {
		t.Errorf("the relay heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestWhatTheRelayIsTold(t *testing.T) {
	const both = Told | Heard
	for _, tt := range []struct {
		name   string
		change func(*apps.App)
		before func(*fixture, *client)
		do     func(*fixture, *client)
		want   []string
	}{
		{
			"the first subscriber of a channel", nil, nil,
			func(_ *fixture, c *client) { c.mustSubscribe("c") },
			[]string{"interest c true", "changed channel c", fmt.Sprint("await ", both)},
		},
		{
			"a further subscriber", nil,
			func(f *fixture, _ *client) { f.connect().mustSubscribe("c") },
			func(_ *fixture, c *client) { c.mustSubscribe("c") },
			[]string{"changed channel c", fmt.Sprint("await ", both)},
		},
		{
			"a member, after what others have told", nil, nil,
			func(_ *fixture, c *client) { c.mustSubscribe("presence-c", "u") },
			[]string{
				fmt.Sprint("await ", Heard),
				"interest presence-c true", "changed channel presence-c", "changed member presence-c u", fmt.Sprint("await ", both),
			},
		},
		{
			"a further connection of a member", nil,
			func(f *fixture, _ *client) { f.connect().mustSubscribe("presence-c", "u") },
			func(_ *fixture, c *client) { c.mustSubscribe("presence-c", "u") },
			[]string{fmt.Sprint("await ", Heard), "changed channel presence-c", fmt.Sprint("await ", both)},
		},
		{
			"the last one's leaving", nil,
			func(_ *fixture, c *client) { c.mustSubscribe("presence-c", "u") },
			func(_ *fixture, c *client) { _ = c.a.Unsubscribe(nil, "presence-c") },
			[]string{"changed member presence-c u", "changed channel presence-c", "interest presence-c false"},
		},
		{
			"a server-to-user channel", nil,
			func(f *fixture, c *client) { mustSignin(f.t.(*testing.T), c, `{"id":"u"}`) },
			func(_ *fixture, c *client) { c.mustSubscribe("#server-to-user-u") },
			[]string{"interest #server-to-user-u true", "changed channel #server-to-user-u", fmt.Sprint("await ", both)},
		},
		{
			"a sign-in", nil, nil,
			func(f *fixture, c *client) { mustSignin(f.t.(*testing.T), c, `{"id":"u"}`) },
			[]string{"changed user  u", fmt.Sprint("await ", both)},
		},
		{
			"an event on a channel without subscribers here", nil, nil,
			func(f *fixture, _ *client) { f.publish("c", "e", "1") },
			[]string{"event c", fmt.Sprint("await ", Told)},
		},
		{
			"an event on a channel with subscribers here, behind those of other nodes", nil,
			func(_ *fixture, c *client) { c.mustSubscribe("c") },
			func(f *fixture, _ *client) { f.publish("c", "e", "1") },
			[]string{fmt.Sprint("await ", Heard), "event c", fmt.Sprint("await ", Told)},
		},
		{
			"one event for several channels", nil, nil,
			func(f *fixture, _ *client) { f.hub.PublishEach(f.app, Publication{Event: "e"}, "c", "d") },
			[]string{"event c", "event d", fmt.Sprint("await ", Told)},
		},
		{
			"a client event, which waits for nothing", nil,
			func(_ *fixture, c *client) { c.mustSubscribe("private-c") },
			func(_ *fixture, c *client) { _ = c.clientEvent("private-c", "client-e", `"x"`) },
			[]string{"event private-c"},
		},
		{
			"the end of a user's connections", nil, nil,
			func(f *fixture, _ *client) { f.hub.TerminateUser(f.app, "u") },
			[]string{"terminate u", fmt.Sprint("await ", Told)},
		},
		{
			"a miss of a cache channel, and its filling", nil,
			func(_ *fixture, c *client) { c.mustSubscribe("cache-c") },
			func(f *fixture, _ *client) { f.publish("cache-c", "e", "1") },
			[]string{fmt.Sprint("await ", Heard), "changed channel cache-c", "event cache-c", fmt.Sprint("await ", Told)},
		},
		{
			"a connection under a quota", func(app *apps.App) { app.MaxConnections = 9 }, nil,
			func(f *fixture, _ *client) { f.connect() },
			[]string{"changed app", fmt.Sprint("await ", Heard), "changed app", fmt.Sprint("await ", both)},
		},
		{
			"a connection that comes under a quota as it is authorized",
			func(app *apps.App) { app.MaxConnections, app.AuthorizedConnections = 9, true }, nil,
			func(_ *fixture, c *client) { c.mustSubscribe("private-c") },
			[]string{
				fmt.Sprint("await ", Heard), "changed app", fmt.Sprint("await ", both),
				"interest private-c true", "changed channel private-c", fmt.Sprint("await ", both),
			},
		},
		{
			"a connection's end", nil, nil,
			func(_ *fixture, c *client) { c.a.Detach() },
			[]string{"changed app"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, e := newHeard(t, tt.change)
			c := f.connect()
			if tt.before != nil {
				tt.before(f, c)
			}
			e.take()
			tt.do(f, c)
			if got := e.take(); !slices.Equal(got, tt.want) {
				t.Errorf("the relay heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestRelayedEvents(t *testing.T) {
	t.Run("of a batch, those follow that come after another channel's", func(t *testing.T) {
		f, e := newHeard(t, nil)
		var events []Publication
		for _, channel := range []protocol.ChannelName{"a", "a", "b", "a"} {
			events = append(events, Publication{Channel: channel, Event: "e", Data: protocol.PayloadOfText("")})
		}
		f.hub.PublishInOrder(f.app, events)
		var got []string
		for _, r := range e.events {
			got = append(got, fmt.Sprintf("%s %v %v", r.Channel, r.Follows, r.Followed))
		}
		if want := []string{"a false false", "a false true", "b true true", "a true false"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("an excluded connection is looked for elsewhere only if it is not here", func(t *testing.T) {
		f, e := newHeard(t, nil)
		local := f.connect().a.SocketID()
		for _, except := range []protocol.SocketID{local, "1.1"} {
			f.hub.Publish(f.app, Publication{Channel: "c", Event: "e", Data: protocol.PayloadOfText(""), Except: except})
		}
		if got := []protocol.SocketID{e.events[0].Except, e.events[1].Except}; got[0] != "" || got[1] != "1.1" {
			t.Errorf("excluded: %q", got)
		}
	})
	t.Run("those of cache channels carry their fill, each with a later stamp", func(t *testing.T) {
		f, e := newHeard(t, nil)
		data := protocol.PayloadOfText("1")
		p := Publication{Channel: "cache-c", Event: "e", Data: data}
		f.hub.Publish(f.app, p)
		f.hub.Publish(f.app, p)
		copy(data, `"2"`)
		first, second := e.events[0].Fill, e.events[1].Fill
		if first.Event != "e" || first.Data.Text() != "1" || first.TTL != f.app.CacheTTL || !first.Stamp.Before(second.Stamp) {
			t.Errorf("got %+v, then %+v", first, second)
		}
	})
	t.Run("a client event that was held back is relayed once", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f, e := newHeard(t, nil)
			sender, reader := f.connect(), f.connect()
			sender.mustSubscribe("private-c")
			reader.mustSubscribe("private-c")
			end := f.holdRoundOf("private-c")
			f.fill("private-c")
			e.events = nil
			done := make(chan struct{})
			go func() {
				defer close(done)
				if refusal := sender.clientEvent("private-c", "client-e", `"x"`); refusal != nil {
					t.Error(refusal)
				}
			}()
			synctest.Wait()
			if len(e.events) != 0 {
				t.Errorf("%d events are relayed while the channel is full", len(e.events))
			}
			end()
			<-done
			if len(e.events) != 1 {
				t.Errorf("%d events are relayed", len(e.events))
			}
		})
	})
}

// holdRoundOf begins a round on a channel whatever its kind, like holdRound.
func (f *fixture) holdRoundOf(channel string) (release func()) {
	g := &gate{entered: make(chan struct{}), opened: make(chan struct{})}
	a, err := f.hub.Attach(f.app, g)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(a.Detach)
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
			release := e.holdBack()
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
			release := e.holdBack()
			done := begin(c, nil)
			synctest.Wait()
			ended := make(chan struct{})
			go func() { defer close(ended); c.a.Detach() }()
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
			release := e.holdBack()
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

func channelKey(channel protocol.ChannelName) ShareKey {
	return ShareKey{Kind: ShareOfChannel, App: "1", Channel: channel}
}

func memberKey(channel protocol.ChannelName, user string) ShareKey {
	return ShareKey{Kind: ShareOfMember, App: "1", Channel: channel, UserID: user}
}

func userKey(user string) ShareKey { return ShareKey{Kind: ShareOfUser, App: "1", UserID: user} }

func eventFrame(channel protocol.ChannelName, name, data string) protocol.Wire {
	return protocol.Event{Name: name, Channel: channel, Data: protocol.PayloadOfText(data)}.Encode()
}
