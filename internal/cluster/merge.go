package cluster

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// source is a node that tells of registers.
type source struct {
	id    broker.NodeID
	whole bool          // all has come that it has told so far
	away  time.Duration // since when the two were out of touch; below 0: they were not
}

// merge takes over what another node tells. If webhooks may have been told on both sides, the
// edge is in doubt, which all nodes are told. It reports whether that was news.
func (t *told) merge(r *broker.Told, from source) (news bool) {
	if max(r.Stamp.Count, r.Teller.Count) >= maxTurn || r.Turn >= 2*maxTurn {
		return false // no clock reaches that; the own one would never again
	}
	t.mu.Lock()
	fresh := t.noteLocked(r, from)
	old := t.edges[r.Edge]
	ownRise := old != nil && old.on() && broker.NodeID(old.stamp.Node) == t.id
	news = t.mergeLocked(r, old, fresh, from)
	t.mu.Unlock()
	if news && ownRise && !r.On() {
		t.fell(r.Edge)
	}
	return news
}

// noteLocked reports whether webhooks were told of a register while the node that did was out of
// touch.
func (t *told) noteLocked(r *broker.Told, from source) (fresh bool) {
	teller := broker.NodeID(r.Teller.Node)
	fresh = teller != t.id && r.Teller.Count > t.writerLocked(teller).known
	writer := t.writerLocked(broker.NodeID(r.Stamp.Node))
	t.count = max(t.count, r.Stamp.Count)
	writer.seen = max(writer.seen, r.Stamp.Count)
	if from.whole && from.away < 0 && from.id == broker.NodeID(r.Stamp.Node) {
		writer.known = writer.seen
	}
	return fresh
}

func (t *told) mergeLocked(r *broker.Told, old *register, fresh bool, from source) (news bool) {
	other := fresh && old != nil && old.stamp.Node != r.Stamp.Node
	apart := other && t.apartLocked(old, from)
	open := r.Open > 0 || t.openLocked(r.Edge, old)
	switch {
	case other && t.yieldLocked(r, old):
		t.takeLocked(r, old)
		t.keepLocked(r, old)
		return true
	case apart && r.After != old.stamp && open && (!t.openLocked(r.Edge, old) || !old.losesTo(r)):
		t.changed(r.Edge) // which the other one will yield to
		return false
	case old == nil && from.away >= 0 && !fresh && t.clock.now()-from.away > tombstone:
		if r.On() { // it has gone off since, which is forgotten here but not there
			t.count++
			t.putLocked(r.Edge, &register{stamp: t.stampLocked(), after: r.Stamp, teller: r.Teller, turn: r.Turn + 1})
			t.changed(r.Edge)
		}
		return false
	case old == nil:
		old = &register{}
	case apart && !open && old.contradicts(r):
		t.doubtLocked(r.Edge, old, max(old.turn, r.Turn))
		return true
	}
	if !old.losesTo(r) {
		return false
	}
	t.takeLocked(r, old)
	return true
}

// apartLocked reports whether a register may have been written here while the other node did not hear
// of it: while the two were out of touch, or before they met.
func (t *told) apartLocked(old *register, from source) bool {
	if from.away < 0 {
		return !from.whole && broker.NodeID(old.teller.Node) == t.id
	}
	return old.since >= from.away
}

// doubtLocked notes that nobody knows what webhooks have heard last, after so many turns. If
// a fall is held here, they hear that.
func (t *told) doubtLocked(e hub.Edge, old *register, turn uint64) {
	t.count++
	stamp := t.stampLocked()
	turn += 2
	if old.falls {
		turn |= 1
	}
	t.putLocked(e, &register{stamp: stamp, after: old.stamp, teller: stamp, turn: turn, falls: old.falls, doubtful: true})
	t.changed(e)
}

func (t *told) takeLocked(r *broker.Told, old *register) {
	t.putLocked(r.Edge, &register{
		stamp: r.Stamp, after: r.After, teller: r.Teller, turn: r.Turn, open: r.Open, falls: old.falls && r.On(), doubtful: r.Doubt,
	})
	t.debts.heard(r.Edge, r.Turn)
}

// openLocked reports whether the node that has written what is known of an edge, this one or
// another, is about to tell it, as far as is known.
func (t *told) openLocked(e hub.Edge, r *register) bool { return t.openTurnsLocked(e, r) > 0 }

// losesTo reports whether a register of another node replaces this one.
func (r *register) losesTo(other *broker.Told) bool {
	return r.turn < other.Turn || r.turn == other.Turn && r.stamp.Before(other.Stamp)
}

// contradicts reports whether a register of another node says another thing, and neither was
// written on top of the other one, as far as the two can tell.
func (r *register) contradicts(other *broker.Told) bool {
	return !r.doubtful && r.on() != other.On() && r.after != other.Stamp && r.stamp != other.After
}

// reunited notes that all has come that a node has told while it was out of touch.
func (t *told) reunited(writer broker.NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.writerLocked(writer)
	w.known = w.seen
}

// retain drops what was written by a node, and not lately, and is none of what it tells: it
// was told to be off, and that is forgotten there.
func (t *told) retain(writer broker.NodeID, lately time.Duration, tells func(hub.Edge) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e, r := range t.edges {
		if broker.NodeID(r.stamp.Node) == writer && r.since < lately && !tells(e) {
			delete(t.edges, e)
		}
	}
}

// forgetWriters forgets what has come of nodes that do not come back, some time after what they
// have told may come back.
func (t *told) forgetWriters(gone func(broker.NodeID) bool) {
	now := t.clock.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, n := range t.writers {
		switch {
		case !gone(id):
			n.gone = 0
		case n.gone == 0:
			n.gone = now
		case now-n.gone > maxAbsence:
			delete(t.writers, id)
		}
	}
}
