package history

import (
	"context"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// record is an event as the hub handed it over.
type record struct {
	hub.Accepted
	timeMS int64
}

// recordBytes is what a record takes in memory besides its frame.
const recordBytes = 128

// A chunk is a run of records. Chunks keep what put has to do short: a growing
// slice would be copied under the lock.
type chunk struct {
	n       int
	records [256]record
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

func (c *chunk) release() {
	clear(c.records[:c.n])
	c.n = 0
	chunks.Put(c)
}

// buffer holds what waits for the database, in order.
type buffer struct {
	// set by newBuffer, immutable
	limit int           // bytes
	wake  chan struct{} // something waits again; capacity 1, never closed
	hurry chan struct{} // somebody waits for it; capacity 1, never closed

	mu       sync.Mutex
	waiting  []*chunk // the last one is being filled
	events   int      // in memory: those that wait and those that are being written
	bytes    int      // the same
	appended uint64
	settled  uint64 // of those appended: written, or given up
	lastMS   int64
	overflow uint64        // lost since the last call of overflowed
	changed  chan struct{} // closed when settled changes; nil while nobody waits
	closed   bool
}

func newBuffer(limit int) *buffer {
	return &buffer{limit: limit, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1)}
}

// maxClockStep is how far the clock may be set back without putting events into
// the past: they get the time of the event before then. A clock that was wrong by
// more is believed, so that an error of hours does not last for hours.
const maxClockStep = int64(time.Minute / time.Millisecond)

// put takes an event, or tells why it does not.
func (b *buffer) put(a hub.Accepted, nowMS int64) LossReason {
	size := len(a.Frame) + recordBytes
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return LostClosed
	}
	if b.bytes+size > b.limit {
		b.overflow++
		return LostOverflow
	}
	if nowMS < b.lastMS && b.lastMS-nowMS <= maxClockStep {
		nowMS = b.lastMS
	}
	b.lastMS = nowMS
	if len(b.waiting) == 0 {
		signal(b.wake)
	}
	c := b.lastLocked()
	c.records[c.n] = record{a, nowMS}
	c.n++
	b.events++
	b.bytes += size
	b.appended++
	return ""
}

// lastLocked returns a chunk with room.
func (b *buffer) lastLocked() *chunk {
	if n := len(b.waiting); n > 0 {
		if c := b.waiting[n-1]; c.n < len(c.records) {
			return c
		}
	}
	c := chunks.Get().(*chunk)
	b.waiting = append(b.waiting, c)
	return c
}

// take moves up to n chunks to dst, oldest first. They still count until done is
// told of them.
func (b *buffer) take(dst []*chunk, n int) []*chunk {
	b.mu.Lock()
	defer b.mu.Unlock()
	n = min(n, len(b.waiting))
	dst = append(dst, b.waiting[:n]...)
	kept := copy(b.waiting, b.waiting[n:])
	clear(b.waiting[kept:])
	b.waiting = b.waiting[:kept]
	return dst
}

// done makes the room of taken chunks free and releases them.
func (b *buffer) done(taken []*chunk) {
	events, bytes := 0, 0
	for _, c := range taken {
		events += c.n
		for i := range c.n {
			bytes += len(c.records[i].Frame) + recordBytes
		}
		c.release()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events -= events
	b.bytes -= bytes
	b.settled += uint64(events)
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// settle waits until all that was put before the call is done, but no longer than
// limit.
func (b *buffer) settle(ctx context.Context, limit time.Duration) {
	b.mu.Lock()
	until := b.appended
	if b.settled >= until {
		b.mu.Unlock()
		return
	}
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	signal(b.hurry)
	for {
		changed := b.changedAfter(until)
		if changed == nil {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// changedAfter returns what is closed at the next change, nil if until has been
// reached.
func (b *buffer) changedAfter(until uint64) <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.settled >= until {
		return nil
	}
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

// overflowed returns how many events found no room since the last call.
func (b *buffer) overflowed() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.overflow
	b.overflow = 0
	return n
}

// close makes put refuse everything from now on.
func (b *buffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
}

// held returns how much is in memory.
func (b *buffer) held() (events, bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.events, b.bytes
}

func signal(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default: // whoever reads it will look anyway
	}
}
