package hub

import "slices"

// maxWaitingBytes is how much of other nodes may wait for room on one channel.
const maxWaitingBytes = 4 << 20

// arrivalOverhead is what an event that waits takes beside its frame, roughly.
const arrivalOverhead = 200

// waiting is what of other nodes waits for room on a channel, oldest first, or for
// events that it has to follow.
type waiting struct {
	list    []arrival
	bytes   int
	watched bool // a goroutine waits for what the first has to follow
}

// waitingLocked reports whether events of other nodes wait.
func (c *channel) waitingLocked() bool { return c.far != nil && c.far.waiting != nil }

// waitLocked puts the event behind those that wait, or drops it if they are too
// many; what it leaves on a cache channel is kept then all the same. If the event is
// followed, the result is closed when it has been delivered.
func (c *channel) waitLocked(a *arrival) (delivered <-chan struct{}) {
	w := c.farLocked().waiting
	if w == nil {
		w = &waiting{}
	}
	if w.bytes+a.size() > maxWaitingBytes {
		c.tenant.stats.dropped.Add(1)
		a.Frame = nil
		c.takeUpLocked(a)
		return nil
	}
	c.far.waiting = w
	if a.Followed {
		a.done = make(chan struct{})
	}
	w.list = append(w.list, *a)
	w.bytes += a.size()
	c.refillLocked()
	return a.done
}

func (a *arrival) size() int {
	n := arrivalOverhead + len(a.Frame)
	if a.Fill != nil {
		n += len(a.Fill.Data)
	}
	return n
}

// takeWaitingLocked lets waiting events follow the batch that is taken; if that is
// none, they are the batch.
func (c *channel) takeWaitingLocked(taken *batch) *batch {
	c.refillLocked()
	if taken == nil {
		taken, c.pending = c.pending, nil
	}
	return taken
}

// refillLocked makes events that wait pending, in order, while there is room and
// nothing that the next one has to follow is missing. Publishers of this node are held
// back until none is left.
func (c *channel) refillLocked() {
	w := c.far.waiting
	n := 0
	for ; n < len(w.list) && !c.heldBackLocked(); n++ {
		a := &w.list[n]
		if a.after = open(a.after); len(a.after) > 0 {
			c.watchLocked(slices.Clone(a.after))
			break
		}
		w.bytes -= a.size()
		c.takeUpLocked(a)
		c.doneLocked(a)
	}
	clear(w.list[:n])
	w.list = w.list[n:]
	if len(w.list) == 0 {
		c.far.waiting = nil
		c.letOnLocked()
	}
}

// doneLocked sees to it that a.done is closed when the event, which has just been taken
// up, has been delivered.
func (c *channel) doneLocked(a *arrival) {
	if a.done == nil {
		return
	}
	if c.pending == nil {
		close(a.done)
		return
	}
	last := c.pending.last()
	last.followers = append(last.followers, a.done)
}

// watchLocked has a goroutine refill the channel when what the first event has to
// follow has been delivered.
func (c *channel) watchLocked(after []<-chan struct{}) {
	w := c.far.waiting
	if w.watched {
		return
	}
	w.watched = true
	c.tenant.hub.drains.start()
	go func() {
		defer c.tenant.hub.drains.end()
		for _, delivered := range after {
			<-delivered
		}
		c.resume()
	}()
}

func (c *channel) resume() {
	c.shard.mu.Lock()
	defer c.unlockAndDeliver(nil)
	if !c.waitingLocked() { // somebody else has seen to it; the channel may be gone
		return
	}
	c.far.waiting.watched = false
	c.refillLocked()
	c.dropIfIdleLocked()
}
