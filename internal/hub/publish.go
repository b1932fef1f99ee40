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
	o := outgoing{
		Publication: p,
		app:         app,
		frame:       protocol.Event{Name: p.Event, Channel: p.Channel, Data: p.Data}.Encode(),
		except:      t.attachment(p.Except),
		follow:      follow,
		kept:        t.hub.keeps(app, p.Channel),
	}
	for {
		full, delivered := t.tryPublish(&o)
		if full == nil {
			return delivered
		}
		<-full
	}
}

// outgoing is a publication on its way to its channel.
type outgoing struct {
	Publication
	app    *apps.App
	frame  protocol.Wire
	except *Attachment // nil for nobody
	follow bool
	kept   bool // in the event log
}

// tryPublish does nothing if the channel is full and returns what to wait for
// before the next attempt.
func (t *tenant) tryPublish(o *outgoing) (full, delivered <-chan struct{}) {
	s := t.shard(o.Channel)
	s.mu.Lock()
	c := s.channels[o.Channel]
	if o.Channel.Kind().Has(protocol.Cached) {
		c = s.channelLocked(t, o.Channel)
	}
	if c == nil {
		defer s.mu.Unlock()
		t.keepLocked(o)
		return nil, nil
	}
	defer c.unlockAndDeliver(nil)
	if full = c.fullLocked(); full != nil {
		return full, nil
	}
	if c.kind.Has(protocol.Cached) {
		c.fillLocked(o.Publication, o.app)
	}
	t.keepLocked(o)
	c.appendLocked(o.frame, o.except)
	if o.follow && (!c.owed || c.roster.n > fewSubscribers) {
		delivered = c.followLocked()
	}
	return nil, delivered
}

func (t *tenant) keepLocked(o *outgoing) {
	if o.kept {
		t.hub.events.Append(Accepted{App: o.app, Channel: o.Channel, Frame: o.frame, SocketID: o.Except})
	}
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
