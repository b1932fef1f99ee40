package hub

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func TestCacheChannels(t *testing.T) {
	t.Run("P-127 after cache_ttl the channel is a miss again", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			f.publish("cache-a", "e", "1")
			time.Sleep(f.app.CacheTTL - time.Millisecond)
			c := f.connect()
			c.mustSubscribe("cache-a")
			if got := c.events(); !slices.Contains(got, "e 1") {
				t.Errorf("before expiry: %q", got)
			}
			time.Sleep(2 * time.Millisecond)
			late := f.connect()
			late.mustSubscribe("cache-a")
			if got := late.events(); !slices.Contains(got, protocol.EventCacheMiss+" {}") {
				t.Errorf("after expiry: %q", got)
			}
			if _, found := f.hub.Cached(f.app, "cache-a"); found {
				t.Error("an expired event is still told of")
			}
		})
	})
	t.Run("P-128 the cache survives the channel being vacated, and is freed when it expires", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			c := f.connect()
			c.mustSubscribe("cache-a")
			f.publish("cache-a", "e", "1")
			c.a.Detach(nil)
			if _, found := f.hub.Cached(f.app, "cache-a"); !found {
				t.Fatal("the cache was lost")
			}
			time.Sleep(f.app.CacheTTL + 2*sweepEvery)
			if n := f.channelsKept(); n != 0 {
				t.Errorf("%d channels are kept after expiry", n)
			}
		})
	})
	t.Run("asking for an expired event leaves nothing behind", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			time.Sleep(time.Second) // so that the sweep comes later than the question
			f.publish("cache-a", "e", "1")
			time.Sleep(f.app.CacheTTL)
			if _, found := f.hub.Cached(f.app, "cache-a"); found {
				t.Error("an expired event is still told of")
			}
			if n := f.channelsKept(); n != 0 {
				t.Errorf("%d channels are kept", n)
			}
		})
	})
	t.Run("P-235 a miss is told to webhooks once until the cache is filled or the channel vacated", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			misses := func() int { return count(f.noted("cache-a"), string(CacheMissed)) }
			var clients []*client
			for range 10 {
				c := f.connect()
				clients = append(clients, c)
				c.mustSubscribe("cache-a")
			}
			if n := misses(); n != 1 {
				t.Fatalf("10 subscribers raised %d misses", n)
			}
			f.publish("cache-a", "e", "1")
			time.Sleep(f.app.CacheTTL)
			f.connect().mustSubscribe("cache-a")
			if n := misses(); n != 2 {
				t.Fatalf("after filling and expiry: %d misses, want 2", n)
			}
			for _, c := range clients {
				c.a.Detach(nil)
			}
			f.connect().mustSubscribe("cache-a")
			if n := misses(); n != 2 {
				t.Fatalf("while still occupied: %d misses, want 2", n)
			}
		})
	})
}

func count(all []string, what string) int {
	n := 0
	for _, s := range all {
		if s == what {
			n++
		}
	}
	return n
}

func (f *fixture) channelsKept() int {
	n := 0
	for _, t := range f.hub.allTenants() {
		for i := range t.shards {
			t.shards[i].mu.Lock()
			n += len(t.shards[i].channels)
			t.shards[i].mu.Unlock()
		}
	}
	return n
}

// §3.8: an event published while a subscription is in progress is delivered
// either as cached or live, once.
func TestCachedOrLiveOnce(t *testing.T) {
	const events, readers, rounds = 400, 5, 60
	f := newFixture(t, nil)
	f.publish("cache-a", "e", "0")
	var work sync.WaitGroup
	work.Go(func() {
		for i := 1; i <= events; i++ {
			f.publish("cache-a", "e", fmt.Sprint(i))
		}
	})
	clients := make([]*client, readers)
	for i := range clients {
		c := f.connect()
		clients[i] = c
		work.Go(func() {
			for range rounds {
				c.mustSubscribe("cache-a")
				if refusal := c.a.Unsubscribe(nil, "cache-a"); refusal != nil {
					t.Errorf("unsubscribe: %v", refusal)
				}
			}
			c.mustSubscribe("cache-a")
		})
	}
	work.Wait()
	f.hub.drains.wait()
	for _, c := range clients {
		checkRuns(t, c.frames, false)
		if last := c.frames[len(c.frames)-1]; last.Data != fmt.Sprint(events) {
			t.Errorf("the last event is %s, want %d", last.Data, events)
		}
	}
}

// Publish only reads the data: the memory may be used again at once.
func TestCachedEventsOwnTheirData(t *testing.T) {
	f := newFixture(t, nil)
	data := protocol.PayloadOfText("first")
	f.hub.Publish(f.app, Publication{Channel: "cache-c", Event: "e", Data: data})
	copy(data, `"other"`)
	if event, ok := f.hub.Cached(f.app, "cache-c"); !ok || event.Data.Text() != "first" {
		t.Errorf("the cached event is %q, %v", event.Data, ok)
	}
}
