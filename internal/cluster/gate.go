package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
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

// open is an edge of which tellings wait.
type open struct {
	tellings int
	before   uint64 // the turn before the first one of them; 0: none was known
	steps    uint64 // how many turns this node has written since
	told     uint64 // how many of them another node has told meanwhile
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

// land returns what has flown and is to be told, before landed is called. What is not known
// becomes unsure, and all edges behind it.
func (g *gate) land(known func(telling) bool) (sure []telling) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range g.flying {
		if t.step == 0 || len(g.unsure) == 0 && known(t) {
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
	rivals := w.told.yieldToRivals()
	w.tell(w.gate.land(func(t telling) bool {
		_, waits := rivals[t.edge]
		return known && !waits
	}))
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

// seal writes that webhooks are about to be told of an edge by this node.
func (t *told) seal(e hub.Edge, on bool) (step, count uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var before uint64
	if r := t.edges[e]; r != nil {
		before = r.turn
	}
	t.writeLocked(e, on)
	o := t.open[e]
	if o == nil {
		o = &open{before: before}
		t.open[e] = o
	}
	o.tellings++
	o.steps++
	t.unclear[t.count] = struct{}{}
	return o.steps, t.count
}

// yieldLocked reports whether another node has told of an edge what this one was about to
// tell. It is one that has taken this one for dead: others wait.
func (t *told) yieldLocked(r *broker.Told, old *register) bool {
	o := t.open[r.Edge]
	if o == nil || r.Open > 0 || r.By == 0 || r.By == t.id || r.Turn <= o.before || old.after == r.Stamp {
		return false
	}
	o.yield(r.Turn)
	return true
}

// yield leaves turns to another node. If it has not known of any before them, its numbers say on
// or off and nothing else.
func (o *open) yield(turn uint64) {
	told := turn - min(o.before, turn)
	if o.before == 0 {
		told = 2 - turn%2
	}
	o.told = max(o.told, told)
}

// yieldToRivals finds out which other nodes tell of edges what waits here: of two that were
// about to, the one whose register has lost yields. It returns the edges of which the other
// one has not told yet, or has not told all.
func (t *told) yieldToRivals() map[hub.Edge]struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	rivals := make(map[hub.Edge]struct{})
	for e, o := range t.open {
		r := t.edges[e]
		if r == nil || r.by == 0 || r.by == t.id {
			continue
		}
		if t.busyLocked(r) {
			rivals[e] = struct{}{}
			continue
		}
		o.yield(r.turn)
		if ours := o.left(); ours > 0 {
			t.succeedLocked(e, r.stamp, t.id, r.turn+ours)
			rivals[e] = struct{}{}
		}
	}
	return rivals
}

// left returns how many turns are to be told here.
func (o *open) left() uint64 { return o.steps - min(o.told, o.steps) }

// keepLocked writes what this node still has to tell of an edge when it has yielded. Where
// its register was to win, the next one has to.
func (t *told) keepLocked(r *broker.Told, old *register) {
	ours := t.open[r.Edge].left()
	by, turn := t.id, r.Turn+ours
	if ours == 0 {
		by = r.By
	}
	if turn < old.turn {
		turn = old.turn + (old.turn-turn)%2
	}
	if ours > 0 || turn > r.Turn {
		t.succeedLocked(r.Edge, r.Stamp, by, turn)
	}
}

func (t *told) succeedLocked(e hub.Edge, after hub.Stamp, by broker.NodeID, turn uint64) {
	t.count++
	t.putLocked(e, &register{stamp: t.stampLocked(), after: after, by: by, turn: turn})
	t.changed(e)
}

// close ends a telling. It reports whether no other node has told that.
func (t *told) close(x telling) (ours bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.unclear, x.count)
	o := t.open[x.edge]
	if o == nil {
		return true
	}
	if o.tellings--; o.tellings == 0 {
		delete(t.open, x.edge)
	}
	return o.told < x.step
}

// closed returns up to which count of its stamps this node has told webhooks.
func (t *told) closed() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	last := t.count
	for count := range t.unclear {
		last = min(last, count-1)
	}
	return last
}

// openTurnsLocked returns how many turns of an edge are about to be told: by this node,
// or by the one that has written the register.
func (t *told) openTurnsLocked(e hub.Edge, r *register) uint64 {
	if o := t.open[e]; o != nil && r.by == t.id {
		return uint64(o.tellings)
	}
	if t.busyLocked(r) {
		return r.open
	}
	return 0
}

// busyLocked reports whether another node that lives is about to tell what a register says, or
// about to find out that it must not: nothing can be told on top of that.
func (t *told) busyLocked(r *register) bool {
	if r == nil || r.open == 0 {
		return false
	}
	closed, lives := t.closedBy[broker.NodeID(r.stamp.Node)]
	return lives && r.stamp.Count > closed
}

// busy is busyLocked for an edge.
func (t *told) busy(e hub.Edge) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.busyLocked(t.edges[e])
}

// closes notes up to which count of its stamps a node has told webhooks.
func (t *told) closes(writer broker.NodeID, count uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closedBy[writer] = max(t.closedBy[writer], count)
}

// gone notes that a node does not tell webhooks any more. If it has not left in order, they
// are told once more of what it may not have told.
func (t *told) gone(writer broker.NodeID, left bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !left {
		t.reopenLocked(writer, t.closedBy[writer])
	}
	delete(t.closedBy, writer)
}

func (t *told) reopenLocked(gone broker.NodeID, closed uint64) {
	for e, r := range t.edges {
		if broker.NodeID(r.stamp.Node) != gone || r.stamp.Count <= closed || r.open == 0 || r.open > r.turn {
			continue
		}
		owed := t.debts.of[e]
		if owed == nil {
			owed = &debt{due: t.clock.now()}
			t.debts.of[e] = owed
		}
		owed.turn, owed.reopened = max(owed.turn, r.turn), true
		t.putLocked(e, &register{turn: r.turn - r.open}) // by nobody, so that all yield to who tells it
	}
}
