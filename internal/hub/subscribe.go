package hub

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// SubscribeRequest is the content of a pusher:subscribe frame.
type SubscribeRequest struct {
	Channel string
	Auth    string // "" if missing

	// ChannelData is the exact text that was sent, nil if none was. It is signed
	// text: it is checked before it is parsed, and never re-encoded.
	ChannelData *string

	// MalformedChannelData is set if channel data came as something other than a
	// string, so that its signed text cannot be known.
	MalformedChannelData bool
}

// Subscribe joins the connection to a channel. This is the only way onto a
// channel, and the signature is verified here. On success the connection has
// been sent subscription_succeeded and what follows it (§3.3).
func (a *Attachment) Subscribe(t *Turn, r SubscribeRequest) *protocol.Refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.detached {
		return nil
	}
	name, ok := protocol.ParseChannelName(r.Channel)
	if !ok {
		return protocol.RefuseChannelName(r.Channel)
	}
	if a.subscriptions.find(name) != nil {
		return protocol.RefuseExisting(name)
	}
	if refusal := a.verifySubscribe(name, r); refusal != nil {
		return refusal
	}
	identity, refusal := a.presenceIdentity(name, r)
	if refusal != nil {
		return refusal
	}
	return a.join(t, name, identity)
}

// verifySubscribe checks that the connection may be on the channel: rows 4 to 8
// of the table in §3.2, and §5.3.
func (a *Attachment) verifySubscribe(name protocol.ChannelName, r SubscribeRequest) *protocol.Refusal {
	kind := name.Kind()
	if kind.Has(protocol.ToUser) {
		if a.signin == nil || a.signin.user.id != name.User() {
			return protocol.RefuseNoAuth(name)
		}
		return nil
	}
	if !kind.NeedsAuth() {
		return nil
	}
	if r.Auth == "" {
		return protocol.RefuseNoAuth(name)
	}
	key, signature, ok := auth.Split(r.Auth)
	if !ok {
		return protocol.RefuseAuthFormat(name)
	}
	pair, ok := a.App().Keys.Find(key)
	if !ok {
		return protocol.RefuseAuthKey(name, key)
	}
	if r.MalformedChannelData {
		return protocol.RefuseChannelData(name)
	}
	if kind.Has(protocol.Presence) && a.signin == nil && r.ChannelData == nil {
		return protocol.RefuseNoChannelData(name)
	}
	if !validSubscribeSignature(pair, a.id, name, r.ChannelData, signature) {
		return protocol.RefuseSignature(name, auth.ChannelText(a.id, name, r.ChannelData), signature)
	}
	return nil
}

func validSubscribeSignature(
	pair auth.Key, id protocol.SocketID, name protocol.ChannelName, channelData *string, signature string,
) bool {
	if pair.Secret.VerifyChannel(id, name, channelData, signature) {
		return true
	}
	// Some clients drop or invent channel data on private channels, where it
	// means nothing. On presence channels it names the user and must be covered.
	return channelData != nil && !name.Kind().Has(protocol.Presence) &&
		pair.Secret.VerifyChannel(id, name, nil, signature)
}

// join makes the subscription. On a single node the whole of it happens under
// one hold of the shard's lock, so that the newcomer's snapshot and everybody's
// later frames agree. Elsewhere see joinAcross.
func (a *Attachment) join(t *Turn, name protocol.ChannelName, identity protocol.MemberText) *protocol.Refusal {
	if a.tenant.hub.relay != nil {
		return a.joinAcross(t, name, identity)
	}
	c := a.tenant.lockChannel(name)
	defer c.unlockAndDeliver(t)
	sub, refusal := a.enterLocked(c, identity)
	if sub != nil {
		a.beginLocked(sub)
	}
	return refusal
}

// lockChannel returns the channel of the given name, made if need be, with its shard
// locked.
func (t *tenant) lockChannel(name protocol.ChannelName) *channel {
	s := t.shard(name)
	s.mu.Lock()
	return s.channelLocked(t, name)
}

// enterLocked makes the subscription count, and tells everybody else of it. The
// result is nil if it is refused, or the connection is to be closed.
func (a *Attachment) enterLocked(c *channel, identity protocol.MemberText) (*subscription, *protocol.Refusal) {
	if limit := a.App().MaxPresenceMembers; c.members.full(identity, limit) {
		c.dropIfIdleLocked()
		return nil, protocol.RefuseFull(c.name, limit)
	}
	if c.kind.NeedsAuth() && !a.authorize() { // a refused attempt does not count
		c.dropIfIdleLocked()
		return nil, nil
	}
	sub := &subscription{channel: c, to: a, outlet: a.outlet, deflate: a.deflate}
	occupied, first := c.occupiedLocked(), c.hereLocked() == 0
	c.joining++
	a.tenant.stats.subscriptions.Add(1)
	if first {
		a.tenant.stats.channels.Add(1)
		c.interestLocked(true)
	}
	c.changedLocked()
	if !occupied {
		c.emitLocked(Notice{Name: ChannelOccupied})
	}
	if c.kind.Has(protocol.Presence) {
		sub.member = c.enterMemberLocked(identity)
	}
	return sub, nil
}

// beginLocked makes the connection one of the channel's subscribers: it is greeted
// before it is in the list that everything is delivered by, and in the list before
// anything else about it is told.
func (a *Attachment) beginLocked(sub *subscription) {
	c := sub.channel
	c.joining--
	c.greetLocked(sub)
	c.addLocked(sub)
	a.subscriptions.add(sub)
	c.replayLocked(sub)
	c.countChangedLocked(a.App())
}

// greetLocked tells the newcomer that it is subscribed, before it is in the
// list that anything else is delivered by.
func (c *channel) greetLocked(sub *subscription) {
	if c.kind.Has(protocol.Presence) {
		sub.to.deliver(c.members.snapshot(c.name))
		return
	}
	sub.to.deliver(protocol.SubscriptionSucceeded(c.name))
}

// Unsubscribe takes the connection off a channel; success is silent.
func (a *Attachment) Unsubscribe(t *Turn, channelName string) *protocol.Refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.detached {
		return nil
	}
	sub := a.subscriptions.find(protocol.ChannelName(channelName))
	if sub == nil {
		return protocol.RefuseNoSubscription(channelName)
	}
	a.subscriptions.remove(sub)
	a.tenant.leave(&departure{hub: a.tenant.hub, turn: t}, sub)
	return nil
}

// leave ends a subscription and tells those who stay.
func (t *tenant) leave(d *departure, sub *subscription) {
	c := sub.channel
	c.shard.mu.Lock()
	if c.isLastLocked(sub) {
		d.hear(&c.shard.mu)
	}
	defer c.unlockAndDeliver(d.turn)
	sub.end()
	c.removeLocked(sub)
	t.stats.subscriptions.Add(-1)
	if sub.member != nil {
		c.exitMemberLocked(sub.member)
	}
	c.changedLocked()
	c.countChangedLocked(t.app.Load())
	if c.hereLocked() == 0 {
		t.stats.channels.Add(-1)
		c.interestLocked(false)
	}
	if !c.occupiedLocked() {
		c.vacatedLocked()
	}
	c.dropIfIdleLocked()
}

// countsSubscriptions reports whether changes of the channel's subscriptions are
// told to its subscribers and to webhooks (§3.9).
func (c *channel) countsSubscriptions(app *apps.App) bool {
	return app.SubscriptionCount && !c.kind.Has(protocol.Presence|protocol.ToUser)
}
