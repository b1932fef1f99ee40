package cluster

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// incoming is a snapshot that this node has asked for.
type incoming struct {
	request uint64
	part    uint64 // the next one
	until   time.Duration
	since   time.Duration
	seen    map[hub.ShareKey]struct{} // in parts, or in changes since the first part
	told    map[hub.Edge]struct{}     // likewise
}

// onState takes over a change of another node's state.
func (w *worker) onState(p *peer, body broker.Body) error {
	s, err := broker.ReadState(body)
	if err != nil {
		return err
	}
	if s.Seq <= p.seq {
		return nil // sent twice
	}
	if s.Closed > 0 {
		w.told.closes(p.id, s.Closed)
	}
	if s.Seq != p.seq+1 {
		w.missed(p)
	}
	p.seq = s.Seq
	w.apply(p, &s)
	return nil
}

// missed makes up for changes that have not come. A snapshot that is asked for and has
// not begun will have them.
func (w *worker) missed(p *peer) {
	if p.snapshot == nil || p.snapshot.part > 0 {
		w.ask(p)
	}
}

func (w *worker) apply(p *peer, s *broker.State) {
	if s.Ignored > 0 {
		w.metrics.ignored(ignoredEntry, s.Ignored)
	}
	for i := range s.Shares {
		if p.snapshot != nil && p.snapshot.part > 0 {
			p.snapshot.seen[s.Shares[i].ShareKey] = struct{}{}
		}
		w.hub.Apply(p.handle, s.Shares[i])
	}
	for i := range s.Told {
		if p.snapshot != nil && p.snapshot.part > 0 {
			p.snapshot.told[s.Told[i].Edge] = struct{}{}
		}
		// What this node is to become home of is compared anyway, when it does.
		if w.told.merge(&s.Told[i], source{id: p.id, whole: p.known && p.synced, away: p.away}) && w.filter.homes.Load().of(s.Told[i].Edge) {
			w.unverified[s.Told[i].Edge] = struct{}{}
		}
	}
}

// ask asks a node for its whole state. Until it has come, changes are taken over
// as they come: they are later than whatever is missing.
func (w *worker) ask(p *peer) {
	p.synced = false
	p.snapshot = &incoming{
		request: w.request(), until: w.clock.now() + answerWithin, since: w.clock.now(),
		seen: make(map[hub.ShareKey]struct{}), told: make(map[hub.Edge]struct{}),
	}
	w.metrics.snapshots.Inc()
	r := broker.SnapshotRequest{Request: p.snapshot.request}
	w.queue.control(control{to: p.id, message: r.Append(nil, w.id)})
}

// onSnapshot takes over a part of a node's whole state.
func (w *worker) onSnapshot(p *peer, body broker.Body) error {
	s, err := broker.ReadSnapshot(body, &w.names)
	if err != nil {
		return err
	}
	in := p.snapshot
	if in == nil || s.Request != in.request || s.Part < in.part {
		return nil // of an earlier request, or sent twice
	}
	if s.Part != in.part {
		w.ask(p) // a part is missing
		return nil
	}
	if in.part == 0 {
		p.seq = s.Seq
	}
	in.part++
	in.until = w.clock.now() + answerWithin
	w.apply(p, &s.State)
	for _, r := range s.Fills {
		w.hub.Deliver(nil, p.handle, r)
	}
	if s.End {
		w.complete(p, in)
	}
	return nil
}

// complete removes what the node has no share of any more.
func (w *worker) complete(p *peer, in *incoming) {
	w.hub.Retain(p.handle, func(k hub.ShareKey) bool {
		_, seen := in.seen[k]
		return seen
	})
	w.told.retain(p.id, in.since, func(e hub.Edge) bool {
		_, tells := in.told[e]
		return tells
	})
	w.told.reunited(p.id)
	p.snapshot, p.synced, p.known, p.away = nil, true, true, inTouch
	if p.stale {
		p.stale = false
		w.queue.wishBeat(helloBeat) // its answer is of now
	}
	w.trySettle()
}

// resync asks all nodes for their whole state.
func (w *worker) resync() {
	for _, p := range w.peers {
		w.ask(p)
	}
}

func (w *worker) onSnapshotRequest(h broker.Header, body broker.Body) error {
	r, err := broker.ReadSnapshotRequest(body)
	if err != nil {
		return err
	}
	w.queue.control(control{answer: &job{to: h.Origin, request: r.Request}})
	return nil
}
