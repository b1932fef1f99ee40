package hub

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func attachError(f *fixture) error {
	a, err := f.hub.Attach(f.app, &client{t: f.t})
	if err == nil {
		a.Detach(nil)
	}
	return err
}

func TestQuota(t *testing.T) {
	t.Run("P-018 the connection over the quota is refused until one leaves", func(t *testing.T) {
		f := newFixture(t, func(app *apps.App) { app.MaxConnections = 2 })
		f.connect()
		second := f.connect()
		if err := attachError(f); !errors.Is(err, protocol.CloseOverQuota) {
			t.Fatalf("the third connection: %v", err)
		}
		second.a.Detach(nil)
		if err := attachError(f); err != nil {
			t.Errorf("after one left: %v", err)
		}
	})
	t.Run("P-167 connections not yet authorized do not use up the quota", func(t *testing.T) {
		f := newFixture(t, func(app *apps.App) { app.MaxConnections, app.AuthorizedConnections = 1, true })
		first, second := f.connect(), f.connect()
		first.mustSubscribe("public")
		first.mustSubscribe("private-a")
		if !first.a.Authorized() || second.a.Authorized() {
			t.Error("authorization is not what was earned")
		}
		second.mustSubscribe("private-a") // answered by the close
		if code := second.closedWith(); code != 4004 {
			t.Errorf("one that becomes authorized over the quota is closed with %d, want 4004", code)
		}
		if n := f.hub.Channel(f.app, "private-a").Subscriptions; n != 1 {
			t.Errorf("%d subscriptions, want 1", n)
		}
		first.a.Detach(nil)
		third := f.connect()
		mustSignin(t, third, `{"id":"a"}`)
		if code := third.closedWith(); code != 0 {
			t.Errorf("closed with %d although one place was free", code)
		}
	})
	t.Run("P-166 a full presence channel does not authorize", func(t *testing.T) {
		f := newFixture(t, func(app *apps.App) { app.AuthorizedConnections, app.MaxPresenceMembers = true, 1 })
		f.connect().mustSubscribe("presence-a", "1")
		c := f.connect()
		if refusal := c.subscribe("presence-a", "2"); refusal == nil || c.a.Authorized() {
			t.Errorf("refusal %v, authorized %v", refusal, c.a.Authorized())
		}
	})
}

func TestReconfigure(t *testing.T) {
	f := newFixture(t, nil)
	c := f.connect()
	f.reconfigure(func(app *apps.App) { app.Keys = auth.Keys{{Key: "k2", Secret: "s2"}} })
	if refusal := c.subscribe("private-a"); refusal == nil || refusal.Message != "Invalid key in subscription auth data: 'k'" {
		t.Errorf("P-083: a revoked key is answered by %v", refusal)
	}
	f.reconfigure(func(app *apps.App) { app.Keys = auth.Keys{{Key: "k2", Secret: "s2"}, pair} })
	if refusal := c.subscribe("private-a"); refusal != nil {
		t.Errorf("P-082: another active key is answered by %v", refusal)
	}
	f.reconfigure(func(app *apps.App) { app.Enabled = false })
	if code := c.closedWith(); code != 4003 {
		t.Errorf("connections of a disabled app are closed with %d", code)
	}
	if err := attachError(f); !errors.Is(err, protocol.CloseAppDisabled) {
		t.Errorf("attach to a disabled app: %v", err)
	}
	f.reconfigure(func(app *apps.App) { app.Enabled = true })
	if err := attachError(f); err != nil {
		t.Errorf("attach to an app enabled again: %v", err)
	}
}

// A request may hold an app that a reload has taken away meanwhile, and be the
// first that the hub hears of it.
func TestAttachToAppThatIsGone(t *testing.T) {
	f := newFixture(t, nil)
	stale := f.app
	f.reconfigure(func(app *apps.App) { app.ID = "2" })
	f.app = stale
	if err := attachError(f); !errors.Is(err, protocol.CloseAppDisabled) {
		t.Errorf("attach: %v, want 4003", err)
	}
}

func TestDetachForgetsEverything(t *testing.T) { // P-098
	f := newFixture(t, withWatchlists)
	for range 100 {
		c := f.connect()
		for i := range 40 { // more than are searched one by one
			c.mustSubscribe(fmt.Sprintf("c%d", i))
		}
		c.mustSubscribe("presence-a", "1")
		mustSignin(t, c, `{"id":"a","watchlist":["b"]}`)
		c.mustSubscribe("#server-to-user-a")
		if refusal := c.a.Unsubscribe(nil, "c7"); refusal != nil {
			t.Fatal(refusal)
		}
		if refusal := c.a.Unsubscribe(nil, "c7"); refusal == nil {
			t.Fatal("P-095: unsubscribed twice")
		}
		c.a.Detach(nil)
		c.a.Detach(nil)
		if refusal := c.subscribe("late"); refusal != nil {
			t.Fatalf("after Detach: %v", refusal)
		}
		if refusal := c.a.Unsubscribe(nil, "c1"); refusal != nil {
			t.Fatalf("after Detach: %v", refusal)
		}
	}
	f.hub.drains.wait()
	tenant := f.hub.tenant(f.app)
	if n := f.channelsKept(); n != 0 || len(tenant.sockets) != 0 || len(tenant.users) != 0 ||
		tenant.counted != 0 || tenant.stats.subscriptions.Load() != 0 || tenant.stats.channels.Load() != 0 {
		t.Errorf("kept: %d channels, %d sockets, %d users, %d counted", n, len(tenant.sockets), len(tenant.users), tenant.counted)
	}
	if all := f.hub.Channels(f.app, ""); len(all) != 0 {
		t.Errorf("occupied: %v", all)
	}
}
