package cluster

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// debts are edges that this node has seen, and of which webhooks have not been told
// as far as it knows. It is not their home, or may not tell at the moment. As a rule their home
// tells within moments. If it dies, or if what began was over before it could hear of it, the
// debts remain, and the home is told of them (pay.go). Methods are called under told.mu.
type debts struct {
	of     map[hub.Edge]*debt
	missed bool // one had no room
}

type debt struct {
	turn  uint64        // webhooks are to be told of the edge until this one
	due   time.Duration // from then on the home is asked
	fell  time.Duration // when the edge went off, if the last turn is a fall
	asked int

	// A node has gone that was about to tell this, or had: nobody knows which. So it is told,
	// even if it is over.
	reopened bool
}

const (
	// maxDebts bounds what is remembered while no home tells anything, some 150 bytes each. Of what
	// has no room webhooks still hear if it lasts.
	maxDebts = 131_072

	// maxAsked is how often a home is asked that does not tell: settings may differ.
	maxAsked = 60
)

func newDebts() debts { return debts{of: make(map[hub.Edge]*debt)} }

// turn returns which turn of an edge is owed, 0 for none.
func (d *debts) turn(e hub.Edge) uint64 {
	if owed := d.of[e]; owed != nil {
		return owed.turn
	}
	return 0
}

// heard notes that webhooks were told of an edge. If turns were counted anew, nothing is owed
// of those before.
func (d *debts) heard(e hub.Edge, turn uint64) {
	if owed := d.of[e]; owed != nil && (turn >= owed.turn || turn+maxTurnsOwed < owed.turn) {
		delete(d.of, e)
	}
}

// maxTurn is more than any edge turns, and than any Lamport clock reaches.
const maxTurn = 1 << 60

// maxTurnsOwed is how many turns of an edge a node may believe to be owed: what goes on and
// off more often while nobody tells of it is told once.
const maxTurnsOwed = 3

// owe notes that an edge has risen or fallen, which this node does not tell. A fall becomes
// due a while after the delay of webhooks, unless the edge is back before.
func (t *told) owe(e hub.Edge, rises bool, patience, delay time.Duration) {
	now := t.clock.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	turn, owed := t.turnLocked(e), t.debts.of[e]
	last := max(turn, t.debts.turn(e))
	switch {
	case (last%2 == 1) == rises:
		return // known, or owed already
	case rises && owed != nil && owed.turn > turn && now-owed.fell < delay:
		if owed.turn--; owed.turn <= turn {
			delete(t.debts.of, e)
		}
		return
	case last+1 > turn+maxTurnsOwed:
		owed.turn -= 2
	default:
		if owed = t.debtLocked(e); owed == nil {
			return
		}
	}
	owed.turn, owed.due = max(turn, owed.turn)+1, now+patience
	if !rises {
		owed.fell, owed.due = now, now+patience+delay
	}
}

// debtLocked returns what is owed of an edge, to be added to; nil if there is no room, which
// is counted.
func (t *told) debtLocked(e hub.Edge) *debt {
	owed := t.debts.of[e]
	switch {
	case owed != nil:
	case len(t.debts.of) >= maxDebts:
		t.debts.missed = true
		t.dropped(1)
	default:
		owed = &debt{due: t.clock.now()}
		t.debts.of[e] = owed
	}
	return owed
}

// owes reports whether turns of an edge are owed.
func (t *told) owes(e hub.Edge) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.debts.turn(e) > t.turnLocked(e)
}

// claim notes that another node knows of turns that are owed. It reports whether they are.
func (t *told) claim(o broker.OwedEdge) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.Turn >= maxTurn {
		return false
	}
	if r := t.edges[o.Edge]; r != nil && (o.Turn <= r.turn || o.Turn > r.turn+maxTurnsOwed) {
		t.changed(o.Edge) // it has not heard of it
		return false
	}
	if t.debts.of[o.Edge] == nil && len(t.debts.of) >= maxDebts {
		return false // it will ask again
	}
	owed := t.debtLocked(o.Edge)
	owed.turn = max(owed.turn, o.Turn)
	return true
}

// owing returns what is owed and due, or all.
func (t *told) owing(all bool) []broker.OwedEdge {
	now := t.clock.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	var due []broker.OwedEdge
	for e, d := range t.debts.of {
		if all || d.due <= now {
			due = append(due, broker.OwedEdge{Edge: e, Turn: d.turn})
		}
	}
	return due
}

// asked notes that the home was asked to tell.
func (t *told) asked(e hub.Edge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d := t.debts.of[e]; d != nil {
		if d.asked++; d.asked >= maxAsked {
			delete(t.debts.of, e)
			t.dropped(1)
		}
	}
}

// paid forgets a debt if webhooks were told.
func (t *told) paid(e hub.Edge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.edges[e]; r != nil && r.turn >= t.debts.turn(e) {
		delete(t.debts.of, e)
	}
}

// owed returns how often webhooks were told of an edge, until which turn they are to be told,
// and whether a node has gone that may have told them.
func (t *told) owed(e hub.Edge) (turn, until uint64, reopened bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.debts.of[e]
	return t.turnLocked(e), t.debts.turn(e), d != nil && d.reopened
}

// waive forgets a debt of which nobody wants to hear any more.
func (t *told) waive(e hub.Edge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.debts.of, e)
}

// takeMissed reports whether a debt had no room since the last call.
func (t *told) takeMissed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	missed := t.debts.missed
	t.debts.missed = false
	return missed
}
