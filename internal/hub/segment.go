package hub

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// segment is a run of frames for the same subscribers, waiting for a round.
type segment struct {
	subscribers view // as they were when the frames were appended
	entries     []entry
	exclusions  bool // some entry excludes a connection
	deflate     bool // some subscriber may get compressed frames
	least       int  // bytes of an event that is worth compressing

	delivered chan struct{} // non-nil if a publisher follows; closed after the round
}

type entry struct {
	frame  protocol.Wire
	except *Attachment // nil for nobody
}

// parallelChunks is from how many chunks on a round is shared by several
// goroutines: a thousand deliveries are some 5 ms, to which a goroutine adds a
// thousandth.
const parallelChunks = 4

// deliver gives the segment's frames to each of its subscribers in one piece.
// Connections that have no room for it are closed after the round, so that ending
// them costs the others nothing; busy ones are tried again before.
func (seg *segment) deliver(stats *stats) {
	r := round{seg: seg, plain: newForm(seg.entries)}
	if seg.deflate {
		r.deflated = newForm(deflated(seg.entries, seg.least))
	}
	var total outcome
	if n := min(runtime.GOMAXPROCS(0), len(seg.subscribers)/parallelChunks*2); n > 1 {
		total = r.deliverParallel(n)
	} else {
		r.deliverTo(seg.subscribers, &total)
	}
	for _, a := range total.tooSlow {
		a.Kick()
	}
	if len(total.late) > 0 {
		total.delivered += deliverLate(total.late)
	}
	stats.delivered.Add(uint64(total.delivered))
	if seg.delivered != nil {
		close(seg.delivered)
	}
}

// round is the delivery of one segment, in the forms that its subscribers take.
type round struct {
	seg      *segment
	plain    form
	deflated form
}

// form is what leaves: the frames, and all of them in one piece.
type form struct {
	entries []entry
	all     protocol.Wire
}

func newForm(entries []entry) form {
	f := form{entries: entries}
	f.all = f.join(nil)
	return f
}

// deflated returns the entries with their compressed twins where that is worth
// it: compressed once, whatever the number of subscribers.
func deflated(entries []entry, least int) []entry {
	twins := slices.Clone(entries)
	for i := range twins {
		twins[i].frame = protocol.Deflate(twins[i].frame, least)
	}
	return twins
}

// outcome is what became of a round, or of a part of it.
type outcome struct {
	delivered int // frames
	late      []held
	tooSlow   []*Attachment
}

// deliverParallel delivers in n parts at the same time, one of them here.
func (r *round) deliverParallel(n int) (total outcome) {
	subscribers := r.seg.subscribers
	parts := make([]outcome, n)
	var others sync.WaitGroup
	for i := range parts {
		from, to := i*len(subscribers)/n, (i+1)*len(subscribers)/n
		part := func() { r.deliverTo(subscribers[from:to], &parts[i]) }
		if i < n-1 {
			others.Go(part)
		} else {
			part()
		}
	}
	others.Wait()
	for _, part := range parts {
		total.delivered += part.delivered
		total.late = append(total.late, part.late...)
		total.tooSlow = append(total.tooSlow, part.tooSlow...)
	}
	return total
}

func (r *round) deliverTo(subscribers view, o *outcome) {
	for i := range subscribers {
		for _, sub := range subscribers[i].subs {
			f := &r.plain
			if sub.deflate && r.seg.deflate {
				f = &r.deflated
			}
			if r.seg.exclusions && f.excludes(sub.to) {
				f.deliverSome(sub, o)
			} else {
				o.deliver(sub, f.all, len(f.entries))
			}
		}
	}
}

// deliver hands n frames to one subscriber and reports whether it took them.
func (o *outcome) deliver(sub *subscription, frames protocol.Wire, n int) bool {
	there, err := sub.deliver(frames)
	switch {
	case err == nil:
		if there {
			o.delivered += n
		}
		return true
	case errors.Is(err, ErrBusy):
		o.late = append(o.late, held{sub, frames, n})
	default:
		o.tooSlow = append(o.tooSlow, sub.to)
	}
	return false
}

func (f *form) excludes(a *Attachment) bool {
	for i := range f.entries {
		if f.entries[i].except == a {
			return true
		}
	}
	return false
}

// joinBytes is up to how much is copied for a connection that is excluded from
// part of a round, so that the rest is one write for it too. A copy of 8 KiB
// costs about a tenth of a write.
const joinBytes = 8 << 10

// deliverSome delivers what is not kept from the subscriber.
func (f *form) deliverSome(sub *subscription, o *outcome) {
	if len(f.all) <= joinBytes {
		if rest := f.join(sub.to); len(rest) > 0 {
			o.deliver(sub, rest, f.count(sub.to))
		}
		return
	}
	start, end, n := 0, 0, 0 // the run of all that is for sub
	for i, e := range f.entries {
		if e.except != sub.to {
			end += len(e.frame)
			n++
			continue
		}
		if n > 0 && !o.deliver(sub, f.all[start:end], n) {
			o.postpone(sub, f.entries[i:])
			return
		}
		end += len(e.frame)
		start, n = end, 0
	}
	if n > 0 {
		o.deliver(sub, f.all[start:end], n)
	}
}

// postpone puts what is for sub of the entries behind its delivery that was just
// held, if it was.
func (o *outcome) postpone(sub *subscription, entries []entry) {
	last := len(o.late) - 1
	if last < 0 || o.late[last].sub != sub {
		return // it is to be closed
	}
	h := &o.late[last]
	h.frames = slices.Clone(h.frames)
	for _, e := range entries {
		if e.except != sub.to {
			h.frames = append(h.frames, e.frame...)
			h.n++
		}
	}
}

// count returns how many frames are not kept from a.
func (f *form) count(a *Attachment) int {
	n := 0
	for i := range f.entries {
		if f.entries[i].except != a {
			n++
		}
	}
	return n
}

// join returns the frames that are not kept from a, all of them for nil.
func (f *form) join(a *Attachment) protocol.Wire {
	if len(f.entries) == 1 {
		if a != nil {
			return nil // the only one is what a is excluded from
		}
		return f.entries[0].frame
	}
	size := 0
	for i := range f.entries {
		size += len(f.entries[i].frame)
	}
	frames := make(protocol.Wire, 0, size)
	for i := range f.entries {
		if e := &f.entries[i]; a == nil || e.except != a {
			frames = append(frames, e.frame...)
		}
	}
	return frames
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
