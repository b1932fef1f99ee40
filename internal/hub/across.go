package hub

import (
	"sync"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Await waits for other nodes, as [Relay.Await] says. It returns at once where there
// are none.
func (h *Hub) Await(b Barrier) {
	if h.relay != nil {
		h.relay.Await(b)
	}
}

// await is Await of a goroutine with a turn.
func (h *Hub) await(t *Turn, b Barrier) {
	t.BeforeWait()
	h.relay.Await(b)
}

// joinAcross is join where there are other nodes: first the subscription counts, and
// everybody is told of it, then the newcomer is greeted. In between, what has been
// told is put in force everywhere: an event that any node takes up after the success
// frame arrives, and the snapshot has everybody whose own success came before.
// Attachment.mu is held all the time, so there is no leaving in between.
func (a *Attachment) joinAcross(
	t *Turn, name protocol.ChannelName, identity protocol.MemberText,
) *protocol.Refusal {
	h, kind := a.tenant.hub, name.Kind()
	if kind.Has(protocol.Presence | protocol.Cached) {
		h.await(t, Heard)
	}
	if kind.NeedsAuth() && !a.Authorized() && !a.tenant.full(name, identity) && !a.authorizeAcross(t) {
		return nil
	}
	sub, refusal := a.enter(t, name, identity)
	if sub == nil {
		return refusal
	}
	h.await(t, Told|Heard)
	a.begin(t, sub)
	return nil
}

func (a *Attachment) enter(
	t *Turn, name protocol.ChannelName, identity protocol.MemberText,
) (*subscription, *protocol.Refusal) {
	c := a.tenant.lockChannel(name)
	defer c.unlockAndDeliver(t)
	return a.enterLocked(c, identity)
}

func (a *Attachment) begin(t *Turn, sub *subscription) {
	sub.channel.shard.mu.Lock()
	defer sub.channel.unlockAndDeliver(t)
	a.beginLocked(sub)
}

// departure is what one goroutine is about to end of a connection's.
type departure struct {
	hub   *Hub
	turn  *Turn
	heard bool
}

// hear is called before the last of a channel, a member or a user ends, as far as this node knows.
// Where there are other nodes it waits, without the lock, until this one knows of everything
// that was confirmed elsewhere before: nobody is told that somebody has left who has come back
// there. Nodes hear of the end after that, so this holds for them as well.
func (d *departure) hear(lock *sync.Mutex) {
	if d.heard || d.hub.relay == nil {
		return
	}
	d.heard = true
	lock.Unlock()
	defer lock.Lock()
	d.hub.await(d.turn, Heard)
}

// isLastLocked reports whether a subscription is the last one of its channel or of its member, on
// all nodes as far as is known.
func (c *channel) isLastLocked(sub *subscription) bool {
	return c.subscriptionsLocked() == 1 || sub.member != nil && c.members.onlyHere(sub.member)
}

// full reports whether the channel takes no further member: an attempt that is
// refused must not count as authorized.
func (t *tenant) full(name protocol.ChannelName, identity protocol.MemberText) bool {
	s := t.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[name]
	return c != nil && c.members.full(identity, t.app.Load().MaxPresenceMembers)
}
