package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

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
			[]string{
				fmt.Sprint("await ", Heard), "changed member presence-c u", "changed channel presence-c", "interest presence-c false",
			},
		},
		{
			"the end of a connection that is the last one on two channels", nil,
			func(_ *fixture, c *client) { c.mustSubscribe("c", ""); c.mustSubscribe("d", "") },
			func(_ *fixture, c *client) { c.a.Detach(nil) },
			[]string{
				fmt.Sprint("await ", Heard), "changed channel c", "interest c false", "changed channel d", "interest d false", "changed app",
			},
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
			func(_ *fixture, c *client) { c.a.Detach(nil) },
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
