package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// gate keeps what webhooks are about to be told until the other nodes have the register
// that says so. A node that is cut off finds out before it has told anything that the
// others tell as well. Its mutex comes after told.mu.
type gate struct {
	wake chan struct{} // for runGate, capacity 1, never closed

	mu      sync.Mutex
	waiting []telling
	flying  []telling // on which runGate waits for the other nodes, until it has told them
	unsure  []telling // of which other nodes may not know; they come before flying
	closed  bool
}

// telling is a notice that waits, in the order in which webhooks are to get them.
type telling struct {
	notice hub.Notice
	edge   hub.Edge
	step   uint64 // which of the turns it is that have waited since none did; 0: the notice is of no edge
	count  uint64 // of the register's stamp
}

func newGate() *gate { return &gate{wake: make(chan struct{}, 1)} }

// add lets a telling wait. It reports whether it does: else it may be told at once.
func (g *gate) add(t telling) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || len(g.waiting)+len(g.unsure) >= maxDebts {
		return false
	}
	g.waiting = append(g.waiting, t)
	select {
	case g.wake <- struct{}{}:
	default: // it will look anyway
	}
	return true
}

// follow lets a notice that is none of an edge wait behind others, if there are any.
func (g *gate) follow(n hub.Notice) bool {
	g.mu.Lock()
	empty := len(g.waiting)+len(g.flying) == 0
	g.mu.Unlock()
	return !empty && g.add(telling{notice: n})
}

// depart makes what waits fly. It reports whether anything does.
func (g *gate) depart() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying, g.waiting = g.waiting, nil
	return len(g.flying) > 0
}

// land returns what has flown and is to be told, before landed is called. What the others may
// not know becomes unsure, and all edges behind it.
func (g *gate) land(known bool) (sure []telling) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.flying {
		if t.step == 0 || known && len(g.unsure) == 0 {
			sure = append(sure, t)
		} else {
			g.unsure = append(g.unsure, t)
		}
	}
	g.flying = sure
	return sure
}

// landed notes that what has flown was told.
func (g *gate) landed() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying = nil
}

// retry makes what others may not know wait again, before the rest.
func (g *gate) retry() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.unsure) == 0 || len(g.flying) > 0 {
		return
	}
	g.waiting, g.unsure = append(g.unsure, g.waiting...), nil
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// close returns all that is left, and lets nothing wait any more.
func (g *gate) close() []telling {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	left := slices.Concat(g.unsure, g.flying, g.waiting)
	g.unsure, g.flying, g.waiting = nil, nil, nil
	return left
}

// runGate lets out what waits until ctx ends.
func (n *Node) runGate(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.gate.wake:
		}
		for n.gate.depart() {
			known := n.inForce(ctx)
			landed := make(chan struct{})
			n.inbox.do(func(w *worker) {
				defer close(landed)
				w.letOut(known)
			})
			select {
			case <-landed:
			case <-ctx.Done(): // and the worker has ended perhaps
				return
			}
			n.queue.closing()
			if !pauseFor(ctx, flightPause) {
				return
			}
		}
	}
}

// flightPause is how long what comes next waits for more, so that nodes with many edges do
// not tell each other of every single one.
const flightPause = 5 * time.Millisecond

// pauseFor reports whether ctx has not ended meanwhile.
func pauseFor(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// closing lets the other nodes be told soon that webhooks were told.
func (q *queue) closing() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closes = true
	q.signalLocked()
}

// inForce waits until the other nodes have what has been queued so far, and reports
// whether they do.
func (n *Node) inForce(ctx context.Context) bool {
	l := n.link.Load()
	if !l.up {
		return false
	}
	r := n.queue.barrier()
	if r == nil {
		return true
	}
	limit := time.NewTimer(awaitTimeout)
	defer limit.Stop()
	select {
	case <-r.done:
		return true
	case <-l.lost:
	case <-limit.C:
	case <-ctx.Done():
	}
	return false
}

// letOut tells webhooks what the other nodes know to be told, be this node still its home
// or not: they wait for it. What they may not know waits until all agree again.
func (w *worker) letOut(known bool) {
	w.renew()
	known = known && w.united()
	w.told.yieldToRivals()
	w.tell(w.gate.land(known))
	w.gate.landed()
}

// retry lets what other nodes may not know take off again, once all agree: what another one
// has told meanwhile is known then.
func (w *worker) retry() {
	if w.united() {
		w.gate.retry()
	}
}

// united reports whether all nodes agree on who is there, and none of them, nor most of them on
// a mesh, can have done without this one yet.
func (w *worker) united() bool {
	return w.settled && w.agreed() && w.clock.now() < time.Duration(w.filter.until.Load())
}

// tell tells webhooks unless another node has.
func (n *Node) tell(tellings []telling) {
	for _, t := range tellings {
		if t.step == 0 || n.told.close(t) {
			n.options.Webhooks.Tell(t.notice)
		}
	}
}
