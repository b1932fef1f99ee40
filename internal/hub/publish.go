package hub

import (
	"slices"

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
// are few subscribers, has been handed to them, and other nodes have been told.
func (h *Hub) Publish(app *apps.App, p Publication) {
	h.PublishEach(app, p, p.Channel)
}

// PublishEach is Publish for each of several channels; that of p means nothing.
func (h *Hub) PublishEach(app *apps.App, p Publication, channels ...protocol.ChannelName) {
	t := h.tenant(app)
	if h.relay != nil && t.anySubscribed(channels) {
		h.Await(Heard) // what was published elsewhere before comes first
	}
	kept := false
	for _, p.Channel = range channels {
		t.publish(app, p, place{})
		kept = kept || h.keeps(app, p.Channel)
	}
	h.awaitAccepted(kept)
}

// PublishInOrder publishes several events so that a connection on more than one
// of the channels gets them in this order (§7.4). Before an event for another
// channel it waits until the one before has been handed to all its subscribers,
// which depends on no slow socket.
func (h *Hub) PublishInOrder(app *apps.App, events []Publication) {
	t := h.tenant(app)
	if h.relay != nil && t.anyPublished(events) {
		h.Await(Heard)
	}
	kept := false
	for i, p := range events {
		kept = kept || h.keeps(app, p.Channel)
		at := place{
			follows:  i > 0 && events[i-1].Channel != p.Channel,
			followed: i+1 < len(events) && events[i+1].Channel != p.Channel,
		}
		if delivered := t.publish(app, p, at); delivered != nil {
			<-delivered
		}
	}
	h.awaitAccepted(kept)
}

// awaitAccepted returns when other nodes know of what was published, and can look back
// at it if it is kept.
func (h *Hub) awaitAccepted(kept bool) {
	h.Await(Told)
	if log, ok := h.events.(SharedEventLog); ok && kept && h.relay != nil {
		log.Settle()
	}
}

// place is that of an event among others that are published in order.
type place struct {
	follows, followed bool // one on another channel
}

// publish puts p in order on its channel, as soon as the channel has room. If it is
// followed, the result is closed when p has been delivered; nil if it has been or
// there is nobody.
func (t *tenant) publish(app *apps.App, p Publication, at place) (delivered <-chan struct{}) {
	t.stats.published.Add(1)
	o := outgoing{
		Publication: p,
		app:         app,
		frame:       protocol.Event{Name: p.Event, Channel: p.Channel, Data: p.Data}.Encode(),
		except:      t.attachment(p.Except),
		place:       at,
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
	place
	app    *apps.App
	frame  protocol.Wire
	except *Attachment // nil for nobody
	kept   bool        // in the event log
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
		t.acceptLocked(o, nil)
		return nil, nil
	}
	defer c.unlockAndDeliver(nil)
	if full = c.fullLocked(); full != nil {
		return full, nil
	}
	var fill *CacheFill
	if c.kind.Has(protocol.Cached) {
		fill = c.fillLocked(&o.Publication, o.app)
	}
	t.acceptLocked(o, fill)
	c.appendLocked(o.frame, o.except)
	if o.followed && (!c.owed || c.roster.n > fewSubscribers) {
		delivered = c.followLocked()
	}
	return nil, delivered
}

// acceptLocked hands the event to the log that keeps it, and to the other nodes.
func (t *tenant) acceptLocked(o *outgoing, fill *CacheFill) {
	if o.kept {
		t.hub.events.Append(Accepted{App: o.app, Channel: o.Channel, Frame: o.frame, SocketID: o.Except})
	}
	if t.hub.relay == nil {
		return
	}
	r := Relayed{
		App: t.id, Channel: o.Channel, Frame: o.frame, Fill: fill, Follows: o.follows, Followed: o.followed,
	}
	if o.except == nil { // it may be a connection of another node
		r.Except = o.Except
	}
	t.hub.relay.Publish(r)
}

// anySubscribed reports whether any of the channels has subscribers here.
func (t *tenant) anySubscribed(channels []protocol.ChannelName) bool {
	return slices.ContainsFunc(channels, t.subscribed)
}

func (t *tenant) anyPublished(events []Publication) bool {
	return slices.ContainsFunc(events, func(p Publication) bool { return t.subscribed(p.Channel) })
}

func (t *tenant) subscribed(name protocol.ChannelName) bool {
	s := t.shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[name]
	return c != nil && c.hereLocked() > 0
}

// fullLocked returns nil if the channel takes another event, otherwise what a
// publisher has to wait for without the lock. It is closed when the running
// round takes what is pending, which depends on no publisher, and on busy sockets
// for their patience only, and when no events of other nodes wait any more.
func (c *channel) fullLocked() <-chan struct{} {
	if !c.heldBackLocked() && !c.waitingLocked() {
		return nil
	}
	if c.roundTaken == nil {
		c.roundTaken = make(chan struct{})
	}
	return c.roundTaken
}

// letOnLocked lets publishers look for room.
func (c *channel) letOnLocked() {
	if c.roundTaken != nil {
		close(c.roundTaken)
		c.roundTaken = nil
	}
}

// heldBackLocked reports whether the channel has no room for another event.
func (c *channel) heldBackLocked() bool {
	return c.pending != nil && c.pending.bytes > maxPendingBytes
}
