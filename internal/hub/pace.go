package hub

import "time"

// Where events come faster than rounds end, each round waits for what is under
// way: a write with four frames costs about as much as one with one, so that
// waiting gets events out earlier than another round would. The wait is at most
// as long as the last round took and gatherLimit, ends as soon as one event more is
// there than the last round had, and is begun only in the first backToBack-th of
// that time after the last round, and only if that round had several events or
// found more waiting at its end. So where events come one by one, or rounds leave
// the processors a fifth of the time, nothing ever waits.
const (
	backToBack  = 4
	gatherLimit = 4 * time.Millisecond
	gatherProbe = 16 // rounds until more than the last round had is waited for again
)

// pace is what a channel with more than a few subscribers knows of the rounds
// behind it. Guarded by the shard's mu.
type pace struct {
	want    int           // events worth waiting for; below 2: none
	probe   int           // rounds until want grows
	took    time.Duration // of the last round
	ended   time.Time
	waiting bool          // a round waits, and has not been told yet
	full    chan struct{} // capacity 1: as many events as it wants are pending; never closed

	timer *time.Timer // owned by whoever drains; nil before the first wait
}

// appendedLocked ends the wait if the pending events are all that is worth waiting
// for, or if publishers are held back now.
func (p *pace) appendedLocked(events int, heldBack bool) {
	if p.waiting && (events >= p.want || heldBack) {
		p.waiting = false
		p.full <- struct{}{}
	}
}

// gather waits for events that are worth waiting for.
func (c *channel) gather() {
	p, limit := c.beginGather()
	if p == nil {
		return
	}
	if p.timer == nil {
		p.timer = time.NewTimer(limit)
	} else {
		p.timer.Reset(limit)
	}
	select {
	case <-p.full:
		p.timer.Stop()
	case <-p.timer.C:
		c.giveUpGather()
	}
}

// beginGather returns nil if there is nothing to wait for.
func (c *channel) beginGather() (p *pace, limit time.Duration) {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	p = c.pace
	if p == nil || p.want < 2 || time.Since(p.ended) > p.took/backToBack {
		return nil, 0
	}
	if b := c.pending; b != nil && (b.events >= p.want || b.bytes > maxPendingBytes) {
		return nil, 0
	}
	p.waiting = true
	return p, min(p.took, gatherLimit)
}

// giveUpGather learns from a wait that was not worth it: it is not repeated. One
// that was is tried for more.
func (c *channel) giveUpGather() {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	p := c.pace
	if !p.waiting { // told at the last moment
		<-p.full
	}
	p.waiting = false
	p.want, p.probe = c.pendingEventsLocked(), gatherProbe
}

func (c *channel) pendingEventsLocked() int {
	if c.pending == nil {
		return 0
	}
	return c.pending.events
}

// noteRound learns from a round that has just ended.
func (c *channel) noteRound(events int, start time.Time) {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if c.pace == nil {
		if c.roster.n <= fewSubscribers {
			return
		}
		c.pace = &pace{full: make(chan struct{}, 1)}
	}
	p := c.pace
	p.ended = time.Now()
	p.took = p.ended.Sub(start)
	p.probe--
	switch {
	case events+c.pendingEventsLocked() < 2:
		p.want = 0
	case p.probe > 0:
		p.want = min(events, p.want)
	default:
		p.want = events + 1
	}
}
