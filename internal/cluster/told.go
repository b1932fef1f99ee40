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

// told is what webhooks were told to be on, by any node: registers of which the
// latest write wins. mu comes after the locks of webhooks, and before the
// queue's.
type told struct {
	id      broker.NodeID
	clock   *clock
	changed func(hub.Edge) // to be sent to the other nodes
	fell    func(hub.Edge) // told by another node to be off

	mu    sync.Mutex
	edges map[hub.Edge]*register
	off   deque[grave]
	count uint64 // the Lamport clock
}

// grave is an edge that was told to be off.
type grave struct {
	edge  hub.Edge
	since time.Duration
}

func newTold(id broker.NodeID, c *clock) *told {
	return &told{id: id, clock: c, edges: make(map[hub.Edge]*register)}
}

type register struct {
	stamp hub.Stamp
	on    bool
	falls bool          // its fall was let through, and may be held for the delay
	since time.Duration // when it was written here

	// Nodes that were out of touch may have told different things. Which of them webhooks
	// have heard last nobody knows, so the home tells the truth once more.
	doubtful bool
}

// OnTold notes that webhooks are told of an edge. It is called when the notice can
// no longer be taken back, under the locks of webhooks.
func (n *Node) OnTold(e hub.Edge, on bool) { n.told.write(e, on) }

func (t *told) write(e hub.Edge, on bool) {
	t.mu.Lock()
	t.count++
	t.putLocked(e, &register{stamp: hub.Stamp{Count: t.count, Node: uint64(t.id)}, on: on})
	t.mu.Unlock()
	t.changed(e)
}

func (t *told) putLocked(e hub.Edge, r *register) {
	r.since = t.clock.coarse()
	t.edges[e] = r
	if !r.on {
		t.off.push(grave{edge: e, since: r.since})
	}
}

// merge takes over what another node has written. Since away the two may have been out
// of touch; below 0: they were not. If both have written meanwhile, the edge is in doubt, which
// all nodes are told. It reports whether that was news.
func (t *told) merge(r *broker.Told, away time.Duration) (news bool) {
	if r.Stamp.Count >= 1<<62 {
		return false // no clock reaches that; the own one would never again
	}
	t.mu.Lock()
	t.count = max(t.count, r.Stamp.Count)
	old := t.edges[r.Edge]
	if old == nil {
		old = &register{}
	}
	conflict := away >= 0 && old.stamp != r.Stamp && !old.doubtful && t.mayHaveWrittenLocked(old, away)
	switch {
	case conflict:
		t.count++
		t.putLocked(r.Edge, &register{
			stamp: hub.Stamp{Count: t.count, Node: uint64(t.id)}, on: r.On, falls: old.falls, doubtful: true,
		})
	case old.stamp.Before(r.Stamp):
		t.putLocked(r.Edge, &register{stamp: r.Stamp, on: r.On, falls: old.falls && r.On, doubtful: r.Doubt})
	default:
		t.mu.Unlock()
		return false
	}
	t.mu.Unlock()
	if conflict {
		t.changed(r.Edge)
	}
	if !r.On {
		t.fell(r.Edge)
	}
	return true
}

// mayHaveWrittenLocked reports whether a register may have been written here, or have
// been heard of, since a time.
func (t *told) mayHaveWrittenLocked(r *register, since time.Duration) bool {
	if r.stamp.Count > 0 {
		return r.since >= since
	}
	return t.clock.coarse()-since > tombstone // to be off, and that is forgotten
}

// decide reports whether a rise or fall is to be let through: a rise that was not
// told, or that takes back a fall; a fall of what was told.
func (t *told) decide(e hub.Edge, rises bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.edges[e]
	on := r != nil && r.on && !r.falls
	if on == rises {
		return false
	}
	if r != nil {
		r.falls = !rises
	}
	return true
}

// allFall notes that a fall is held of whatever was told to be on.
func (t *told) allFall() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.edges {
		r.falls = r.on
	}
}

// adopt makes this node the writer of edges, if mine says so of the edge and of its
// writer, which has gone: somebody has to tell them to nodes that come. Only the home
// may: with another's later stamp an older value would win over what the home tells.
func (t *told) adopt(mine func(writer broker.NodeID, e hub.Edge) bool) {
	t.mu.Lock()
	var adopted []hub.Edge
	for e, r := range t.edges {
		if mine(broker.NodeID(r.stamp.Node), e) {
			t.count++
			r.stamp, r.since = hub.Stamp{Count: t.count, Node: uint64(t.id)}, t.clock.coarse()
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
// right.
func (t *told) assume(e hub.Edge, on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.edges[e]; r != nil && r.doubtful {
		r.on, r.falls, r.doubtful = on, r.falls && on, false
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
	return broker.Told{Edge: e, On: r.on, Doubt: r.doubtful, Stamp: r.stamp}
}

// on returns the edges that were told to be on.
func (t *told) on() []hub.Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	var on []hub.Edge
	for e, r := range t.edges {
		if r.on {
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

// forget drops what has been off for long.
func (t *told) forget(now time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for t.off.len() > 0 && now-t.off.slot(t.off.first).since > tombstone {
		g := t.off.pop()
		if r := t.edges[g.edge]; r != nil && !r.on && r.since == g.since {
			delete(t.edges, g.edge)
		}
	}
}
