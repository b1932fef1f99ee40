package cluster

import (
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// homes say of which channels this node tells webhooks. They are never changed,
// but replaced.
//
// A channel whose home moves is in between nobody's: its old home stops when it learns of the
// change, the new one begins when all nodes agree on the change. What happens meanwhile
// the new home finds out by comparing.
type homes struct {
	self   broker.NodeID
	view   view
	before []view // those since homes were settled last; nil if they are
	active bool   // else it is home of nothing
}

// maxUnsettled is how many views may follow one another before this node begins
// anew as the home of nothing.
const maxUnsettled = 8

// of reports whether this node is home of a channel: now, and in all views since
// homes were settled.
func (h *homes) of(e hub.Edge) bool {
	if !h.active || h.view.home(e.App, e.Channel) != h.self {
		return false
	}
	for _, v := range h.before {
		if v.home(e.App, e.Channel) != h.self {
			return false
		}
	}
	return true
}

// willBe reports whether this node is home of a channel once the view is settled.
func (h *homes) willBe(e hub.Edge) bool { return h.view.home(e.App, e.Channel) == h.self }

func (h *homes) changed(v view) *homes {
	next := &homes{self: h.self, view: v, active: h.active, before: append(slices.Clone(h.before), h.view)}
	if len(next.before) > maxUnsettled {
		next.active, next.before = false, nil
	}
	return next
}

func (h *homes) settled() *homes { return &homes{self: h.self, view: h.view, active: true} }

func (h *homes) suspended() *homes { return &homes{self: h.self, view: h.view} }

// viewChanged takes note of which nodes are alive, and tells the others whom this one sees.
func (w *worker) viewChanged() {
	now := outlook{
		heard: w.viewOfPeers((*peer).alive),
		view:  w.viewOfPeers(func(p *peer) bool { return p.alive() && !p.apart }),
	}
	same := slices.Equal(now.view.nodes, w.view.nodes)
	if same && slices.Equal(now.heard.nodes, w.heard.nodes) {
		return
	}
	w.heard = now.heard
	if !same {
		w.move(now.view)
	}
	w.queue.view(now)
	w.trySettle()
}

// move changes the view by which channels have their homes. Falls that are held here of
// channels that have moved are taken back.
func (w *worker) move(v view) {
	w.view, w.viewSince, w.settled = v, w.clock.now(), false
	w.withdraw(w.filter.replace(func(h *homes) *homes { return h.changed(v) }))
	if w.minority(w.viewSince) {
		w.suspend() // the others do without it
	}
}

// viewOfPeers returns this node and those of the others for which in is true.
func (w *worker) viewOfPeers(in func(*peer) bool) view {
	ids := []broker.NodeID{w.id}
	for _, p := range w.peers {
		if in(p) {
			ids = append(ids, p.id)
		}
	}
	return viewOf(ids)
}

// suspend makes this node home of nothing until homes are settled again.
func (w *worker) suspend() {
	w.settled, w.viewSince = false, w.clock.now()
	for _, p := range w.peers {
		p.answered = false
	}
	w.withdraw(w.filter.replace((*homes).suspended))
}

// resign makes this node home of nothing for good: the others will tell what is held
// here, after their own delay. The last node stays what it is.
func (w *worker) resign() {
	if len(w.view.nodes) == 1 {
		w.alone = true
		w.renew()
		return
	}
	w.resigned = true
	w.suspend()
}

// withdraw takes held falls back of which this node is not the home.
func (w *worker) withdraw(h *homes) {
	w.options.Webhooks.Withdraw(func(e hub.Edge) bool { return !h.of(e) })
	w.told.withdrawn(func(e hub.Edge) bool { return !h.of(e) })
}

// trySettle makes this node home of its channels if all nodes agree on who is alive, so
// that nobody else believes to be, or if some do not for too long.
func (w *worker) trySettle() {
	if w.settled || w.resigned || !w.subscribed {
		return
	}
	now := w.clock.now()
	since := max(w.viewSince, w.linkSince)
	if now-since < w.period() && len(w.peers) == 0 {
		return // others may be about to answer
	}
	if w.orphaned && w.agreed() {
		w.orphaned = false
		w.resync() // and then again
		return
	}
	if !w.agreed() && (now-since < 3*w.period() || !w.begun && !w.informed() && now-since < w.options.Lease) {
		return
	}
	if w.minority(now) {
		return
	}
	w.settle()
}

// agreed reports whether every node has shown itself on this link, has told its
// state, and has the same view.
func (w *worker) agreed() bool {
	for _, p := range w.peers {
		if !p.apart && (!p.answered || !p.synced || p.beat.View != w.view.digest) {
			return false
		}
	}
	return true
}

// informed reports whether the state of every node is known.
func (w *worker) informed() bool {
	for _, p := range w.peers {
		if !p.synced || !p.alive() {
			return false
		}
	}
	return true
}

// settle compares what is with what was told, for all channels that this node becomes the
// home of, and tells the differences.
func (w *worker) settle() {
	w.settled, w.majority = true, w.view
	w.renew()
	w.retry()
	w.beginOnce()
	var before *homes
	now := w.filter.replace(func(h *homes) *homes { before = h; return h.settled() })
	w.compare(func(e hub.Edge) bool { return now.of(e) && !before.of(e) })
	for _, e := range w.told.inDoubt() {
		w.unverified[e] = struct{}{}
	}
	w.verify()
	w.payDebts(true)
	w.inherit(now)
	for _, p := range w.peers {
		if p.synced {
			p.away = inTouch
			w.told.reunited(p.id)
		}
	}
	w.publishStatus()
}

// beginOnce ends the start of this node. What an earlier process has told is of
// use only if no other node knows better.
func (w *worker) beginOnce() {
	if w.begun {
		return
	}
	w.begun = true
	if w.metAnyone {
		w.options.Webhooks.ForgetAllTold()
	} else {
		w.filter.restoring.Store(true)
		w.options.Webhooks.RestoreEdges()
		w.filter.restoring.Store(false)
		w.told.allFall()
	}
	w.serving.Store(true)
}

// compare tells webhooks where they are wrong: members leave before their
// channels, and come after them.
func (w *worker) compare(mine func(hub.Edge) bool) {
	w.turn.End()
	on := make(map[hub.Edge]struct{})
	for e := range w.hub.AllOn() {
		if mine(e) {
			on[e] = struct{}{}
		}
	}
	var rises, falls []hub.Edge
	for e := range on {
		rises = append(rises, e)
	}
	for _, e := range w.told.on() {
		if _, still := on[e]; !still && mine(e) {
			falls = append(falls, e)
		}
	}
	slices.SortFunc(falls, func(a, b hub.Edge) int { return rank(b) - rank(a) })
	slices.SortFunc(rises, func(a, b hub.Edge) int { return rank(a) - rank(b) })
	for _, e := range falls {
		w.correct(e)
	}
	for _, e := range rises {
		w.correct(e)
	}
}

// inherit takes care of told edges whose writer has gone. Those that came shortly before
// may not have heard of them: of the others, one tells. Then the home becomes the
// writer.
func (w *worker) inherit(now *homes) {
	elders := make(map[broker.NodeID]view)
	w.told.repeat(w.told.writtenBy(func(writer broker.NodeID, e hub.Edge) bool {
		if w.view.has(writer) {
			return false
		}
		v, known := elders[writer]
		if !known {
			v = w.elders(writer)
			elders[writer] = v
		}
		return len(v.nodes) < len(w.view.nodes) && v.home(e.App, e.Channel) == w.id
	}))
	w.told.adopt(func(writer broker.NodeID, e hub.Edge) bool { return !w.view.has(writer) && now.of(e) })
}

// elders returns the nodes that were there well before one has gone.
func (w *worker) elders(gone broker.NodeID) view {
	g := w.ghosts[gone]
	if g == nil {
		return w.view
	}
	return w.viewOfPeers(func(p *peer) bool { return p.alive() && p.met < g.heard-2*w.period() })
}

// lookForOrphans finds that other nodes believe somebody alive whom this one has not met:
// what that one alone would have told of what all know is missing here. It is
// asked for again when all agree.
func (w *worker) lookForOrphans(now time.Duration) {
	if w.orphaned && w.agreed() {
		w.orphaned = false
		w.resync()
		return
	}
	if now-w.viewSince < 2*w.period() {
		return
	}
	for _, p := range w.peers {
		w.orphaned = w.orphaned || p.beat.Nodes > len(w.heard.nodes)
	}
}

// verify looks whether what other nodes have told of edges is true, if it is this node that
// should have told. It is done once a period at most, and only while all agree: two
// nodes that see different things would contradict each other for ever.
func (w *worker) verify() {
	if !w.settled || len(w.unverified) == 0 || !w.agreed() {
		return
	}
	unverified := w.unverified
	w.unverified = make(map[hub.Edge]struct{})
	for e := range unverified {
		w.resolve(e)
	}
}

// resolve tells the truth about an edge if this node is its home: if it is in doubt,
// whatever was told before.
func (w *worker) resolve(e hub.Edge) {
	if w.filter.homes.Load().of(e) {
		w.told.assume(e, !w.hub.On(e))
		w.correct(e)
		if w.told.doubts(e) { // a fall is held, which may yet be taken back
			w.unverified[e] = struct{}{}
		}
	}
}

func rank(e hub.Edge) int {
	if e.Member {
		return 1
	}
	return 0
}

// correct tells what an edge is if webhooks know otherwise. Notices of the hub may
// come at the same time, so it looks again until there is nothing to tell. What cannot be told yet
// is looked at again once all nodes agree.
func (w *worker) correct(e hub.Edge) {
	const enough = 16 // an edge that changes faster is told by its own notices
	for range enough {
		if !w.filter.correct(e, w.hub.On(e)) {
			break
		}
	}
	if w.told.busy(e) || !w.filter.presides(e) {
		w.unverified[e] = struct{}{}
	}
}
