package hub

import (
	"time"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
)

// ClientEvent sends a client-… event of this connection to the others on the
// channel (§4). The checks are in the order of the table there. The frame's
// values are copied where they are kept.
func (a *Attachment) ClientEvent(t *Turn, f protocol.Frame) *protocol.Refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.detached {
		return nil
	}
	app := a.App()
	channelName, ok := f.Channel.TextBytes()
	if !ok || f.Data.IsAbsent() {
		return protocol.RefuseClientEventShape
	}
	if !app.ClientEvents {
		return protocol.RefuseClientEventsOff
	}
	sub := a.subscriptions.findBytes(channelName)
	if sub == nil {
		return refuseClientEventOn(string(channelName))
	}
	if !sub.channel.kind.NeedsAuth() {
		return protocol.RefuseClientEventPublic
	}
	if utf8.RuneCount(f.Event) > protocol.MaxEventName {
		return protocol.RefuseClientEventNameSize
	}
	if protocol.DataExceeds(f.Data, app.MaxEventBytes) {
		return protocol.RefuseEventSize(app.MaxEventBytes)
	}
	limit := ratelimit.PerSecond(app.ClientEventRate, app.ClientEventRate)
	if !a.clientEvents.Allow(limit, time.Now()) {
		return protocol.RefuseClientEventRate
	}
	event := protocol.ClientEvent{
		Name: f.Event, Channel: sub.channel.name, Data: f.Data, Verbatim: app.ClientEventsVerbatim,
	}
	if sub.member != nil {
		event.UserID = sub.member.UserID()
	}
	a.tenant.stats.clientEvents.Add(1)
	frame, data := event.Encode()
	told := telling{kept: a.tenant.hub.keeps(app, sub.channel.name), app: app}
	told.notice, told.heard = a.clientEventNotice(app, &event, data)
	for {
		full := a.relay(t, sub.channel, frame, &told)
		if full == nil {
			return nil
		}
		t.BeforeWait()
		<-full
	}
}

// refuseClientEventOn refuses an event on a channel that is not subscribed.
func refuseClientEventOn(channelName string) *protocol.Refusal {
	if !protocol.ChannelName(channelName).Kind().NeedsAuth() {
		return protocol.RefuseClientEventPublic
	}
	return protocol.RefuseClientEventUnsubscribed(channelName)
}

// clientEventNotice returns what webhooks are told of an event, always with its
// data as a string. It is made only if one of them hears it.
func (a *Attachment) clientEventNotice(
	app *apps.App, event *protocol.ClientEvent, data protocol.Payload,
) (n Notice, heard bool) {
	if !ClientEventSent.heardBy(app) {
		return Notice{}, false
	}
	if data == nil {
		data = protocol.PayloadOf(event.Data)
	}
	return Notice{
		Name:     ClientEventSent,
		UserID:   event.UserID,
		Event:    string(event.Name),
		Data:     data,
		SocketID: a.id,
	}, true
}

// telling is who learns of a client event besides the channel's subscribers.
type telling struct {
	app    *apps.App
	notice Notice
	heard  bool // the notice, by webhooks
	kept   bool // the event, in the event log
}

// relay hands the event to the other subscribers, on all nodes, to webhooks that
// hear it, and to the event log if it is kept. If the channel is full it does
// nothing and returns what to wait for before the next attempt.
func (a *Attachment) relay(t *Turn, c *channel, frame protocol.Wire, told *telling) (full <-chan struct{}) {
	c.shard.mu.Lock()
	defer c.unlockAndDeliver(t)
	if full = c.fullLocked(); full != nil {
		return full
	}
	c.appendLocked(frame, a)
	if r := c.tenant.hub.relay; r != nil {
		r.Publish(Relayed{App: c.tenant.id, Channel: c.name, Frame: frame}) // the sender is here
	}
	if told.heard {
		c.emitLocked(told.notice)
	}
	if told.kept {
		c.tenant.hub.events.Append(Accepted{App: told.app, Channel: c.name, Frame: frame, SocketID: a.id})
	}
	return nil
}
