package cluster

import (
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// peer is another node, as the worker knows it.
type peer struct {
	id     broker.NodeID
	handle hub.Node

	beat     broker.Beat   // the last one
	heard    time.Duration // when that came, by the clock of this node
	met      time.Duration // when the first one came
	answered bool          // it has come on this link
	delay    time.Duration // how much later than due it came, smoothed
	differs  time.Duration // since when it hears others than this node does; below 0: it does not
	apart    bool          // it does not hear whom this node hears: it is home of nothing

	seq      uint64        // of the last state
	synced   bool          // nothing is missing up to seq
	known    bool          // it has been synced before
	stale    bool          // what has come of it may be of before a pause of this node
	away     time.Duration // since when it may have been out of touch; below 0: it was not
	snapshot *incoming     // asked for; nil: none

	lanes   []peerLane
	recover recovery
	parked  int // bytes
}

// peerLane is how far the events of a node have come on one lane.
type peerLane struct {
	last   uint64   // delivered
	told   uint64   // by its last beat
	floor  uint64   // what is not to be asked for: it has been sent before what was heard last
	parked []parcel // rising numbers
}

// lane returns a lane of the peer.
func (p *peer) lane(i int) *peerLane {
	if i >= len(p.lanes) {
		p.lanes = append(p.lanes, make([]peerLane, i+1-len(p.lanes))...)
	}
	return &p.lanes[i]
}

// reached returns the number after which events may be missing, if any are.
func (l *peerLane) reached() uint64 { return max(l.last, l.floor) }

// alive reports whether the peer has said so itself.
func (p *peer) alive() bool { return p.beat.Count > 0 }

// ghost is what is kept of a node that is gone: events of it may still come.
type ghost struct {
	lanes []peerLane
	left  bool // it has said Bye, after which it does not beat
	since time.Duration
	heard time.Duration // its last beat
}

// Below zero: not at all.
const (
	inTouch = -1
	same    = -1
)

// maxAbsence is how long a node may have been cut off and still be known when it
// comes back. What is kept for it is little.
const maxAbsence = 24 * time.Hour

// peer returns the sender of a message, which it makes a peer if it is new. It
// is nil for one that has said Bye and does not beat, or where there are too many.
func (w *worker) peer(h broker.Header) *peer {
	id := h.Origin
	if p := w.peers[id]; p != nil {
		return p
	}
	g := w.ghosts[id]
	if g != nil && g.left && h.Kind != broker.KindBeat {
		return nil
	}
	if len(w.peers) >= maxPeers {
		w.metrics.ignore(ignoredTooManyNodes)
		return nil
	}
	p := &peer{id: id, handle: w.handles.take(), heard: w.clock.now(), synced: true, away: inTouch, differs: same}
	if g != nil { // it was believed dead, and its events went on
		p.lanes, p.recover.state, p.away = g.lanes, recoveryDue, g.heard
		delete(w.ghosts, id)
	}
	w.peers[id] = p
	w.metAnyone = true
	return p
}

// drop forgets a node that is gone. The caller takes note of the change.
func (w *worker) drop(p *peer, left bool) {
	for i := range p.lanes {
		w.releaseLane(p, i, true)
	}
	w.orphaned = w.orphaned || !p.known
	w.told.gone(p.id, left)
	delete(w.peers, p.id)
	w.markers.remove(p.id)
	w.bury(p, left)
	w.hub.Forget(p.handle)
	w.handles.give(p.handle)
	w.options.Log.Info("node has gone", "node", p.id, "name", p.beat.Name, "left", left)
}

// bury keeps the numbers of a node for as long as it might send anything again
// that it had sent before.
func (w *worker) bury(p *peer, left bool) {
	if len(w.ghosts) < maxPeers {
		w.ghosts[p.id] = &ghost{lanes: p.lanes, left: left, since: w.clock.now(), heard: p.heard}
	}
}

// exorcise forgets those that do not come back.
func (w *worker) exorcise(now time.Duration) {
	for id, g := range w.ghosts {
		if age := now - g.since; age > maxAbsence || g.left && age > w.options.ReplayAge+2*w.options.Lease {
			delete(w.ghosts, id)
		}
	}
	w.told.forgetWriters(func(id broker.NodeID) bool {
		return w.peers[id] == nil && w.ghosts[id] == nil
	})
}

// nobody is the number of nodes that the hub does not know any more.
const nobody hub.Node = 0

// handles are the numbers by which the hub knows other nodes.
type handles struct {
	free []hub.Node
	next hub.Node
}

func (h *handles) take() hub.Node {
	if n := len(h.free); n > 0 {
		taken := h.free[n-1]
		h.free = h.free[:n-1]
		return taken
	}
	h.next++ // at most maxPeers
	return h.next
}

func (h *handles) give(n hub.Node) {
	if !slices.Contains(h.free, n) {
		h.free = append(h.free, n)
	}
}
