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

// join makes the subscription. The whole of it happens under the shard's lock,
// so that the newcomer's snapshot and everybody's later frames agree: the
// newcomer is greeted before it is in the list, and in the list before anything
// else about it is told.
func (a *Attachment) join(t *Turn, name protocol.ChannelName, identity protocol.MemberText) *protocol.Refusal {
	app := a.App()
	s := a.tenant.shard(name)
	s.mu.Lock()
	c := s.channelLocked(a.tenant, name)
	defer c.unlockAndDeliver(t)
	if c.members.full(identity, app.MaxPresenceMembers) {
		c.dropIfIdleLocked()
		return protocol.RefuseFull(name, app.MaxPresenceMembers)
	}
	if c.kind.NeedsAuth() && !a.authorize() { // a refused attempt does not count
		c.dropIfIdleLocked()
		return nil
	}
	sub := &subscription{channel: c, to: a, outlet: a.outlet, deflate: a.deflate}
	var arrived bool
	if c.kind.Has(protocol.Presence) {
		sub.member, arrived = c.members.enter(identity)
	}
	c.greetLocked(sub)
	occupied := c.roster.n == 0
	if arrived {
		c.appendLocked(sub.member.Added(name), nil)
	}
	c.addLocked(sub)
	a.subscriptions.add(sub)
	a.tenant.stats.subscriptions.Add(1)
	if occupied {
		a.tenant.stats.channels.Add(1)
		c.emitLocked(Notice{Name: ChannelOccupied})
	}
	if arrived {
		c.emitLocked(Notice{Name: MemberAdded, UserID: sub.member.UserID()})
	}
	c.replayLocked(sub)
	c.countChangedLocked(app)
	return nil
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
	a.tenant.leave(t, sub)
	return nil
}

// leave ends a subscription and tells those who stay.
func (t *tenant) leave(turn *Turn, sub *subscription) {
	c := sub.channel
	c.shard.mu.Lock()
	defer c.unlockAndDeliver(turn)
	sub.end()
	c.removeLocked(sub)
	t.stats.subscriptions.Add(-1)
	if sub.member != nil && c.members.exit(sub.member) {
		c.appendLocked(sub.member.Removed(c.name), nil)
		c.emitLocked(Notice{Name: MemberRemoved, UserID: sub.member.UserID()})
	}
	c.countChangedLocked(t.app.Load())
	if c.roster.n == 0 {
		t.stats.channels.Add(-1)
		c.missRaised = false
		c.emitLocked(Notice{Name: ChannelVacated})
	}
	c.dropIfIdleLocked()
}

// countsSubscriptions reports whether changes of the channel's subscriptions are
// told to its subscribers and to webhooks (§3.9).
func (c *channel) countsSubscriptions(app *apps.App) bool {
	return app.SubscriptionCount && !c.kind.Has(protocol.Presence|protocol.ToUser)
}
