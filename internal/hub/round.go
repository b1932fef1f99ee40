package hub

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// parallelChunks is from how many chunks on a round is shared by several
// goroutines: a thousand deliveries are some 5 ms, to which a goroutine adds a
// thousandth.
const parallelChunks = 4

// round is the delivery of one segment after another, each in the forms that its
// subscribers take.
type round struct {
	tenant   *tenant
	seg      *segment
	plain    form
	deflated form

	parts  []*part // also of rounds before, whose memory is used again
	others sync.WaitGroup
	failed atomic.Bool // it has panicked: what it left behind is not used again
}

// deliver gives the segment's frames to each of its subscribers in one piece.
// Connections that have no room for it are closed after that, so that ending them
// costs the others nothing; busy ones are tried again before.
func (r *round) deliver(seg *segment) {
	defer r.end(seg)
	r.seg, r.plain = seg, newForm(seg.entries)
	if seg.deflate {
		r.deflated = newForm(seg.deflated())
	}
	parts := r.split()
	for _, p := range parts[1:] {
		r.others.Add(1)
		go p.beside()
	}
	parts[0].deliver()
	r.others.Wait()
	r.tenant.stats.delivered.Add(uint64(r.settle(parts)))
}

// end lets a publisher on that follows, whatever has happened.
func (r *round) end(seg *segment) {
	if bug := recover(); bug != nil {
		r.panicked(bug)
	}
	if seg.delivered != nil {
		close(seg.delivered)
	}
	for _, delivered := range seg.followers {
		close(delivered)
	}
}

// panicked notes a bug that is no connection's: the rest of the segment, or of a
// part of it, is not delivered, and the channel goes on.
func (r *round) panicked(bug any) {
	r.failed.Store(true)
	r.tenant.roundPanicked(bug)
}

// split makes as many parts of the segment's subscribers as are worth a goroutine.
func (r *round) split() []*part {
	subscribers := r.seg.subscribers
	n := max(1, min(runtime.GOMAXPROCS(0), len(subscribers)/parallelChunks*2))
	for len(r.parts) < n {
		r.parts = append(r.parts, newPart(r))
	}
	parts := r.parts[:n]
	for i, p := range parts {
		p.subscribers = subscribers[i*len(subscribers)/n : (i+1)*len(subscribers)/n]
	}
	return parts
}

// settle deals with the connections that had no room, and returns how many frames
// were delivered.
func (r *round) settle(parts []*part) (delivered int) {
	first := parts[0]
	for _, p := range parts {
		delivered += p.delivered
		for _, a := range p.tooSlow {
			a.Kick()
		}
		if p != first {
			first.late = append(first.late, p.late...)
		}
	}
	if len(first.late) > 0 {
		delivered += deliverLate(first.late)
	}
	for _, p := range parts {
		p.reset()
	}
	return delivered
}

// reset forgets what was delivered. It reports whether the memory may be used
// again.
func (r *round) reset() bool {
	r.tenant, r.seg, r.plain, r.deflated = nil, nil, form{}, form{}
	return !r.failed.Load()
}

// part is some of a round's subscribers, and what has become of their deliveries.
type part struct {
	round  *round
	beside func() // deliverBeside: made once, so that starting it takes no memory

	subscribers view
	delivered   int // frames
	late        []held
	tooSlow     []*Attachment
	rest        protocol.Wire // a copy of a round for a connection that is excluded from some of it
}

// keptRefused is how many connections without room a part keeps memory for.
const keptRefused = 32

func newPart(r *round) *part {
	p := &part{round: r}
	p.beside = p.deliverBeside
	return p
}

func (p *part) reset() {
	p.subscribers, p.delivered = nil, 0
	p.late, p.tooSlow = emptied(p.late, keptRefused), emptied(p.tooSlow, keptRefused)
}

func (p *part) deliverBeside() {
	defer p.round.others.Done()
	p.deliver()
}

func (p *part) deliver() {
	r := p.round
	defer p.end()
	for i := range p.subscribers {
		for _, sub := range p.subscribers[i].subs {
			f := &r.plain
			if sub.deflate && r.seg.deflate {
				f = &r.deflated
			}
			if r.seg.exclusions && f.excludes(sub.to) {
				p.deliverSome(f, sub)
			} else {
				p.deliverTo(sub, f.all, len(f.entries))
			}
		}
	}
}

// end keeps a panic here: the others work on the same batch.
func (p *part) end() {
	if bug := recover(); bug != nil {
		p.round.panicked(bug)
	}
}

// deliverTo hands n frames to one subscriber and reports whether it took them.
func (p *part) deliverTo(sub *subscription, frames protocol.Wire, n int) bool {
	there, err := sub.deliver(frames)
	if err == nil {
		p.took(there, n)
		return true
	}
	p.refused(sub, frames, n, err)
	return false
}

func (p *part) took(there bool, n int) {
	if there {
		p.delivered += n
	}
}

// refused notes a delivery that there was no room for.
func (p *part) refused(sub *subscription, frames protocol.Wire, n int, err error) {
	if errors.Is(err, ErrBusy) {
		p.late = append(p.late, held{sub, frames, n})
		return
	}
	p.tooSlow = append(p.tooSlow, sub.to)
}
