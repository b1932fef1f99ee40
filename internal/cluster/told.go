package cluster

import (
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// tombstone is how long it is remembered that an edge was told to be off: as long
// as a node that has missed that may take to return.
const tombstone = time.Minute

// told is what webhooks were told of edges, by any node: registers, of which the one
// with the most turns wins. mu comes after the locks of webhooks, and before the queue's.
type told struct {
	id      broker.NodeID
	clock   *clock
	changed func(hub.Edge) // to be sent to the other nodes; called under mu
	fell    func(hub.Edge) // what this node has told to be on, another one has told to be off
	dropped func(edges int)

	mu    sync.Mutex
	edges map[hub.Edge]*register
	off   deque[grave]
	count uint64 // the Lamport clock
	debts debts

	writers map[broker.NodeID]*writerNote

	closedBy map[broker.NodeID]uint64 // by live node, up to which stamp it has told webhooks

	open    map[hub.Edge]*open  // what this node has written and not told yet
	unclear map[uint64]struct{} // the counts of the stamps of that
}

// grave is an edge that was told to be off.
type grave struct {
	edge  hub.Edge
	since time.Duration
}

func newTold(id broker.NodeID, c *clock) *told {
	return &told{
		id: id, clock: c, edges: make(map[hub.Edge]*register),
		writers: make(map[broker.NodeID]*writerNote),
		debts:   newDebts(), open: make(map[hub.Edge]*open), unclear: make(map[uint64]struct{}),
		closedBy: make(map[broker.NodeID]uint64),
	}
}

// writerNote is what has come of a node.
type writerNote struct {
	seen  uint64        // its latest stamp
	known uint64        // the latest one when it was in touch last
	gone  time.Duration // since when; 0: it is not
}

func (t *told) writerLocked(id broker.NodeID) *writerNote {
	n := t.writers[id]
	if n == nil {
		n = &writerNote{}
		t.writers[id] = n
	}
	return n
}

type register struct {
	stamp  hub.Stamp
	after  hub.Stamp     // of what it has replaced where it was written
	teller hub.Stamp     // of the node that has told, of then
	turn   uint64        // see [broker.Told]
	open   uint64        // of another node's: how many turns that was about to tell
	falls  bool          // its fall was let through, and may be held for the delay
	since  time.Duration // when it was written here

	// Nodes that were out of touch have told different things. Which of them webhooks have
	// heard last nobody knows, so the home tells the truth once more.
	doubtful bool
}

func (r *register) on() bool { return r.turn%2 == 1 }

// turnAfter returns the first turn after one that tells an edge to be on, or off.
func turnAfter(turn uint64, on bool) uint64 {
	if (turn%2 == 0) == on {
		return turn + 1
	}
	return turn + 2
}

// write makes the register of an edge say that webhooks are told by this node.
func (t *told) write(e hub.Edge, on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.writeLocked(e, on)
}

func (t *told) writeLocked(e hub.Edge, on bool) {
	t.count++
	turn, after := t.firstTurnLocked(e), hub.Stamp{}
	if r := t.edges[e]; r != nil {
		turn, after = r.turn, r.stamp
	}
	turn, stamp := turnAfter(turn, on), t.stampLocked()
	t.putLocked(e, &register{stamp: stamp, after: after, teller: stamp, turn: turn})
	t.changed(e)
}

// firstTurnLocked returns the turn of an edge that nobody knows, more than any it has had:
// no edge turns more often than the clock ticks.
func (t *told) firstTurnLocked(e hub.Edge) uint64 {
	turn := 2 * t.count
	if d := t.debts.of[e]; d != nil {
		turn = max(turn, (d.turn-1)&^1)
	}
	return turn
}

func (t *told) stampLocked() hub.Stamp { return hub.Stamp{Count: t.count, Node: uint64(t.id)} }

func (t *told) putLocked(e hub.Edge, r *register) {
	r.since = t.clock.coarse()
	t.edges[e] = r
	if !r.on() {
		t.off.push(grave{edge: e, since: r.since})
	}
}

// decide reports whether a rise or fall is to be let through: a rise that was not
// told, or that takes back a fall; a fall of what was told.
func (t *told) decide(e hub.Edge, rises bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.edges[e]
	switch on := r != nil && r.on() && !r.falls; {
	case on == rises:
		return false
	case rises && r != nil && r.falls:
		if t.debts.turn(e) > r.turn+1 {
			return false // the fall is owed, and then the rise
		}
	case t.busyLocked(r):
		return false
	}
	if r != nil {
		r.falls = !rises
	}
	return true
}

// turnLocked returns how often webhooks were told of an edge.
func (t *told) turnLocked(e hub.Edge) uint64 {
	if r := t.edges[e]; r != nil {
		return r.turn
	}
	return 0
}

// turn returns how often webhooks were told of an edge, and whether a fall of it may be held.
func (t *told) turn(e hub.Edge) (turn uint64, falls bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.edges[e]
	if r == nil {
		return 0, false
	}
	return r.turn, r.falls
}

// allFall notes that a fall is held of whatever was told to be on.
func (t *told) allFall() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.edges {
		r.falls = r.on()
	}
}

// adopt makes this node the writer of edges, if mine says so of the edge and of its
// writer, which has gone: somebody has to tell them to nodes that come. Only the home
// may: with another's later stamp an older value would win over what the home tells.
func (t *told) adopt(mine func(writer broker.NodeID, e hub.Edge) bool) {
	t.mu.Lock()
	var adopted []hub.Edge
	for e, r := range t.edges {
		if mine(broker.NodeID(r.stamp.Node), e) && !t.busyLocked(r) {
			t.count++
			r.stamp, r.open = t.stampLocked(), 0
			adopted = append(adopted, e)
		}
	}
	t.mu.Unlock()
	t.repeat(adopted)
}

// repeat tells the other nodes what is known of edges.
func (t *told) repeat(edges []hub.Edge) {
	for _, e := range edges {
		t.changed(e)
	}
}

// inDoubt returns the edges of which nobody knows what webhooks have heard.
func (t *told) inDoubt() []hub.Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	var edges []hub.Edge
	for e, r := range t.edges {
		if r.doubtful {
			edges = append(edges, e)
		}
	}
	return edges
}

// assume makes the register of an edge, if that is in doubt, say what is to be put
// right. It is in doubt until that is told, for which a fall that is held is enough.
func (t *told) assume(e hub.Edge, on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.edges[e]; r != nil && r.doubtful && !r.falls && r.on() != on {
		r.turn++
	}
}

// doubts reports whether an edge is in doubt.
func (t *told) doubts(e hub.Edge) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.edges[e]
	return r != nil && r.doubtful
}

// is reports whether webhooks were told that an edge is on, or off.
func (t *told) is(e hub.Edge, on bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.edges[e]
	return (r != nil && r.on()) == on
}

// falling reports whether a fall of an edge may be held here: a rise takes it back, and
// tells nothing.
func (t *told) falling(e hub.Edge) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.edges[e]
	return r != nil && r.falls
}

// unfall notes that a fall was not told.
func (t *told) unfall(e hub.Edge) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.edges[e]; r != nil {
		r.falls = false
	}
}

// withdrawn notes that falls were taken back.
func (t *told) withdrawn(moved func(hub.Edge) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for e, r := range t.edges {
		if r.falls && moved(e) {
			r.falls = false
		}
	}
}

// register returns what is known of an edge, to be sent.
func (t *told) register(e hub.Edge) broker.Told {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.edges[e]
	if r == nil { // forgotten meanwhile
		return broker.Told{Edge: e}
	}
	return broker.Told{Edge: e, Turn: r.turn, Doubt: r.doubtful, Open: t.openTurnsLocked(e, r), Stamp: r.stamp, After: r.after, Teller: r.teller}
}

// on returns the edges that were told to be on.
func (t *told) on() []hub.Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	var on []hub.Edge
	for e, r := range t.edges {
		if r.on() {
			on = append(on, e)
		}
	}
	return on
}

// writtenBy returns the edges that were written last by a node for which by is
// true.
func (t *told) writtenBy(by func(writer broker.NodeID, e hub.Edge) bool) []hub.Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	var edges []hub.Edge
	for e, r := range t.edges {
		if by(broker.NodeID(r.stamp.Node), e) {
			edges = append(edges, e)
		}
	}
	return edges
}

// forget drops what has been off for long, and of which nothing is owed.
func (t *told) forget(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.off.len() > 0 && now-t.off.slot(t.off.first).since > tombstone {
		g := t.off.pop()
		r := t.edges[g.edge]
		switch {
		case r == nil || r.on() || r.since != g.since:
		case t.debts.of[g.edge] != nil:
			t.putLocked(g.edge, r) // for as long again
		default:
			delete(t.edges, g.edge)
		}
	}
}
