package hub

import (
	"bytes"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// segment is a run of frames for the same subscribers, waiting for a round.
type segment struct {
	subscribers []*subscription // as they were when the frames were appended
	entries     []entry
	exclusions  bool // some entry excludes a connection
}

type entry struct {
	frame  protocol.Wire
	except *Attachment // nil for nobody
}

// appendLocked puts a frame behind everything pending, for the subscribers of
// this moment, and makes sure that a round will take it.
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
		go c.drain()
	}
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
		for i := range segments {
			segments[i].deliver(&c.tenant.stats)
		}
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
		c.draining = false
		c.shared = false // no segment and no round reads the list any more
		c.dropIfIdleLocked()
	}
	return segments
}

// deliver gives the segment's frames to each of its subscribers in one piece.
// Connections that cannot take it are closed after the round, so that ending
// them costs the others nothing.
func (seg *segment) deliver(stats *stats) {
	all := seg.without(nil)
	var tooSlow []*Attachment
	delivered := 0
	for _, sub := range seg.subscribers {
		frames := all
		if seg.exclusions && seg.excludes(sub.to) {
			frames = seg.without(sub.to)
		}
		if len(frames) == 0 {
			continue
		}
		there, err := sub.deliver(frames)
		switch {
		case err != nil:
			tooSlow = append(tooSlow, sub.to)
		case there:
			delivered++
		}
	}
	for _, a := range tooSlow {
		a.kick()
	}
	stats.delivered.Add(uint64(delivered * len(seg.entries)))
}

func (seg *segment) excludes(a *Attachment) bool {
	for _, e := range seg.entries {
		if e.except == a {
			return true
		}
	}
	return false
}

// without returns the frames that are not kept from a; all of them for nil.
func (seg *segment) without(a *Attachment) protocol.Wire {
	if len(seg.entries) == 1 {
		if a != nil && seg.entries[0].except == a {
			return nil
		}
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
