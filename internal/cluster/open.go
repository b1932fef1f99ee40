package cluster

import (
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// open is an edge of which tellings wait.
type open struct {
	tellings int
	stamp    hub.Stamp // of the register that this node has written last of it
	before   uint64    // the turn before the first one of them; 0: none was known
	base     hub.Stamp // of the register that said so
	steps    uint64    // how many turns this node has written since
	told     uint64    // how many of them, from the first on, another node has told meanwhile, or is to
}

// seal writes that webhooks are about to be told of an edge by this node. It does not
// if another one is about to tell of it.
func (t *told) seal(e hub.Edge, on bool) (step, count uint64, sealed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.busyLocked(t.edges[e]) {
		return 0, 0, false
	}
	o := t.open[e]
	if o == nil {
		o = &open{before: t.turnLocked(e)}
		if r := t.edges[e]; r != nil {
			o.base = r.stamp
		}
		t.open[e] = o
	}
	t.writeLocked(e, on)
	o.stamp = t.stampLocked()
	o.tellings++
	o.steps++
	t.unclear[t.count] = struct{}{}
	return o.steps, t.count, true
}

// yieldLocked reports whether another node has told of an edge what this one was about to
// tell. It is one that has taken this one for dead: others wait.
func (t *told) yieldLocked(r *broker.Told, old *register) bool {
	o := t.open[r.Edge]
	if o == nil || o.stamp != old.stamp || r.Open > 0 || r.Teller == (hub.Stamp{}) || broker.NodeID(r.Teller.Node) == t.id || r.Turn <= o.before || old.after == r.Stamp {
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
	o.told = max(o.told, min(told, o.steps))
}

// contradicts reports whether another node has told in ignorance of what webhooks had been told
// before, and another thing than that.
func (o *open) contradicts(on bool, after hub.Stamp) bool {
	return o.base != (hub.Stamp{}) && (o.before%2 == 1) != on && after != o.base
}

// rebase notes that what this node has written stands behind what another one has.
func (o *open) rebase(turn uint64) { o.before, o.base = turn-min(o.steps, turn), hub.Stamp{} }

// yieldToRivals leaves what waits here to other nodes, where they tell of the same edges: of two
// that were about to, the one whose register has lost yields. What it had to tell beyond
// that is owed from now on, and so comes after what the other one tells. None waits for the
// other, so no two wait for each other.
func (t *told) yieldToRivals() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e, o := range t.open {
		r := t.edges[e]
		if r == nil || r.teller == (hub.Stamp{}) || r.stamp == o.stamp {
			continue
		}
		if o.left() > 0 {
			t.changed(e) // others learn of the other one's before they hear that this node has done
		}
		o.yield(r.turn)
		if ours := o.left(); ours > 0 {
			if owed := t.debtLocked(e); owed != nil {
				owed.turn = max(owed.turn, r.turn+ours)
			}
			o.told = o.steps
		}
		doubt := o.contradicts(r.on(), r.after)
		o.rebase(r.turn)
		if doubt {
			t.doubtLocked(e, r, r.turn)
		}
	}
}

// left returns how many turns are to be told here.
func (o *open) left() uint64 { return o.steps - min(o.told, o.steps) }

// keepLocked writes what this node still has to tell of an edge when it has yielded. Where
// its register was to win, the next one has to.
func (t *told) keepLocked(r *broker.Told, old *register) {
	o := t.open[r.Edge]
	ours, doubt := o.left(), o.contradicts(r.On(), r.After)
	turn := r.Turn + ours
	if turn < old.turn {
		turn = old.turn + (old.turn-turn)%2
	}
	if ours > 0 || turn > r.Turn {
		t.count++
		o.stamp = t.stampLocked()
		teller := o.stamp
		if ours == 0 {
			teller = r.Teller
		}
		t.putLocked(r.Edge, &register{stamp: o.stamp, after: r.Stamp, teller: teller, turn: turn})
		t.changed(r.Edge)
	}
	o.rebase(turn)
	if doubt {
		t.doubtLocked(r.Edge, t.edges[r.Edge], turn)
	}
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
// or by the one that has written the register, as far as is known.
func (t *told) openTurnsLocked(e hub.Edge, r *register) uint64 {
	if o := t.open[e]; o != nil && r != nil && r.stamp == o.stamp {
		return uint64(o.tellings)
	}
	if r == nil || r.open == 0 || r.stamp.Count <= t.closedBy[broker.NodeID(r.stamp.Node)] {
		return 0
	}
	return r.open
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
	closed := t.closedBy[writer]
	for e, r := range t.edges {
		if broker.NodeID(r.stamp.Node) != writer || r.open == 0 {
			continue
		}
		if left || r.stamp.Count <= closed || r.open > r.turn || !t.reopenLocked(e, r) {
			r.open = 0
		}
	}
	delete(t.closedBy, writer)
}

// reopenLocked makes what a register was about to tell a debt, if there is room.
func (t *told) reopenLocked(e hub.Edge, r *register) bool {
	owed := t.debtLocked(e)
	if owed == nil {
		return false // what is told to be on, and is not, is found by comparing
	}
	owed.turn, owed.reopened = max(owed.turn, r.turn), true
	t.putLocked(e, &register{turn: r.turn - r.open}) // by nobody, so that all yield to who tells it
	return true
}
