package hub

import (
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// shard guards the channels whose names hash to it.
type shard struct {
	mu       sync.Mutex
	channels map[protocol.ChannelName]*channel
}

// channel is one channel that is occupied, on whatever node, has a cached event, or
// has something pending. All fields but those of the first two blocks are guarded by
// the shard's mu.
type channel struct {
	// set by channelLocked, immutable
	tenant *tenant
	shard  *shard
	name   protocol.ChannelName

	drainer func() // drain, from the first time that a goroutine was needed; owned by whoever drains

	kind protocol.ChannelKind // set by channelLocked, immutable; here, where it takes no room

	draining    bool  // somebody runs rounds, or is about to
	owed        bool  // whoever holds the lock is about to: see unlockAndDeliver
	missRaised  bool  // somebody here has found the cache empty since it was last filled or the channel vacated
	countUntold bool  // the subscription count has changed since countSent
	countDue    bool  // the channel is in the hub's count schedule
	joining     int32 // subscriptions that are counted, but not in the roster yet
	deflating   int32 // subscribers that take compressed frames

	roster roster // pending segments and the running round hold views of it

	pending    *batch        // nil if nothing is
	pace       *pace         // nil while there were few subscribers
	roundTaken chan struct{} // non-nil while publishers wait; closed by letOnLocked

	members members // presence channels
	cached  *CachedEvent
	far     *far // nil if other nodes have nothing of it

	countSent time.Time // when the last subscription count went out
}

// channelLocked returns the channel of the given name, made if need be.
func (s *shard) channelLocked(t *tenant, name protocol.ChannelName) *channel {
	c := s.channels[name]
	if c == nil {
		c = &channel{tenant: t, shard: s, name: name, kind: name.Kind()}
		s.channels[name] = c
	}
	return c
}

// dropIfIdleLocked forgets a channel that nothing refers to any more. Whoever
// ends a subscription, a round or a cache entry calls it.
func (c *channel) dropIfIdleLocked() {
	if c.occupiedLocked() || c.draining || c.cached != nil || c.countDue {
		return
	}
	if c.missRaised || c.far != nil && (len(c.far.shares) > 0 || c.far.waiting != nil) {
		return
	}
	delete(c.shard.channels, c.name)
}

func (c *channel) addLocked(s *subscription) {
	c.roster.add(s)
	if s.deflate {
		c.deflating++
	}
}

func (c *channel) removeLocked(s *subscription) {
	c.roster.remove(s)
	if s.deflate {
		c.deflating--
	}
}

// emitLocked tells webhooks, except of channels that have none (§5.3).
func (c *channel) emitLocked(n Notice) {
	if c.kind.Has(protocol.ToUser) {
		return
	}
	n.App = c.tenant.app.Load()
	n.Channel = c.name
	c.tenant.hub.notices.Emit(n)
}
