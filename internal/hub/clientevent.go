package hub

import (
	"time"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
)

// ClientEvent sends a client-… event of this connection to the others on the
// channel (§4). The checks are in the order of the table there. The frame's
// values are copied where they are kept.
func (a *Attachment) ClientEvent(f protocol.Frame) *protocol.Refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.detached {
		return nil
	}
	app := a.App()
	channelName, ok := f.Channel.Text()
	if !ok || f.Data.IsAbsent() {
		return protocol.RefuseClientEventShape
	}
	if !app.ClientEvents {
		return protocol.RefuseClientEventsOff
	}
	name := protocol.ChannelName(channelName)
	if !name.Kind().NeedsAuth() {
		return protocol.RefuseClientEventPublic
	}
	sub := a.subscriptions.find(name)
	if sub == nil {
		return protocol.RefuseClientEventUnsubscribed(channelName)
	}
	if utf8.RuneCountInString(f.Event) > protocol.MaxEventName {
		return protocol.RefuseClientEventNameSize
	}
	data := protocol.PayloadOf(f.Data)
	if data.Len() > app.MaxEventBytes {
		return protocol.RefuseEventSize(app.MaxEventBytes)
	}
	limit := ratelimit.PerSecond(app.ClientEventRate, app.ClientEventRate)
	if !a.clientEvents.Allow(limit, time.Now()) {
		return protocol.RefuseClientEventRate
	}
	event := protocol.Event{Name: f.Event, Channel: name, Data: data}
	if sub.member != nil {
		event.UserID = sub.member.UserID
	}
	relayed := event
	if app.ClientEventsVerbatim {
		relayed.Data = protocol.Payload(f.Data)
	}
	a.tenant.stats.clientEvents.Add(1)
	frame := relayed.Encode()
	for {
		full := a.relay(sub.channel, event, frame)
		if full == nil {
			return nil
		}
		<-full
	}
}

// relay hands the event to the other subscribers and to webhooks, which always
// get its data as a string. If the channel is full it does nothing and returns
// what to wait for before the next attempt.
func (a *Attachment) relay(c *channel, event protocol.Event, frame protocol.Wire) (full <-chan struct{}) {
	c.shard.mu.Lock()
	defer c.unlockAndDeliver()
	if full = c.fullLocked(); full != nil {
		return full
	}
	c.appendLocked(frame, a)
	c.emitLocked(Notice{
		Name:     ClientEventSent,
		UserID:   event.UserID,
		Event:    event.Name,
		Data:     append(protocol.Payload(nil), event.Data...), // not the reader's buffer
		SocketID: a.id,
	})
	return nil
}
