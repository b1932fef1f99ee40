package hub

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Publication is an event from a backend.
type Publication struct {
	Channel protocol.ChannelName
	Event   string
	Data    protocol.Payload // read during the call; a cache channel keeps a copy

	// Except is the connection that does not get the event, "" for none. One that
	// does not exist has no effect.
	Except protocol.SocketID
}

// maxPendingBytes is how much may wait on a channel for a round of delivery
// before publishers are held back; one frame may go over it. A round hands every
// subscriber all of it in one write; half of the default backlog limit, so that
// a burst of however many publishers on one channel does not by itself make a
// slow consumer of a connection that reads.
const maxPendingBytes = 128 << 10

// Publish delivers an event to the channel's subscribers and keeps it on a cache
// channel. It returns once the event is in order on its channel and, where there
// are few subscribers, has been handed to them.
func (h *Hub) Publish(app *apps.App, p Publication) {
	h.tenant(app).publish(app, p, false)
}

// PublishInOrder publishes several events so that a connection on more than one
// of the channels gets them in this order (§7.4). Before an event for another
// channel it waits until the one before has been handed to all its subscribers,
// which depends on no slow socket.
func (h *Hub) PublishInOrder(app *apps.App, events []Publication) {
	t := h.tenant(app)
	for i, p := range events {
		another := i+1 < len(events) && events[i+1].Channel != p.Channel
		if delivered := t.publish(app, p, another); delivered != nil {
			<-delivered
		}
	}
}

// publish puts p in order on its channel, as soon as the channel has room. With
// follow, the result is closed when p has been delivered; nil if it has been or
// there is nobody.
func (t *tenant) publish(app *apps.App, p Publication, follow bool) (delivered <-chan struct{}) {
	t.stats.published.Add(1)
	frame := protocol.Event{Name: p.Event, Channel: p.Channel, Data: p.Data}.Encode()
	except := t.attachment(p.Except)
	for {
		full, delivered := t.tryPublish(app, p, frame, except, follow)
		if full == nil {
			return delivered
		}
		<-full
	}
}

// tryPublish does nothing if the channel is full and returns what to wait for
// before the next attempt.
func (t *tenant) tryPublish(
	app *apps.App, p Publication, frame protocol.Wire, except *Attachment, follow bool,
) (full, delivered <-chan struct{}) {
	s := t.shard(p.Channel)
	s.mu.Lock()
	c := s.channels[p.Channel]
	if p.Channel.Kind().Has(protocol.Cached) {
		c = s.channelLocked(t, p.Channel)
	}
	if c == nil {
		s.mu.Unlock()
		return nil, nil
	}
	defer c.unlockAndDeliver(nil)
	if full = c.fullLocked(); full != nil {
		return full, nil
	}
	if c.kind.Has(protocol.Cached) {
		c.fillLocked(p, app)
	}
	c.appendLocked(frame, except)
	if follow && (!c.owed || c.roster.n > fewSubscribers) {
		delivered = c.followLocked()
	}
	return nil, delivered
}

// fullLocked returns nil if the channel takes another event, otherwise what a
// publisher has to wait for without the lock. It is closed when the running
// round takes what is pending, which depends on no publisher, and on busy sockets
// for their patience only.
func (c *channel) fullLocked() <-chan struct{} {
	if c.pending == nil || c.pending.bytes <= maxPendingBytes {
		return nil
	}
	if c.roundTaken == nil {
		c.roundTaken = make(chan struct{})
	}
	return c.roundTaken
}
