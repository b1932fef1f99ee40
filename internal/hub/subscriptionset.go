package hub

import (
	"slices"
	"sync"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// subscription joins one connection to one channel. A new one is made for every
// subscribe, so that a delivery round that began before an unsubscribe cannot
// reach a later subscription of the same connection.
type subscription struct {
	// set by join, immutable
	channel *channel
	to      *Attachment
	outlet  Outlet  // of to; here too, so that a round looks at nothing else
	deflate bool    // to takes compressed frames
	member  *member // nil unless the channel is a presence channel

	index int // position in the channel's roster, guarded by the shard's mu

	mu   sync.Mutex // held while a round delivers
	left bool
}

// deliver hands frames to the connection unless it has left. It reports whether
// the connection was there, and the error of its Deliver.
func (s *subscription) deliver(frames protocol.Wire) (there bool, err error) {
	s.mu.Lock()
	defer s.unlock()
	if s.left {
		return false, nil
	}
	return true, s.outlet.Deliver(frames)
}

// deliverCopy is deliver for bytes that the caller uses again.
func (s *subscription) deliverCopy(frames []byte) (there bool, err error) {
	outlet, ok := s.outlet.(CopyingOutlet)
	if !ok {
		return s.deliver(slices.Clone(frames))
	}
	s.mu.Lock()
	defer s.unlock()
	if s.left {
		return false, nil
	}
	return true, outlet.DeliverCopy(frames)
}

// unlock also makes a panic of the delivery the end of this connection, and of
// nothing else: the round goes on.
func (s *subscription) unlock() {
	bug := recover()
	s.mu.Unlock()
	if bug != nil {
		s.to.panicked(bug)
	}
}

// end makes sure that no round delivers any more; it waits for one that does.
// Without that, a frame from before could follow the success frame of a later
// subscription.
func (s *subscription) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = true
}

// fewSubscriptions is up to how many a connection's subscriptions are searched
// one by one. Most connections have one to five; a map would cost each of them
// some 200 bytes.
const fewSubscriptions = 16

// subscriptionSet finds a connection's subscriptions by channel name.
type subscriptionSet struct {
	list []*subscription
	many map[protocol.ChannelName]*subscription // nil while there are few
}

func (s *subscriptionSet) all() []*subscription { return s.list }

func (s *subscriptionSet) find(name protocol.ChannelName) *subscription {
	if s.many != nil {
		return s.many[name]
	}
	for _, sub := range s.list {
		if sub.channel.name == name {
			return sub
		}
	}
	return nil
}

// findBytes is find for a name whose bytes belong to somebody else.
func (s *subscriptionSet) findBytes(name []byte) *subscription {
	if s.many != nil {
		return s.many[protocol.ChannelName(name)]
	}
	for _, sub := range s.list {
		if string(sub.channel.name) == string(name) {
			return sub
		}
	}
	return nil
}

func (s *subscriptionSet) add(sub *subscription) {
	s.list = append(s.list, sub)
	switch {
	case s.many != nil:
		s.many[sub.channel.name] = sub
	case len(s.list) > fewSubscriptions:
		s.many = make(map[protocol.ChannelName]*subscription, 2*fewSubscriptions)
		for _, sub := range s.list {
			s.many[sub.channel.name] = sub
		}
	}
}

func (s *subscriptionSet) remove(sub *subscription) {
	delete(s.many, sub.channel.name)
	if i := slices.Index(s.list, sub); i >= 0 {
		s.list = slices.Delete(s.list, i, i+1)
	}
}
