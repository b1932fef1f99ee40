package cluster

import (
	"math"
	"slices"
	"time"
)

// maxMinority is how long a node that has lost most of the others waits for them
// before it takes those it has for all there are.
const maxMinority = 5 * time.Minute

// renew lets this node tell webhooks a while longer of what it is the home of: for as
// long as it is certain that no other node believes to be, because they have not done without
// it yet. A process that was stopped, or that is cut off, finds that time over.
func (w *worker) renew() {
	if w.alone {
		w.filter.until.Store(math.MaxInt64)
		return
	}
	until := min(w.trusted(), w.ticked+w.options.Lease/2) // what comes first after a pause may be as old
	for _, p := range w.peers {
		if p.alive() && !p.apart && p.beat.View != w.view.digest {
			until = 0 // one of the two is behind, or does not hear all
		}
	}
	w.filter.until.Store(int64(until))
}

// trusted returns until when no other node can have become home of what this one is. Where
// one engine serves all, what comes back to this node has come to the others. On a mesh
// it has to hear at least half of them, as whoever takes its place has to.
func (w *worker) trusted() time.Duration {
	if !w.options.Engine.Mesh() {
		return w.echoed + w.options.Lease/2
	}
	heard := make([]time.Duration, 0, 16)
	for _, id := range w.majority.nodes {
		if id == w.id {
			heard = append(heard, w.clock.now())
		} else if p := w.peers[id]; p != nil && !w.markers.isSuspect(id) {
			heard = append(heard, p.heard)
		}
	}
	half := (len(w.majority.nodes) + 1) / 2
	if half == 0 || len(heard) < half {
		return 0
	}
	slices.Sort(heard)
	return heard[len(heard)-half] + w.options.Lease/2
}

// minority reports whether this node has lost most of the nodes with which it agreed
// last, on an engine that may fall apart: the others go on without it.
func (w *worker) minority(now time.Duration) bool {
	if !w.options.Engine.Mesh() || len(w.view.nodes) >= len(w.majority.nodes) || now-w.viewSince >= maxMinority {
		return false
	}
	left := 0
	for _, id := range w.majority.nodes {
		if w.view.has(id) {
			left++
		}
	}
	return 2*left < len(w.majority.nodes)
}

// noteView takes note of whether a node hears the same nodes as this one. Whom it takes for
// apart does not count: nodes that go by that may never come together again.
func (w *worker) noteView(p *peer) {
	switch {
	case p.beat.Heard == w.heard.digest:
		p.differs = same
		if p.apart {
			p.apart = false
			w.viewChanged()
		}
	case p.differs < 0:
		p.differs = w.clock.now()
	}
}

// judgeViews does without nodes that hear fewer others for a while, as one does that can
// be heard and does not hear. It is no home until it hears the same again; its
// connections count.
func (w *worker) judgeViews(now time.Duration) {
	for _, p := range w.peers {
		if p.differs < 0 || p.apart || !p.alive() {
			continue
		}
		if now-p.differs > 3*w.period() && p.beat.Nodes < len(w.heard.nodes) {
			p.apart = true
			if p.away < 0 {
				p.away = p.differs
			}
			w.options.Log.Warn("node does not hear the same others", "node", p.id, "name", p.beat.Name, "hears", p.beat.Nodes)
		}
	}
	w.viewChanged()
}
