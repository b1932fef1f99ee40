package cluster

import (
	"context"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// worker works off the inbox. What is known of other nodes is its own, and nobody
// else's: it is touched by whoever has claimed the inbox.
type worker struct {
	*Node

	turn    hub.Turn
	names   broker.Names
	peers   map[broker.NodeID]*peer
	ghosts  map[broker.NodeID]*ghost
	handles handles

	at          time.Duration // when this lot of messages was taken up
	ticked      time.Duration // when the last tick was due
	lastRequest uint64
	parked      int // events, of all peers
	parkedBytes int

	lostSince  time.Duration // since when events of nodes that this one has not met may be missing
	linkUp     bool
	linkSince  time.Duration // the last time it came up or went down
	subscribed bool          // the link has its subscriptions

	heard      view // all nodes whose beats come
	view       view // those of them that are not apart
	viewSince  time.Duration
	majority   view                  // the nodes that agreed last, without those that have left since
	echoed     time.Duration         // when the last message that has come back to this node was sent
	unverified map[hub.Edge]struct{} // told by others
	orphaned   bool                  // a node has gone before its state had come, which others may have in part
	resigned   bool                  // home of nothing from now on
	alone      bool                  // it leaves as the last one
	settled    bool                  // homes are those of view
	begun      bool                  // the state of the others has been waited for
	metAnyone  bool
}

func newWorker(n *Node) *worker {
	self := viewOf([]broker.NodeID{n.id})
	return &worker{
		Node: n, peers: make(map[broker.NodeID]*peer), ghosts: make(map[broker.NodeID]*ghost),
		unverified: make(map[hub.Edge]struct{}),
		heard:      self, view: self, majority: viewOf(nil),
	}
}

const (
	// turnMessages is how many messages are worked off before their rounds of delivery
	// run: then they leave together, but the first does not wait long.
	turnMessages = 128

	// parkedCheck is how often events that wait are looked at.
	parkedCheck = 50 * time.Millisecond
)

// run works until ctx ends.
func (w *worker) run(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		for w.workOff() {
		}
		if timer.Reset(time.Hour); w.inbox.hasParked() {
			timer.Reset(parkedCheck)
		}
		select {
		case <-ctx.Done():
			return
		case <-w.inbox.wake:
		case <-timer.C:
		}
	}
}

// workOff works off what has arrived, and what was parked, unless somebody else does.
// It reports whether there may be more.
func (w *worker) workOff() (more bool) {
	items, ok := w.inbox.claim()
	if !ok {
		return false
	}
	w.work(items)
	w.inbox.done(items, w.parked > 0)
	return len(items) > 0
}

func (w *worker) work(items []arrival) {
	w.at = w.clock.now()
	for i, a := range items {
		if a.do != nil {
			w.turn.End() // it may be what somebody waits for
			a.do(w)
			continue
		}
		w.message(a.message)
		if i%turnMessages == turnMessages-1 {
			w.turn.End()
		}
	}
	w.turn.End()
	if w.parked > 0 {
		w.releaseAll()
		w.turn.End()
	}
}

// message works off one message.
func (w *worker) message(m []byte) {
	w.metrics.received.Inc()
	h, body, err := broker.Open(m)
	if err != nil {
		w.ignore(err)
		return
	}
	if h.Origin == w.id {
		w.own(h, body)
		return
	}
	if !h.Kind.Known() {
		w.metrics.ignore(ignoredKind)
		return
	}
	if err := w.from(h, body); err != nil {
		w.ignore(err)
	}
}

// from works off a message of another node.
func (w *worker) from(h broker.Header, body broker.Body) error {
	switch h.Kind {
	case broker.KindEvent, broker.KindTermination:
		return w.onParcel(h, body)
	case broker.KindMarker:
		return w.onMarker(h, body)
	case broker.KindAck:
		return w.onAck(h, body)
	case broker.KindSnapshotRequest:
		return w.onSnapshotRequest(h, body)
	case broker.KindRecoverRequest:
		return w.onRecoverRequest(h, body)
	case broker.KindOwed:
		return w.onOwed(body)
	case broker.KindLoss:
		return w.onLoss(body)
	case broker.KindBye:
		return w.onBye(h)
	default:
		if p := w.peer(h); p != nil {
			return w.ofPeer(p, h.Kind, body)
		}
		return nil
	}
}

// ofPeer works off what makes its sender known.
func (w *worker) ofPeer(p *peer, kind broker.Kind, body broker.Body) error {
	switch kind {
	case broker.KindState:
		return w.onState(p, body)
	case broker.KindSnapshot:
		return w.onSnapshot(p, body)
	case broker.KindBeat:
		return w.onBeat(p, body)
	case broker.KindRecovered:
		return w.onRecovered(p, body)
	default:
		return nil
	}
}

// own works off a message that has come back from the engine.
func (w *worker) own(h broker.Header, body broker.Body) {
	if h.Kind != broker.KindBeat {
		return
	}
	beat, err := broker.ReadBeat(body)
	if err != nil {
		return
	}
	if took, known := w.probe.echo(beat.Count, w.clock.now()); known {
		w.metrics.relay.Observe(took.Seconds())
		w.echo.Store(int64(took))
		w.echoed = max(w.echoed, w.clock.now()-took)
		w.renew()
	}
}

func (w *worker) onMarker(h broker.Header, body broker.Body) error {
	m, err := broker.ReadMarker(body)
	if err != nil {
		return err
	}
	w.turn.End() // what came before it is in force
	w.queue.control(control{to: h.Origin, message: m.AppendAck(nil, w.id)})
	return nil
}

func (w *worker) onAck(h broker.Header, body broker.Body) error {
	m, err := broker.ReadMarker(body)
	if err == nil {
		w.markers.answered(h.Origin, m.Number)
	}
	return err
}

func (w *worker) onBye(h broker.Header) error {
	if p := w.peers[h.Origin]; p != nil {
		w.drop(p, true)
		w.majority = w.majority.without(p.id)
		w.viewChanged()
	}
	return nil
}

func (w *worker) request() uint64 {
	w.lastRequest++
	return w.lastRequest
}
