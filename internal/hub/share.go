package hub

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Share returns this node's share of something as it is now: what [Relay.Changed]
// has marked. It must not be called by the relay's methods that the hub calls.
func (h *Hub) Share(k ShareKey) Share {
	s := Share{ShareKey: k}
	t := h.known(k.App)
	if t == nil {
		return s
	}
	switch k.Kind {
	case ShareOfChannel, ShareOfMember:
		t.channelShare(&s)
	case ShareOfUser:
		t.usersMu.Lock()
		defer t.usersMu.Unlock()
		u := t.users[k.UserID]
		s.Present = u != nil && u.online()
	case ShareOfApp:
		t.appShare(&s)
	}
	return s
}

// channelShare fills in this node's share of a channel or of a member on it.
func (t *tenant) channelShare(s *Share) {
	at := t.shard(s.Channel)
	at.mu.Lock()
	defer at.mu.Unlock()
	c := at.channels[s.Channel]
	switch {
	case c == nil:
	case s.Kind == ShareOfMember:
		s.Since, s.Info, s.Present = c.members.share(s.UserID)
	default:
		s.Connections, s.Missed = c.hereLocked(), c.missRaised
	}
}

// Apply takes over a share of another node, and tells everybody here what has
// changed by it: connections, watchers, webhooks. Of one node the last telling
// counts. What cannot be a share, or is of an app that is not known here, is
// ignored.
func (h *Hub) Apply(n Node, s Share) {
	t := h.known(s.App)
	if t == nil || n > MaxNode {
		return
	}
	switch s.Kind {
	case ShareOfChannel, ShareOfMember:
		t.applyToChannel(n, &s)
	case ShareOfUser:
		if s.UserID != "" {
			t.applyUser(n, &s)
		}
	case ShareOfApp:
		t.applyApp(n, &s)
	}
}

// known returns the live state of an app, nil if there is no such app.
func (h *Hub) known(id apps.ID) *tenant {
	h.mu.RLock()
	t := h.tenants[id]
	h.mu.RUnlock()
	if t != nil {
		return t
	}
	app := h.registry.ByID(id)
	if app == nil {
		h.ignored.Store(true)
		app = h.registry.ByID(id) // it may have come just before that could be seen
	}
	if app == nil {
		return nil
	}
	return h.tenant(app)
}

// resync asks for what was ignored, which may be known by now.
func (h *Hub) resync() {
	if r, ok := h.relay.(Resyncer); ok && h.ignored.Swap(false) {
		r.Resync()
	}
}

// applyToChannel takes over another node's share of a channel or of a member.
func (t *tenant) applyToChannel(n Node, s *Share) {
	at := t.shard(s.Channel)
	at.mu.Lock()
	c := at.channels[s.Channel]
	if c == nil {
		if s.Zero() || !sensible(s) {
			at.mu.Unlock()
			return
		}
		c = at.channelLocked(t, s.Channel)
	}
	defer c.unlockAndDeliver(nil)
	if s.Kind == ShareOfChannel {
		c.applyLocked(n, s)
	} else {
		c.applyMemberLocked(n, s)
	}
	c.dropIfIdleLocked()
}

// sensible reports whether there can be a channel of the share's name.
func sensible(s *Share) bool {
	name, ok := protocol.ParseChannelName(string(s.Channel))
	return ok && name == s.Channel
}

// applyLocked takes over another node's subscriptions.
func (c *channel) applyLocked(n Node, s *Share) {
	occupied, missed, before := c.occupiedLocked(), c.missedLocked(), c.subscriptionsLocked()
	next := farShare{node: n, subscriptions: int32(atMost(s.Connections)), missed: s.Missed}
	c.farLocked().set(next)
	if !occupied && c.occupiedLocked() {
		c.emitLocked(Notice{Name: ChannelOccupied})
	}
	if !missed && c.missedLocked() {
		c.emitLocked(Notice{Name: CacheMissed})
	}
	if c.subscriptionsLocked() != before {
		c.countChangedLocked(c.tenant.app.Load())
	}
	if occupied && !c.occupiedLocked() {
		c.vacatedLocked()
	}
	if c.far.empty() {
		c.far = nil
	}
}

// applyMemberLocked takes over whether a user is on the channel at another node.
func (c *channel) applyMemberLocked(n Node, s *Share) {
	if s.UserID == "" || !c.kind.Has(protocol.Presence) {
		return
	}
	if s.Present {
		c.admitMemberLocked(n, s)
		return
	}
	entry := c.members.find(s.UserID)
	if entry == nil {
		return
	}
	gone, adopted := c.members.withdraw(entry, n)
	if adopted {
		c.memberChangedLocked(s.UserID)
	}
	if !gone {
		return
	}
	c.memberRemovedLocked(entry)
	if !c.occupiedLocked() {
		c.vacatedLocked()
	}
}

func (c *channel) admitMemberLocked(n Node, s *Share) {
	h := c.tenant.hub
	if !h.clock.heard(s.Since) {
		return
	}
	occupied := c.occupiedLocked()
	entry, arrived, adopted := c.members.admit(protocol.NewMemberText(s.UserID, s.Info), s.Since, n)
	if adopted {
		c.memberChangedLocked(s.UserID)
	}
	if !occupied {
		c.emitLocked(Notice{Name: ChannelOccupied})
	}
	if arrived {
		c.memberAddedLocked(entry)
	}
}
