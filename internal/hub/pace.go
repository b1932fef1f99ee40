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
	want   int           // events worth waiting for; below 2: none
	probe  int           // rounds until want grows
	took   time.Duration // of the last round
	ended  time.Time
	events int           // pending now
	full   chan struct{} // non-nil while a round waits; closed when events reaches want
}

// appendedLocked counts an event, and ends the wait if it was the last that is
// worth waiting for, or if publishers are held back now.
func (p *pace) appendedLocked(heldBack bool) {
	p.events++
	if p.full != nil && (p.events >= p.want || heldBack) {
		close(p.full)
		p.full = nil
	}
}

// gather waits for events that are worth waiting for.
func (c *channel) gather() {
	full, limit := c.beginGather()
	if full == nil {
		return
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-full:
		c.endGather(true)
	case <-timer.C:
		c.endGather(false)
	}
}

func (c *channel) beginGather() (full <-chan struct{}, limit time.Duration) {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	p := c.pace
	if p == nil || p.want < 2 || p.events >= p.want || c.pendingBytes > maxPendingBytes || time.Since(p.ended) > p.took/backToBack {
		return nil, 0
	}
	p.full = make(chan struct{})
	return p.full, min(p.took, gatherLimit)
}

// endGather learns from a wait: one that was worth it is tried for more, one that
// was not is not repeated.
func (c *channel) endGather(worth bool) {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	p := c.pace
	p.full = nil
	if worth {
		return
	}
	p.want, p.probe = p.events, gatherProbe
}

// noteRound learns from a round that has just ended.
func (c *channel) noteRound(segments []segment, start time.Time) {
	events := 0
	for i := range segments {
		events += len(segments[i].entries)
	}
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if c.pace == nil {
		if c.roster.n <= fewSubscribers {
			return
		}
		c.pace = &pace{}
	}
	p := c.pace
	p.ended = time.Now()
	p.took = p.ended.Sub(start)
	p.probe--
	switch {
	case events+p.events < 2:
		p.want = 0
	case p.probe > 0:
		p.want = min(events, p.want)
	default:
		p.want = events + 1
	}
}
