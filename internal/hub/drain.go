package hub

import (
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// fewSubscribers is up to how many a round is run by the caller itself. With some
// 10 µs a delivery that holds it up for less than a millisecond, a busy TLS
// connection's patience apart. A goroutine would cost more than the
// deliveries, and events that one publisher sends one after another on several
// channels would reach a connection in any order.
const fewSubscribers = 64

// appendLocked puts a frame behind everything pending, for the subscribers of
// this moment, and makes sure that a round will take it: one that runs, or one
// that the caller owes, who must release the lock by unlockAndDeliver.
func (c *channel) appendLocked(frame protocol.Wire, except *Attachment) {
	if c.roster.n == 0 {
		return
	}
	if c.pending == nil {
		c.pending = batches.Get().(*batch)
		c.openSegmentLocked()
	} else if !c.roster.viewed {
		c.openSegmentLocked()
	}
	c.pending.add(entry{frame: frame, except: except})
	if c.pace != nil {
		c.pace.appendedLocked(c.pending.events, c.pending.bytes > maxPendingBytes)
	}
	if !c.draining {
		c.draining, c.owed = true, true
		c.tenant.hub.drains.start()
	}
}

// openSegmentLocked begins a segment for the subscribers of this moment.
func (c *channel) openSegmentLocked() {
	seg := c.pending.open()
	seg.subscribers = c.roster.view()
	if c.deflating > 0 {
		app := c.tenant.app.Load()
		seg.deflate, seg.least = app.Compression, app.CompressionMinBytes
	}
}

// followLocked returns what is closed when everything pending has been handed to
// its subscribers, nil if nothing is pending.
func (c *channel) followLocked() <-chan struct{} {
	if c.pending == nil {
		return nil
	}
	last := c.pending.last()
	if last.delivered == nil {
		last.delivered = make(chan struct{})
	}
	return last.delivered
}

// unlockAndDeliver releases the shard's lock and then runs the round that is owed
// for what was appended under it, at once or at the end of the turn.
func (c *channel) unlockAndDeliver(t *Turn) {
	owed := c.owed
	c.owed = false
	c.shard.mu.Unlock()
	switch {
	case !owed:
	case t == nil:
		c.runOwed()
	default:
		t.owed = append(t.owed, c)
	}
}

// runOwed runs the round that a caller owes, itself if there are few subscribers.
// What comes meanwhile is left to a goroutine: the caller has its own work to do.
func (c *channel) runOwed() {
	if c.size() > fewSubscribers {
		c.startDraining()
		return
	}
	b := c.take()
	b.deliver(c.tenant)
	b.release()
	if c.endIfIdle() {
		c.tenant.hub.drains.end()
		return
	}
	c.startDraining()
}

// startDraining leaves the rounds to a goroutine. The function it runs is kept: to
// make one for every event would be garbage.
func (c *channel) startDraining() {
	if c.drainer == nil {
		c.drainer = c.drain
	}
	go c.drainer()
}

func (c *channel) size() int {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	return c.roster.n
}

// endIfIdle ends the draining if nothing is pending.
func (c *channel) endIfIdle() bool {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	if c.pending != nil {
		return false
	}
	c.endDrainingLocked()
	return true
}

// drain runs rounds until nothing is pending. One runs per channel at most, and
// it is what keeps the channel's order.
func (c *channel) drain() {
	defer c.tenant.hub.drains.end()
	for {
		c.gather()
		b := c.take()
		if b == nil {
			return
		}
		start := time.Now()
		b.deliver(c.tenant)
		c.noteRound(b.events, start)
		b.release()
	}
}

// take returns what is pending and lets waiting publishers on, or ends the
// draining.
func (c *channel) take() *batch {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	b := c.pending
	c.pending = nil
	c.letOnLocked()
	if c.far != nil && c.far.waiting != nil {
		b = c.takeWaitingLocked(b)
	}
	if b == nil {
		c.endDrainingLocked()
	}
	return b
}

func (c *channel) endDrainingLocked() {
	c.draining = false
	c.roster.unshare() // no segment and no round reads the list any more
	c.dropIfIdleLocked()
}

// drainCount counts the drain goroutines. A sync.WaitGroup would not do: one may
// start while somebody waits, for a request that outlived its listener.
type drainCount struct {
	running atomic.Int64
	waiting atomic.Bool
	none    chan struct{} // capacity 1: none was running for a moment; never closed
}

func (d *drainCount) start() { d.running.Add(1) }

func (d *drainCount) end() {
	if d.running.Add(-1) == 0 && d.waiting.Load() {
		select {
		case d.none <- struct{}{}:
		default:
		}
	}
}

// wait returns when no drain goroutine runs. One caller at a time.
func (d *drainCount) wait() {
	d.waiting.Store(true)
	defer d.waiting.Store(false)
	for d.running.Load() > 0 {
		<-d.none
	}
}
