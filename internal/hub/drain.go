package hub

import (
	"bytes"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// segment is a run of frames for the same subscribers, waiting for a round.
type segment struct {
	subscribers []*subscription // as they were when the frames were appended
	entries     []entry
	exclusions  bool // some entry excludes a connection

	delivered chan struct{} // non-nil if a publisher follows; closed after the round
}

type entry struct {
	frame  protocol.Wire
	except *Attachment // nil for nobody
}

// fewSubscribers is up to how many a round is run by the caller itself. With some
// 10 µs a delivery that holds it up for less than a millisecond, a busy TLS
// connection's patience apart. A goroutine would cost more than the
// deliveries, and events that one publisher sends one after another on several
// channels would reach a connection in any order.
const fewSubscribers = 64

// appendLocked puts a frame behind everything pending, for the subscribers of
// this moment, and makes sure that a round will take it: one that runs, one of a
// goroutine, or that of the caller, who must release the lock by
// unlockAndDeliver.
func (c *channel) appendLocked(frame protocol.Wire, except *Attachment) {
	if len(c.subscribers) == 0 {
		return
	}
	last := len(c.pending) - 1
	if last < 0 || !c.shared {
		c.pending = append(c.pending, segment{subscribers: c.subscribers})
		c.shared = true
		last++
	}
	seg := &c.pending[last]
	seg.entries = append(seg.entries, entry{frame: frame, except: except})
	seg.exclusions = seg.exclusions || except != nil
	c.pendingBytes += len(frame)
	if !c.draining {
		c.draining = true
		c.tenant.hub.drains.start()
		if c.owed = len(c.subscribers) <= fewSubscribers; !c.owed {
			go c.drain()
		}
	}
}

// followLocked returns what is closed when everything pending has been handed to
// its subscribers, nil if nothing is pending.
func (c *channel) followLocked() <-chan struct{} {
	last := len(c.pending) - 1
	if last < 0 {
		return nil
	}
	if c.pending[last].delivered == nil {
		c.pending[last].delivered = make(chan struct{})
	}
	return c.pending[last].delivered
}

// unlockAndDeliver releases the shard's lock and then runs the round that is owed
// for what was appended under it. What comes meanwhile is left to a goroutine:
// the caller has its own work to do.
func (c *channel) unlockAndDeliver() {
	owed := c.owed
	c.owed = false
	c.shard.mu.Unlock()
	if !owed {
		return
	}
	c.deliver(c.take())
	if c.endIfIdle() {
		c.tenant.hub.drains.end()
		return
	}
	go c.drain()
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
		segments := c.take()
		if segments == nil {
			return
		}
		c.deliver(segments)
	}
}

func (c *channel) deliver(segments []segment) {
	for i := range segments {
		segments[i].deliver(&c.tenant.stats)
	}
}

// take returns what is pending and lets waiting publishers on, or ends the
// draining.
func (c *channel) take() []segment {
	c.shard.mu.Lock()
	defer c.shard.mu.Unlock()
	segments := c.pending
	c.pending, c.pendingBytes = nil, 0
	if c.roundTaken != nil {
		close(c.roundTaken)
		c.roundTaken = nil
	}
	if segments == nil {
		c.endDrainingLocked()
	}
	return segments
}

func (c *channel) endDrainingLocked() {
	c.draining = false
	c.shared = false // no segment and no round reads the list any more
	c.dropIfIdleLocked()
}

// A busy connection without room for a round is given patience after it, and
// looked at again every patienceStep: over TLS a burst can outrun a peer that
// reads. One that does not read costs its channel this pause once.
const (
	patience     = 25 * time.Millisecond
	patienceStep = time.Millisecond
)

// held is a delivery that a connection had no room for.
type held struct {
	sub    *subscription
	frames protocol.Wire
	n      int // how many
}

// deliver gives the segment's frames to each of its subscribers in one piece.
// Connections that have no room for it are closed after the round, so that ending
// them costs the others nothing; busy ones are tried again before.
func (seg *segment) deliver(stats *stats) {
	all := seg.without(nil)
	var late []held
	var tooSlow []*Attachment
	delivered := 0
	for _, sub := range seg.subscribers {
		frames, n := all, len(seg.entries)
		if excluded := seg.excluded(sub.to); excluded > 0 {
			if n -= excluded; n == 0 {
				continue
			}
			frames = seg.without(sub.to)
		}
		there, err := sub.deliver(frames)
		switch {
		case errors.Is(err, ErrBusy):
			late = append(late, held{sub, frames, n})
		case err != nil:
			tooSlow = append(tooSlow, sub.to)
		case there:
			delivered += n
		}
	}
	for _, a := range tooSlow {
		a.Kick()
	}
	if len(late) > 0 {
		delivered += deliverLate(late)
	}
	stats.delivered.Add(uint64(delivered))
	if seg.delivered != nil {
		close(seg.delivered)
	}
}

// deliverLate tries again for a while, closes those that still have no room, and
// returns how many frames were delivered.
func deliverLate(late []held) (delivered int) {
	for deadline := time.Now().Add(patience); len(late) > 0 && time.Now().Before(deadline); {
		time.Sleep(patienceStep)
		late = slices.DeleteFunc(late, func(h held) bool {
			there, err := h.sub.deliver(h.frames)
			if there && err == nil {
				delivered += h.n
			}
			return err == nil
		})
	}
	for _, h := range late {
		h.sub.to.Kick()
	}
	return delivered
}

// excluded returns how many frames are kept from a.
func (seg *segment) excluded(a *Attachment) int {
	if !seg.exclusions {
		return 0
	}
	n := 0
	for _, e := range seg.entries {
		if e.except == a {
			n++
		}
	}
	return n
}

// without returns the frames that are not kept from a, all of them for nil.
// There is at least one.
func (seg *segment) without(a *Attachment) protocol.Wire {
	if len(seg.entries) == 1 {
		return seg.entries[0].frame
	}
	var frames bytes.Buffer
	for _, e := range seg.entries {
		if a == nil || e.except != a {
			frames.Write(e.frame)
		}
	}
	return frames.Bytes()
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
