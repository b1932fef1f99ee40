package cluster

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// merge takes over what another node tells. Since away the two were out of touch; below
// 0: they were not. If webhooks may have been told on both sides, the edge is in doubt,
// which all nodes are told. It reports whether that was news.
func (t *told) merge(r *broker.Told, from broker.NodeID, away time.Duration) (news bool) {
	if r.Stamp.Count >= maxTurn || r.Turn >= 2*maxTurn {
		return false // no clock reaches that; the own one would never again
	}
	t.mu.Lock()
	fresh := t.noteLocked(r.Stamp, away < 0 && from == broker.NodeID(r.Stamp.Node))
	old := t.edges[r.Edge]
	ownRise := old != nil && old.on() && broker.NodeID(old.stamp.Node) == t.id
	news = t.mergeLocked(r, old, fresh, away)
	t.mu.Unlock()
	if news && ownRise && !r.On() {
		t.fell(r.Edge)
	}
	return news
}

// noteLocked reports whether a register was written while its writer was out of touch.
func (t *told) noteLocked(s hub.Stamp, inTouch bool) (fresh bool) {
	writer := broker.NodeID(s.Node)
	fresh = s.Count > t.known[writer] && writer != t.id
	t.count = max(t.count, s.Count)
	t.seen[writer] = max(t.seen[writer], s.Count)
	if inTouch {
		t.known[writer] = t.seen[writer]
	}
	return fresh
}

func (t *told) mergeLocked(r *broker.Told, old *register, fresh bool, away time.Duration) (news bool) {
	other := fresh && old != nil && old.stamp.Node != r.Stamp.Node
	apart := other && away >= 0 && old.since >= away
	open := r.Open > 0 || t.openLocked(r.Edge, old)
	switch {
	case other && t.yieldLocked(r, old):
		t.takeLocked(r, old)
		t.keepLocked(r, old)
		return true
	case apart && r.After != old.stamp && open && (!t.openLocked(r.Edge, old) || !old.losesTo(r)):
		t.changed(r.Edge) // which the other one will yield to
		return false
	case old == nil && away >= 0 && !fresh:
		if r.On() { // it has gone off since, which is forgotten here but not there
			t.count++
			t.putLocked(r.Edge, &register{stamp: t.stampLocked(), after: r.Stamp, by: r.By, turn: r.Turn + 1})
			t.changed(r.Edge)
		}
		return false
	case old == nil:
		old = &register{}
	case apart && !open && old.contradicts(r):
		t.count++
		t.putLocked(r.Edge, &register{
			stamp: t.stampLocked(), after: old.stamp, by: t.id, turn: max(old.turn, r.Turn) + 2, falls: old.falls, doubtful: true,
		})
		t.changed(r.Edge)
		return true
	}
	if !old.losesTo(r) {
		return false
	}
	t.takeLocked(r, old)
	return true
}

func (t *told) takeLocked(r *broker.Told, old *register) {
	t.putLocked(r.Edge, &register{
		stamp: r.Stamp, after: r.After, by: r.By, turn: r.Turn, open: r.Open, falls: old.falls && r.On(), doubtful: r.Doubt,
	})
	t.debts.heard(r.Edge, r.Turn)
}

// openLocked reports whether the node that has written what is known of an edge, this one or
// another, is about to tell it.
func (t *told) openLocked(e hub.Edge, r *register) bool {
	return r != nil && (r.by == t.id && t.open[e] != nil || t.busyLocked(r))
}

// losesTo reports whether a register of another node replaces this one.
func (r *register) losesTo(other *broker.Told) bool {
	return r.turn < other.Turn || r.turn == other.Turn && r.stamp.Before(other.Stamp)
}

// contradicts reports whether a register of another node was written in ignorance of this
// one, or this one of that, as far as the two can tell, and says another thing.
func (r *register) contradicts(other *broker.Told) bool {
	switch {
	case r.doubtful, r.on() == other.On():
		return false
	case r.turn < other.Turn:
		return other.Turn == r.turn+1 && other.After != r.stamp
	default:
		return r.after != other.Stamp
	}
}

// reunited notes that all has come that a node has told while it was out of touch.
func (t *told) reunited(writer broker.NodeID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[writer] = t.seen[writer]
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

// forgetWriters forgets all that is known of nodes that do not come back.
func (t *told) forgetWriters(gone func(broker.NodeID) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id := range t.seen {
		if gone(id) {
			delete(t.seen, id)
			delete(t.known, id)
		}
	}
}
