package webhook

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// Bounds of a batch (§8.5).
const (
	batchWindow = time.Second
	batchEvents = 50
	batchBytes  = 256 << 10 // of the body
)

// event is one encoded notice on its way to a lane. The bytes are shared with
// other lanes and not to be changed.
type event struct {
	json     []byte
	app      *apps.App
	batching bool
}

// batch collects the events of the next payload. Without batching it is sealed
// with its first event.
type batch struct {
	events []byte // joined by commas; reused
	count  int
	app    *apps.App // of the newest event
	due    time.Time // when the batch is sealed at the latest
}

// fits reports whether an event may join those already there.
func (b *batch) fits(e event) bool {
	return e.batching && envelope+len(b.events)+len(",")+len(e.json) <= batchBytes
}

func (b *batch) add(e event, now time.Time) {
	if b.count == 0 {
		b.due = now.Add(batchWindow)
	} else {
		b.events = append(b.events, ',')
	}
	b.events = append(b.events, e.json...)
	b.app = e.app
	b.count++
}

func (b *batch) full() bool { return b.count >= batchEvents }

func (b *batch) reset() {
	*b = batch{events: b.events[:0]}
}
