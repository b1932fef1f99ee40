package hub

import (
	"fmt"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func withCounts(app *apps.App) { app.SubscriptionCount = true }

// counts returns the numbers in the count frames since the last take.
func (c *client) counts() []string {
	var all []string
	for _, f := range c.take() {
		if f.Event == protocol.EventSubscriptionCount {
			all = append(all, f.Data)
		}
	}
	return all
}

func TestSubscriptionCount(t *testing.T) {
	t.Run("P-131 P-132 every change is told, to the newcomer after its success", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withCounts)
			a, b := f.connect(), f.connect()
			a.mustSubscribe("c")
			b.mustSubscribe("c")
			want := []string{
				"pusher_internal:subscription_succeeded {}", `pusher_internal:subscription_count {"subscription_count":2}`,
			}
			if got := b.events(); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("the newcomer got %q", got)
			}
			b.a.Detach(nil)
			if got := fmt.Sprint(a.counts()); got != `[{"subscription_count":1} {"subscription_count":2} {"subscription_count":1}]` {
				t.Errorf("the other got %s", got)
			}
		})
	})
	t.Run("P-134 P-236 above 100 subscribers one frame and one notice per 5 s tell the current value", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withCounts)
			first := f.connect()
			first.mustSubscribe("c")
			for range 99 {
				f.connect().mustSubscribe("c")
			}
			if got := first.counts(); len(got) != 100 {
				t.Fatalf("%d frames up to 100 subscribers", len(got))
			}
			notices := len(f.noted("c"))
			for range 50 {
				f.connect().mustSubscribe("c")
				time.Sleep(300 * time.Millisecond) // 15 s in all
			}
			time.Sleep(time.Minute)
			got := first.counts()
			if len(got) != 3 || got[2] != `{"subscription_count":150}` {
				t.Errorf("frames above 100: %v, want 3 of them, the last with 150", got)
			}
			if n := len(f.noted("c")) - notices; n != 3 {
				t.Errorf("%d notices above 100, want 3", n)
			}
		})
	})
	t.Run("P-134 what follows a count told early, below the limit, is told too", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withCounts)
			first, last := f.connect(), f.connect()
			first.mustSubscribe("c")
			for range 99 {
				f.connect().mustSubscribe("c")
			}
			last.mustSubscribe("c") // 101: to be told 5 s after the 100th
			time.Sleep(time.Second)
			last.a.Detach(nil) // 100: told at once
			time.Sleep(time.Second)
			f.connect().mustSubscribe("c") // 101 again
			time.Sleep(countInterval)
			got := first.counts()
			if len(got) != 102 || got[101] != `{"subscription_count":101}` {
				t.Errorf("%d frames, the last %s; want 102 and 101 subscribers", len(got), got[len(got)-1])
			}
		})
	})
	t.Run("a count that is due is not told once the feature is off", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withCounts)
			first := f.connect()
			first.mustSubscribe("c")
			for range 100 {
				f.connect().mustSubscribe("c")
			}
			first.take()
			f.reconfigure(func(app *apps.App) { app.SubscriptionCount = false })
			time.Sleep(2 * countInterval)
			if got := first.counts(); len(got) != 0 {
				t.Errorf("told %v", got)
			}
		})
	})
	t.Run("P-133 presence channels tell no counts", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			c := newFixture(t, withCounts).connect()
			c.mustSubscribe("presence-a", "1")
			if got := c.counts(); len(got) != 0 {
				t.Errorf("told %v", got)
			}
		})
	})
	t.Run("a channel vacated while a count is due is forgotten after it", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, withCounts)
			var all []*client
			for range 150 {
				c := f.connect()
				c.mustSubscribe("c")
				all = append(all, c)
			}
			for _, c := range all {
				c.a.Detach(nil)
			}
			time.Sleep(2 * countInterval)
			if n := f.channelsKept(); n != 0 {
				t.Errorf("%d channels are kept", n)
			}
		})
	})
}
