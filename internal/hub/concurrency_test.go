package hub

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// frail is a client that is too slow now and then and ends as a session does:
// Close detaches it on another goroutine.
type frail struct {
	*client
	ends       *sync.WaitGroup
	once       sync.Once
	attached   chan *Attachment // capacity 1
	deliveries int              // guarded by client.mu
}

func (c *frail) Deliver(w protocol.Wire) error {
	c.mu.Lock()
	c.deliveries++
	slow := c.deliveries%97 == 0
	c.mu.Unlock()
	if slow {
		return errors.New("too slow")
	}
	return c.client.Deliver(w)
}

func (c *frail) Outlet() Outlet { return c }

func (c *frail) Close(e protocol.CloseError) {
	c.client.Close(e)
	c.once.Do(func() { c.ends.Go(func() { (<-c.attached).Detach(nil) }) })
}

// live connects, does what clients do and ends; in channels there is one of each
// kind of channel.
func (f *fixture) live(user string, channels []string, ends *sync.WaitGroup) {
	c := &frail{client: &client{t: f.t}, ends: ends, attached: make(chan *Attachment, 1)}
	a, err := f.hub.Attach(f.app, c)
	if err != nil {
		return // over the quota, or the app is disabled just now
	}
	c.a = a
	c.attached <- a
	// Refusals and closes come in between; what is left at the end is what counts.
	_ = c.signin(fmt.Sprintf(`{"id":%q,"watchlist":["u1","u2",%q]}`, user, user))
	for _, name := range channels {
		_ = c.subscribe(name, user)
	}
	_ = c.clientEvent("private-a", "client-e", `"x"`)
	_ = c.a.Unsubscribe(nil, "cache-a")
	a.Detach(nil)
}

// Reloads, terminations, slow consumers, quotas, publishers and queries at once:
// no lock order is violated, notices alternate, and nothing is left behind.
func TestEverythingAtOnce(t *testing.T) {
	const connections, lives = 16, 100
	channels := []string{"private-a", "presence-cache-a", "cache-a", "#server-to-user-u1"}
	f := newFixture(t, func(app *apps.App) {
		app.Watchlist, app.SubscriptionCount, app.AuthorizedConnections, app.MaxConnections = true, true, true, 12
	})
	stop := make(chan struct{})
	var background, work, ends sync.WaitGroup
	for _, do := range []func(i int){
		func(i int) { f.publish(channels[i%len(channels)], "e", fmt.Sprint(i)) },
		func(i int) { f.hub.TerminateUser(f.app, fmt.Sprint("u", i%5)) },
		func(i int) {
			app := *f.app
			app.Enabled = i%8 != 0
			if err := f.hub.registry.Replace(&app); err != nil {
				t.Error(err)
			}
			f.hub.Reconfigure()
		},
		func(int) {
			f.hub.Channels(f.app, "")
			f.hub.Users(f.app, "presence-cache-a")
			f.hub.Cached(f.app, "cache-a")
		},
	} {
		background.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					do(i)
				}
			}
		})
	}
	for i := range connections {
		work.Go(func() {
			for range lives {
				f.live(fmt.Sprint("u", i%5), channels, &ends)
			}
		})
	}
	work.Wait()
	close(stop)
	background.Wait()
	f.hub.drains.wait()
	ends.Wait() // the last rounds may still have closed somebody

	checkAlternation(t, f.noted("presence-cache-a"))
	checkAlternation(t, f.noted("private-a"))
	tenant := f.hub.tenant(f.app)
	if len(tenant.sockets)+len(tenant.users)+tenant.counted != 0 ||
		tenant.stats.subscriptions.Load() != 0 || tenant.stats.channels.Load() != 0 {
		t.Errorf("kept: %d sockets, %d users, %d counted", len(tenant.sockets), len(tenant.users), tenant.counted)
	}
	for _, name := range channels {
		if info := f.hub.Channel(f.app, protocol.ChannelName(name)); info.Subscriptions+info.Users != 0 {
			t.Errorf("kept: %+v", info)
		}
	}
}
