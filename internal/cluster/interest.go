package cluster

import "github.com/pipesocket/pipesocketd/internal/broker"

// subscription is what this node wants of one channel and what the engine has.
type subscription struct {
	wanted bool
	queued bool
	link   uint64 // the link on which it is subscribed, 0 for none
}

// want notes that the node has subscribers of a channel or no more. What changes
// back before its turn costs nothing.
func (q *queue) want(c broker.ChannelOf, on bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.interest[c]
	if s == nil {
		s = &subscription{}
		q.interest[c] = s
	}
	s.wanted = on
	if s.queued {
		return
	}
	s.queued = true
	q.interests.push(c)
	q.addedLocked(itemInterest, q.interests.end)
}

// interestChange is what has to be done about a channel.
type interestChange struct {
	broker.ChannelOf
	op   broker.Op
	none bool // nothing
}

// settleLocked returns what has to be done now that the turn of a channel has come.
func (q *queue) settleLocked(c broker.ChannelOf) interestChange {
	s := q.interest[c]
	if s == nil {
		return interestChange{none: true}
	}
	s.queued = false
	has := s.link == q.link
	if !s.wanted {
		delete(q.interest, c)
	}
	switch {
	case s.wanted == has:
		return interestChange{none: true}
	case s.wanted:
		s.link = q.link
		q.subscribed.Add(1)
		return interestChange{ChannelOf: c, op: broker.Subscribe}
	default:
		q.subscribed.Add(-1)
		return interestChange{ChannelOf: c, op: broker.Unsubscribe}
	}
}

// wants reports whether the node has subscribers of a channel.
func (q *queue) wants(c broker.ChannelOf) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.interest[c]
	return s != nil && s.wanted
}

// resubscribe gives do all channels that are wanted and not subscribed on this link, in
// lots, until it fails. The map may change while do runs: what comes has its own
// turn in the queue.
func (q *queue) resubscribe(lot int, do func([]broker.ChannelOf) error) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	channels := make([]broker.ChannelOf, 0, lot)
	link := q.link
	flush := func() error {
		q.mu.Unlock()
		defer q.mu.Lock()
		err := do(channels)
		channels = channels[:0]
		return err
	}
	for c, s := range q.interest {
		if !s.wanted || s.link == link {
			continue
		}
		s.link = link
		q.subscribed.Add(1)
		if channels = append(channels, c); len(channels) < lot {
			continue
		}
		if err := flush(); err != nil {
			return err
		}
	}
	if len(channels) == 0 {
		return nil
	}
	return flush()
}
