package hub

import (
	"bytes"
	"context"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// CachedEvent is the last event that a backend published on a cache channel.
type CachedEvent struct {
	Event   string
	Data    protocol.Payload // shared, not to be changed
	Expires time.Time
}

// sweepEvery is how often expired cache entries of vacant channels are
// forgotten. Expiry itself is judged on every read; this only frees memory.
const sweepEvery = 30 * time.Second

// Cached returns the cached event of a channel, if there is one.
func (h *Hub) Cached(app *apps.App, name protocol.ChannelName) (CachedEvent, bool) {
	s := h.tenant(app).shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[name]; c != nil {
		if event := c.cachedLocked(time.Now()); event != nil {
			return *event, true
		}
		c.dropIfIdleLocked() // the expired event may have been all there was
	}
	return CachedEvent{}, false
}

// fillLocked makes p the cached event of the channel. The result is what other
// nodes are told of it, nil if there are none.
func (c *channel) fillLocked(p *Publication, app *apps.App) *CacheFill {
	data := bytes.Clone(p.Data)
	c.keepCachedLocked(CachedEvent{Event: p.Event, Data: data, Expires: time.Now().Add(app.CacheTTL)})
	if c.tenant.hub.relay == nil {
		return nil
	}
	fill := &CacheFill{Event: p.Event, Data: data, TTL: app.CacheTTL, Stamp: c.tenant.hub.clock.next()}
	c.farLocked().filled = fill.Stamp
	return fill
}

// fillFromLocked makes what another node tells the cached event, unless a later
// one is known.
func (c *channel) fillFromLocked(fill *CacheFill) {
	if fill.TTL <= 0 || !c.farLocked().filled.Before(fill.Stamp) {
		return
	}
	c.far.filled = fill.Stamp
	c.keepCachedLocked(CachedEvent{Event: fill.Event, Data: fill.Data, Expires: time.Now().Add(fill.TTL)})
}

func (c *channel) keepCachedLocked(event CachedEvent) {
	if c.cached == nil {
		c.cached = &CachedEvent{}
	}
	*c.cached = event
	if c.missRaised {
		c.missRaised = false
		c.changedLocked()
	}
}

// cachedLocked returns the cached event, nil if there is none that is fresh. The
// next one takes its place in memory: it is read under the lock.
func (c *channel) cachedLocked(now time.Time) *CachedEvent {
	if c.cached != nil && !now.Before(c.cached.Expires) {
		c.cached = nil
	}
	return c.cached
}

// replayLocked sends a new subscriber of a cache channel the cached event, or
// tells it and the webhooks that there is none (§3.8).
func (c *channel) replayLocked(sub *subscription) {
	if !c.kind.Has(protocol.Cached) {
		return
	}
	if event := c.cachedLocked(time.Now()); event != nil {
		sub.to.deliver(protocol.Event{Name: event.Event, Channel: c.name, Data: event.Data}.Encode())
		return
	}
	sub.to.deliver(protocol.CacheMiss(c.name))
	if !c.missedLocked() {
		c.missRaised = true
		c.changedLocked()
		c.emitLocked(Notice{Name: CacheMissed})
	}
}

func (h *Hub) sweepCaches(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for _, t := range h.allTenants() {
				t.sweepCaches(now)
			}
		}
	}
}

func (t *tenant) sweepCaches(now time.Time) {
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		for _, c := range s.channels {
			if c.cached != nil && c.cachedLocked(now) == nil {
				c.dropIfIdleLocked()
			}
		}
		s.mu.Unlock()
	}
}
