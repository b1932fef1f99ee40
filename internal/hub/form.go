package hub

import (
	"slices"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// form is what leaves: the frames, and all of them in one piece.
type form struct {
	entries []entry
	all     protocol.Wire
}

func newForm(entries []entry) form {
	return form{entries: entries, all: joined(entries)}
}

// joined returns the frames in one piece. Of several that is memory of its own:
// connections without room keep it.
func joined(entries []entry) protocol.Wire {
	if len(entries) == 1 {
		return entries[0].frame
	}
	size := 0
	for i := range entries {
		size += len(entries[i].frame)
	}
	all := make(protocol.Wire, 0, size)
	for i := range entries {
		all = append(all, entries[i].frame...)
	}
	return all
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
func (p *part) deliverSome(f *form, sub *subscription) {
	if len(f.all) <= joinBytes {
		p.deliverRest(f, sub)
		return
	}
	start, end, n := 0, 0, 0 // the run of all that is for sub
	for i, e := range f.entries {
		if e.except != sub.to {
			end += len(e.frame)
			n++
			continue
		}
		if n > 0 && !p.deliverTo(sub, f.all[start:end], n) {
			p.postpone(sub, f.entries[i:])
			return
		}
		end += len(e.frame)
		start, n = end, 0
	}
	if n > 0 {
		p.deliverTo(sub, f.all[start:end], n)
	}
}

// deliverRest copies what is not kept from the subscriber into one piece, which is
// used again for the next one.
func (p *part) deliverRest(f *form, sub *subscription) {
	rest, n := f.appendRest(p.rest[:0], sub.to)
	p.rest = rest
	if n == 0 {
		return
	}
	there, err := sub.deliverCopy(rest)
	if err != nil {
		p.refused(sub, slices.Clone(rest), n, err)
		return
	}
	p.took(there, n)
}

// appendRest appends the n frames that are not kept from a.
func (f *form) appendRest(dst protocol.Wire, a *Attachment) (rest protocol.Wire, n int) {
	for i := range f.entries {
		if e := &f.entries[i]; e.except != a {
			dst = append(dst, e.frame...)
			n++
		}
	}
	return dst, n
}

// postpone puts what is for sub of the entries behind its delivery that was just
// held, if it was.
func (p *part) postpone(sub *subscription, entries []entry) {
	last := len(p.late) - 1
	if last < 0 || p.late[last].sub != sub {
		return // it is to be closed
	}
	h := &p.late[last]
	rest, n := (&form{entries: entries}).appendRest(slices.Clone(h.frames), sub.to)
	h.frames, h.n = rest, h.n+n
}
