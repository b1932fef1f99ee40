package hub

import "github.com/pipesocket/pipesocketd/internal/protocol"

// Deliver hands an event that another node has put in order to this node's
// subscribers, and keeps what it leaves on a cache channel. It is never relayed again.
// Calls for one node must come in the order in which that node relayed the events, one
// at a time. Rounds that are owed are run at the end of the turn, at once
// without one.
//
// It never waits for room: where a publisher of this node would be held back, the event
// waits behind those that came before it, up to 4 MiB on a channel, and so does one
// that has to follow others which have not been handed to everybody. What is more
// is dropped and counted.
func (h *Hub) Deliver(t *Turn, from Node, r Relayed) {
	tenant := h.known(r.App)
	if tenant == nil || r.Fill != nil && !h.clock.heard(r.Fill.Stamp) {
		return
	}
	a := arrival{Relayed: r}
	if r.Except != "" {
		a.except = tenant.attachment(r.Except)
	}
	if r.Follows {
		a.after = h.orders.open(from)
	}
	if !r.Followed {
		tenant.arrive(t, &a)
		return
	}
	if delivered := tenant.arrive(nil, &a); delivered != nil {
		h.orders.add(from, delivered)
	}
}

// arrival is an event of another node on its way to the subscribers.
type arrival struct {
	Relayed
	except *Attachment       // nil for nobody
	after  []<-chan struct{} // what it waits for: each is closed some time
	done   chan struct{}     // closed once it has been handed to all subscribers; nil if nobody asks
}

// arrive puts the event on its channel, or among those that wait for that. For one
// that is followed, the result is closed when it has been delivered; nil if it has
// been.
func (t *tenant) arrive(turn *Turn, a *arrival) (delivered <-chan struct{}) {
	s := t.shard(a.Channel)
	s.mu.Lock()
	c := s.channels[a.Channel]
	if c == nil && a.Fill != nil && fillable(a.Channel) {
		c = s.channelLocked(t, a.Channel)
	}
	if c == nil {
		s.mu.Unlock()
		return nil
	}
	defer c.unlockAndDeliver(turn)
	if len(a.after) > 0 || c.waitingLocked() || c.heldBackLocked() {
		return c.waitLocked(a)
	}
	c.takeUpLocked(a)
	if a.Followed && (!c.owed || c.roster.n > fewSubscribers) {
		delivered = c.followLocked()
	}
	c.dropIfIdleLocked()
	return delivered
}

func fillable(name protocol.ChannelName) bool {
	name, ok := protocol.ParseChannelName(string(name))
	return ok && name.Kind().Has(protocol.Cached)
}

// takeUpLocked is the moment of the event on its channel.
func (c *channel) takeUpLocked(a *arrival) {
	if a.Fill != nil && c.kind.Has(protocol.Cached) {
		c.fillFromLocked(a.Fill)
	}
	if a.Frame != nil {
		c.appendLocked(a.Frame, a.except)
	}
}
