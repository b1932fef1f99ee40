package hub

import (
	"sync"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// batch is what is pending on a channel, and then what one round delivers. It is
// used again, by whatever channel comes next, so that an event takes no memory
// but its frame.
type batch struct {
	segments []segment
	events   int
	bytes    int // of their frames

	round round
}

// What a batch keeps for its next use: less than 40 KiB of events, after a round
// of a few of them less than one, and where senders were excluded 8 KiB for each
// of its parts. What a burst has made larger is given up.
const (
	keptSegments = 4
	keptEntries  = 128
)

var batches = sync.Pool{New: func() any { return new(batch) }}

// segment is a run of frames for the same subscribers, waiting for a round.
type segment struct {
	subscribers view // as they were when the frames were appended
	entries     []entry
	exclusions  bool // some entry excludes a connection
	deflate     bool // some subscriber may get compressed frames
	least       int  // bytes of an event that is worth compressing

	twins     []entry         // of entries, compressed where that is worth it; by the round
	delivered chan struct{}   // non-nil if a publisher follows; closed after the round
	followers []chan struct{} // the same for events of other nodes
}

type entry struct {
	frame  protocol.Wire
	except *Attachment // nil for nobody
}

// last returns the segment that was opened last, nil if there is none.
func (b *batch) last() *segment {
	if len(b.segments) == 0 {
		return nil
	}
	return &b.segments[len(b.segments)-1]
}

// open begins another segment, in memory of an earlier one if there is any.
func (b *batch) open() *segment {
	if n := len(b.segments); n < cap(b.segments) {
		b.segments = b.segments[:n+1]
	} else {
		b.segments = append(b.segments, segment{})
	}
	return b.last()
}

// add puts an event at the end.
func (b *batch) add(e entry) {
	seg := b.last()
	seg.entries = append(seg.entries, e)
	seg.exclusions = seg.exclusions || e.except != nil
	b.events++
	b.bytes += len(e.frame)
}

// deliver is one round.
func (b *batch) deliver(t *tenant) {
	b.round.tenant = t
	for i := range b.segments {
		b.round.deliver(&b.segments[i])
	}
}

// release gives the batch back after its round. It refers to nothing then.
func (b *batch) release() {
	if cap(b.segments) > keptSegments || !b.round.reset() {
		return
	}
	for i := range b.segments {
		b.segments[i].reset()
	}
	b.segments, b.events, b.bytes = b.segments[:0], 0, 0
	batches.Put(b)
}

// deflated returns the entries with their compressed twins where that is worth
// it: compressed once, whatever the number of subscribers.
func (seg *segment) deflated() []entry {
	seg.twins = append(seg.twins[:0], seg.entries...)
	for i := range seg.twins {
		seg.twins[i].frame = protocol.Deflate(seg.twins[i].frame, seg.least)
	}
	return seg.twins
}

func (seg *segment) reset() {
	*seg = segment{entries: emptied(seg.entries, keptEntries), twins: emptied(seg.twins, keptEntries)}
}

// emptied returns the list for its next use: without elements, and without memory
// if it has become longer than most.
func emptied[T any](list []T, most int) []T {
	if cap(list) > most {
		return nil
	}
	clear(list)
	return list[:0]
}
