package webhook

import (
	"hash/fnv"
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// event is one encoded notice on its way to a lane. The bytes are shared with
// other lanes and not to be changed.
type event struct {
	json     []byte
	channel  uint64 // hash of its name
	seq      int64  // its number in the journal, 0 without one
	app      *apps.App
	batching bool
}

// batch collects the events of the next payload. Without batching it is sealed
// with its first event.
type batch struct {
	events   []byte   // joined by commas; reused
	channels []uint64 // one per event; reused
	count    int
	app      *apps.App // of the newest event
	seq      int64     // likewise
	due      time.Time // when the batch is sealed at the latest
}

// fits reports whether an event may join those already there in a body of at
// most so many bytes.
func (b *batch) fits(e event, most int) bool {
	return e.batching && envelope+len(b.events)+len(",")+len(e.json) <= most
}

// add takes an event; the first one waits for others at most so long.
func (b *batch) add(e event, now time.Time, wait time.Duration) {
	if b.count == 0 {
		b.due = now.Add(wait)
	} else {
		b.events = append(b.events, ',')
	}
	b.events = append(b.events, e.json...)
	b.channels = append(b.channels, e.channel)
	b.app, b.seq = e.app, e.seq
	b.count++
}

func (b *batch) reset() {
	*b = batch{events: b.events[:0], channels: b.channels[:0]}
}

// distinct returns the channels of the batch, each once.
func (b *batch) distinct() []uint64 {
	slices.Sort(b.channels)
	return slices.Clone(slices.Compact(b.channels))
}

// hashChannel returns the FNV-1a hash of a name. Payloads keep hashes over
// restarts, so it must be the same in every process. If two channels share one,
// their payloads wait for each other.
func hashChannel(name protocol.ChannelName) uint64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(name))
	return hash.Sum64()
}
