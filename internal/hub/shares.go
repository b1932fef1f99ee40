package hub

import (
	"iter"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// lockedSteps is how many entries of a map are looked at under one hold of its
// lock: some 100 µs.
const lockedSteps = 4096

// Shares returns all of this node's shares, each as it is when its turn comes, read
// under its lock. What begins or changes meanwhile may be among them or not; the
// relay is told of it in any case.
func (h *Hub) Shares() iter.Seq[Share] {
	return func(yield func(Share) bool) {
		for k := range h.keys(here) {
			if s := h.Share(k); !s.Zero() && !yield(s) {
				return
			}
		}
	}
}

// Retain removes those shares of a node for which keep is false, and tells what has
// changed by that, like [Hub.Apply]. Nothing else of the node may be applied
// meanwhile.
func (h *Hub) Retain(n Node, keep func(ShareKey) bool) {
	for k := range h.keys(n) {
		if !keep(k) {
			h.Apply(n, Share{ShareKey: k})
		}
	}
}

// Forget removes all shares of a node, like [Hub.Retain]. The number may then be
// given to another one.
func (h *Hub) Forget(n Node) {
	h.Retain(n, func(ShareKey) bool { return false })
	h.orders.forget(n)
}

// keys returns what a node has shares of: members before their channels, so that a
// channel ends after its last member. No lock is held while a key is dealt with.
func (h *Hub) keys(n Node) iter.Seq[ShareKey] {
	return func(yield func(ShareKey) bool) {
		for _, t := range h.allTenants() {
			if !t.keys(n, yield) {
				return
			}
		}
	}
}

func (t *tenant) keys(n Node, yield func(ShareKey) bool) bool {
	var found []ShareKey
	for i := range t.shards {
		found = t.shards[i].appendKeys(found[:0], n)
		if !yieldAll(found, yield) {
			return false
		}
	}
	return yieldAll(t.appendUserKeys(found[:0], n), yield) && yield(ShareKey{Kind: ShareOfApp, App: t.id})
}

func yieldAll(keys []ShareKey, yield func(ShareKey) bool) bool {
	for _, k := range keys {
		if !yield(k) {
			return false
		}
	}
	return true
}

func (s *shard) appendKeys(found []ShareKey, n Node) []ShareKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	steps := 0
	for _, c := range s.channels {
		before := len(found)
		found = c.appendKeysLocked(found, n)
		if steps += 1 + len(found) - before; steps >= lockedSteps {
			steps = 0
			s.mu.Unlock() // a range over a map allows for changes
			s.mu.Lock()
		}
	}
	return found
}

func (c *channel) appendKeysLocked(found []ShareKey, n Node) []ShareKey {
	for _, id := range c.members.idsOn(n) {
		found = append(found, ShareKey{Kind: ShareOfMember, App: c.tenant.id, Channel: c.name, UserID: id})
	}
	if c.sharedByLocked(n) {
		found = append(found, ShareKey{Kind: ShareOfChannel, App: c.tenant.id, Channel: c.name})
	}
	return found
}

// sharedByLocked reports whether a node has a share of the channel.
func (c *channel) sharedByLocked(n Node) bool {
	if n == here {
		return c.hereLocked() > 0 || c.missRaised
	}
	return c.far != nil && c.far.has(n)
}

func (t *tenant) appendUserKeys(found []ShareKey, n Node) []ShareKey {
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	steps := 0
	add := func(id string, has bool) {
		if has {
			found = append(found, ShareKey{Kind: ShareOfUser, App: t.id, UserID: id})
		}
		if steps++; steps%lockedSteps == 0 {
			t.usersMu.Unlock()
			t.usersMu.Lock()
		}
	}
	if n == here {
		for id, u := range t.users {
			add(id, u.online())
		}
		return found
	}
	for id, on := range t.farUsers {
		add(id, on.has(n))
	}
	return found
}

// On reports whether the edge is on by the shares of all nodes: somebody is on the
// channel, or the user is.
func (h *Hub) On(e Edge) bool {
	t := h.known(e.App)
	if t == nil {
		return false
	}
	s := t.shard(e.Channel)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[e.Channel]
	switch {
	case c == nil || c.kind.Has(protocol.ToUser):
		return false
	case e.Member:
		return c.members.find(e.UserID) != nil
	}
	return c.occupiedLocked()
}

// AllOn returns all edges that are on, each as it was when its shard was looked at.
// Those of a channel come one after another, the channel first. No lock is held
// while one is dealt with.
func (h *Hub) AllOn() iter.Seq[Edge] {
	return func(yield func(Edge) bool) {
		var on []Edge
		for _, t := range h.allTenants() {
			for i := range t.shards {
				on = t.shards[i].appendOn(on[:0])
				for _, e := range on {
					if !yield(e) {
						return
					}
				}
			}
		}
	}
}

func (s *shard) appendOn(on []Edge) []Edge {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.channels {
		if !c.occupiedLocked() || c.kind.Has(protocol.ToUser) {
			continue
		}
		on = append(on, Edge{App: c.tenant.id, Channel: c.name})
		for _, id := range c.members.ids() {
			on = append(on, Edge{App: c.tenant.id, Channel: c.name, UserID: id, Member: true})
		}
	}
	return on
}
