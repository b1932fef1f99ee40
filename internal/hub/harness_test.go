package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var pair = auth.Key{Key: "k", Secret: "s"}

// fixture is a hub with one app and a note of its notices.
type fixture struct {
	t   testing.TB
	hub *Hub
	app *apps.App

	mu      sync.Mutex
	notices []Notice
}

// Emit implements NoticeSink.
func (f *fixture) Emit(n Notice) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notices = append(f.notices, n)
}

// noted returns the notices so far as "name channel user", of one channel.
func (f *fixture) noted(channel protocol.ChannelName) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, n := range f.notices {
		if n.Channel == channel {
			all = append(all, strings.TrimSpace(string(n.Name)+" "+n.UserID))
		}
	}
	return all
}

// newFixture starts a hub, which is stopped at the end of the test.
func newFixture(t testing.TB, change func(*apps.App)) *fixture {
	t.Helper()
	return newRelayedFixture(t, change, nil)
}

// newRelayedFixture is newFixture of one of several nodes.
func newRelayedFixture(t testing.TB, change func(*apps.App), relay Relay) *fixture {
	t.Helper()
	app := apps.Defaults()
	app.ID, app.Keys, app.ClientEvents, app.ClientEventRate = "1", auth.Keys{pair}, true, 1_000_000
	if change != nil {
		change(&app)
	}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, app: &app}
	f.hub = New(Options{Registry: registry, Notices: f, Relay: relay})
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() { defer close(done); _ = f.hub.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return f
}

// reconfigure is a reload that changes the app; not for concurrent use.
func (f *fixture) reconfigure(change func(*apps.App)) {
	f.t.Helper()
	app := *f.app
	change(&app)
	if err := f.hub.registry.Replace(&app); err != nil {
		f.t.Fatal(err)
	}
	f.app = &app
	f.hub.Reconfigure()
}

func (f *fixture) publish(channel, event, data string) {
	f.hub.Publish(f.app, Publication{
		Channel: protocol.ChannelName(channel), Event: event, Data: protocol.PayloadOfText(data),
	})
}

// client is a subscriber that notes what it is given.
type client struct {
	t testing.TB
	a *Attachment

	mu     sync.Mutex
	frames []testkit.Frame
	slow   bool // Deliver fails
	closed *protocol.CloseError
}

func (c *client) Deliver(w protocol.Wire) error {
	frames, err := testkit.ParseFrames(w)
	if err != nil {
		c.t.Errorf("delivered %q: %v", w, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.slow {
		return fmt.Errorf("too slow")
	}
	c.frames = append(c.frames, frames...)
	return nil
}

// Outlet implements Subscriber.
func (c *client) Outlet() Outlet { return c }

// Deflates implements Subscriber.
func (c *client) Deflates() bool { return false }

func (c *client) Close(e protocol.CloseError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		c.closed = &e
	}
}

func (c *client) closedWith() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed == nil {
		return 0
	}
	return c.closed.Code
}

// take returns what was delivered since the last take, once rounds are over; in
// a synctest bubble only.
func (c *client) take() []testkit.Frame {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	frames := c.frames
	c.frames = nil
	return frames
}

// events returns what was delivered since the last take as "event data".
func (c *client) events() []string {
	var all []string
	for _, f := range c.take() {
		all = append(all, f.Event+" "+f.Data)
	}
	return all
}

func (f *fixture) connect() *client {
	f.t.Helper()
	c := &client{t: f.t}
	a, err := f.hub.Attach(f.app, c)
	if err != nil {
		f.t.Fatalf("attach: %v", err)
	}
	c.a = a
	f.t.Cleanup(func() { a.Detach(nil) })
	return c
}

// subscribe joins a channel with whatever signature it needs; userID is for
// presence channels.
func (c *client) subscribe(channel string, userID ...string) *protocol.Refusal {
	return c.subscribeIn(nil, channel, userID...)
}

func (c *client) subscribeIn(turn *Turn, channel string, userID ...string) *protocol.Refusal {
	r := SubscribeRequest{Channel: channel}
	name := protocol.ChannelName(channel)
	if len(userID) > 0 {
		data := fmt.Sprintf(`{"user_id":%q,"user_info":{"name":%q}}`, userID[0], userID[0])
		r.ChannelData = &data
	}
	if name.Kind().NeedsAuth() {
		r.Auth = auth.Token(pair, auth.ChannelText(c.a.SocketID(), name, r.ChannelData))
	}
	return c.a.Subscribe(turn, r)
}

func (c *client) mustSubscribe(channel string, userID ...string) {
	c.t.Helper()
	if refusal := c.subscribe(channel, userID...); refusal != nil {
		c.t.Fatalf("subscribe %s: %v", channel, refusal)
	}
}

func (c *client) signin(userData string) *protocol.Refusal {
	return c.a.Signin(nil, auth.Token(pair, auth.UserText(c.a.SocketID(), userData)), userData)
}

func (c *client) clientEvent(channel, event, data string) *protocol.Refusal {
	return c.clientEventIn(nil, channel, event, data)
}

func (c *client) clientEventIn(turn *Turn, channel, event, data string) *protocol.Refusal {
	text, err := json.Marshal(map[string]any{"event": event, "channel": channel, "data": json.RawMessage(data)})
	if err != nil {
		c.t.Fatal(err)
	}
	frame, err := protocol.ParseFrame(text)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.a.ClientEvent(turn, frame)
}

func inBubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// names returns the names of events.
func names(frames []testkit.Frame) []string {
	all := make([]string, 0, len(frames))
	for _, f := range frames {
		all = append(all, f.Event)
	}
	return all
}
