package hub

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Publication is an event from a backend.
type Publication struct {
	Channel protocol.ChannelName
	Event   string
	Data    protocol.Payload // kept by the hub, not to be changed afterwards

	// Except is the connection that does not get the event, "" for none. One that
	// does not exist has no effect.
	Except protocol.SocketID
}

// maxPendingBytes is how much may wait on a channel for a round of delivery
// before publishers are held back. A round hands every subscriber all of it in
// one write; half of the default backlog limit, so that a burst alone cannot
// make a slow consumer of a connection that reads.
const maxPendingBytes = 128 << 10

// Publish delivers an event to the channel's subscribers and keeps it on a cache
// channel. It returns once the event is in order on its channel, before sockets
// are written.
func (h *Hub) Publish(app *apps.App, p Publication) {
	t := h.tenant(app)
	t.stats.published.Add(1)
	frame := protocol.Event{Name: p.Event, Channel: p.Channel, Data: p.Data}.Encode()
	except := t.attachment(p.Except)
	s := t.shard(p.Channel)
	s.mu.Lock()
	c := s.channels[p.Channel]
	if p.Channel.Kind().Has(protocol.Cached) {
		c = s.channelLocked(t, p.Channel)
		c.fillLocked(p, app)
	}
	var wait <-chan struct{}
	if c != nil {
		wait = c.publishLocked(frame, except)
	}
	s.mu.Unlock()
	if wait != nil {
		<-wait
	}
}

// publishLocked appends a publisher's frame. Where the result is not nil, the
// publisher waits for it after unlocking. It is closed when the running round
// takes what is pending, which depends on no socket and no publisher.
func (c *channel) publishLocked(frame protocol.Wire, except *Attachment) <-chan struct{} {
	c.appendLocked(frame, except)
	if c.pendingBytes <= maxPendingBytes {
		return nil
	}
	if c.roundTaken == nil {
		c.roundTaken = make(chan struct{})
	}
	return c.roundTaken
}
