package cluster

import (
	"slices"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var (
	toAll       = broker.Subject{Kind: broker.ToAll}
	arenaLength = 64 << 10
)

func toNode(id broker.NodeID) broker.Subject { return broker.Subject{Kind: broker.ToNode, Node: id} }

// encode makes commands of what the batch has taken: what needs no order first,
// then the rest in its order, then parts of longer answers.
func (w *writer) encode() {
	b := &w.batch
	w.encodeControls()
	events, shares, edges, interests, views := b.events, b.shares, b.edges, b.interests, b.views
	for _, t := range b.order {
		switch t.kind {
		case itemEvent:
			w.flushState() // it may be of a member whose share is among them
			for i := range events[:t.n] {
				w.encodeEvent(&events[i])
			}
			events = events[t.n:]
		case itemShare:
			for _, k := range shares[:t.n] {
				w.addShare(w.hub.Share(k))
			}
			shares = shares[t.n:]
		case itemEdge:
			for _, e := range edges[:t.n] {
				w.addTold(w.told.register(e))
			}
			edges = edges[t.n:]
		case itemInterest:
			w.encodeInterests(interests[:t.n])
			interests = interests[t.n:]
		case itemView:
			w.flushState() // what was told as the home of channels that have moved
			w.outlook = views[t.n-1]
			w.encodeBeat(false)
			views = views[t.n:]
		case itemBarrier:
		}
	}
	w.state.Closed = 0
	if b.closes && !b.silent {
		w.state.Closed = w.told.closed()
	}
	w.flushState()
	w.answerJobs()
	w.encodeMarker()
}

func (w *writer) encodeControls() {
	b := &w.batch
	for _, c := range b.controls {
		switch {
		case c.answer != nil:
			w.addJob(c.answer)
		case c.to == 0:
			b.command(broker.Command{Op: broker.Publish, Subject: toAll, Message: c.message}, fate{kind: forgotten})
		default:
			b.command(broker.Command{Op: broker.Publish, Subject: toNode(c.to), Message: c.message}, fate{kind: forgotten})
		}
	}
	if b.beat != noBeat {
		w.encodeBeat(b.beat == helloBeat)
	}
	if b.loss != nil {
		start := len(b.scratch)
		b.scratch = b.loss.Append(b.scratch, w.id)
		b.message(toAll, start, sentAgain)
	}
}

func (w *writer) encodeInterests(changes []interestChange) {
	for _, c := range changes {
		if !c.none {
			w.batch.command(broker.Command{Op: c.op, Subject: subjectOf(c.ChannelOf)}, fate{kind: forgotten})
		}
	}
}

// encodeEvent numbers an event, or a termination, and keeps its message in the
// ring.
func (w *writer) encodeEvent(e *queuedEvent) {
	subject := toAll // what fills a cache, everybody gets
	if e.Fill == nil && e.user == "" {
		subject = broker.Subject{Kind: broker.ToChannel, App: string(e.App), Channel: string(e.Channel)}
	}
	lane := w.options.Engine.Lane(subject)
	w.numbers[lane]++
	place := broker.Place{Lane: lane, Number: w.numbers[lane]}
	if e.Channel.Kind().Has(protocol.Presence) {
		place.After = w.seq // its sender has to be a member already; others need not wait
	}
	start := w.reserve(e)
	if e.user != "" {
		w.arena = (&broker.Termination{Place: place, App: e.App, UserID: e.user}).Append(w.arena, w.id)
	} else {
		message := broker.Event{Place: place, Relayed: e.Relayed, Predecessor: w.predecessor(e, place)}
		w.arena = message.Append(w.arena, w.id)
	}
	message := w.arena[start:len(w.arena):len(w.arena)]
	w.ring.add(sentEvent{lane: lane, number: place.Number, at: e.at, message: message})
	w.batch.command(
		broker.Command{Op: broker.Publish, Subject: subject, Message: message},
		fate{kind: sentWhileFresh, at: e.at},
	)
}

// predecessor notes an event that others follow, and returns the one that this
// one follows. On a single lane nothing overtakes.
func (w *writer) predecessor(e *queuedEvent, at broker.Place) broker.Predecessor {
	if len(w.numbers) == 1 {
		return broker.Predecessor{}
	}
	var before broker.Predecessor
	if e.Follows {
		before = w.chain[e.App]
	}
	if e.Followed {
		w.chain[e.App] = broker.Predecessor{Number: at.Number, Lane: at.Lane, Channel: e.Channel}
	}
	return before
}

// reserve makes room in the arena, where the messages of one stretch of time share
// memory: they leave the ring in the same order.
func (w *writer) reserve(e *queuedEvent) (start int) {
	const names = 2*protocol.MaxChannelName + 200 + 128
	need := e.size() + names
	if e.Fill != nil {
		need += len(e.Fill.Event)
	}
	if cap(w.arena)-len(w.arena) < need {
		w.arena = make([]byte, 0, max(need, arenaLength))
	}
	return len(w.arena)
}

func (w *writer) addShare(s hub.Share) {
	if s.Kind == hub.ShareOfApp {
		w.connections.Add(int64(s.Connections - w.connected[s.App]))
		w.connected[s.App] = s.Connections
	}
	w.state.Shares = append(w.state.Shares, s)
	w.grow(shareSize(&s))
}

func shareSize(s *hub.Share) int {
	return 48 + len(s.App) + len(s.Channel) + len(s.UserID) + len(s.Info)
}

func (w *writer) addTold(t broker.Told) {
	w.state.Told = append(w.state.Told, t)
	w.grow(toldSize(t.Edge))
}

func toldSize(e hub.Edge) int { return 32 + len(e.App) + len(e.Channel) + len(e.UserID) }

func (w *writer) grow(bytes int) {
	if w.changed += bytes; w.changed > partBytes {
		w.flushState()
	}
}

// flushState makes a message of the shares and edges that were read.
func (w *writer) flushState() {
	if w.changed == 0 && w.state.Closed == 0 {
		return
	}
	w.seq++
	w.state.Seq = w.seq
	b := &w.batch
	start := len(b.scratch)
	b.scratch = w.state.Append(b.scratch, w.id)
	b.message(toAll, start, sentAgain)
	b.bytes += w.changed
	clear(w.state.Shares)
	clear(w.state.Told)
	w.state.Shares, w.state.Told, w.state.Closed, w.changed = w.state.Shares[:0], w.state.Told[:0], 0, 0
}

func (w *writer) encodeBeat(hello bool) {
	if w.batch.silent {
		return
	}
	w.beats++
	w.ring.trim(w.clock.now())
	beat := broker.Beat{
		Count: w.beats, Hello: hello, Seq: w.seq,
		Heard: w.outlook.heard.digest, Nodes: len(w.outlook.heard.nodes), View: w.outlook.view.digest,
		Name: w.options.Name, Version: w.options.Version, Started: w.started.Unix(),
		Connections: int(w.connections.Load()), Closed: w.told.closed(), Numbers: w.numbers,
	}
	b := &w.batch
	start := len(b.scratch)
	b.scratch = beat.Append(b.scratch, w.id)
	b.message(toAll, start, forgotten)
	b.counted++
	w.probe.sending(w.beats, w.clock.now())
}

// encodeMarker ends the batch with a marker, on a mesh where somebody waits for one.
func (w *writer) encodeMarker() {
	b := &w.batch
	if !w.options.Engine.Mesh() {
		return
	}
	if len(b.barriers) > 0 {
		position := b.position
		if !b.drained {
			position = 0
		}
		w.markers.wait(slices.Clone(b.barriers), position)
	}
	if b.marker = w.markers.next(); b.marker > 0 {
		start := len(b.scratch)
		b.scratch = (&broker.Marker{Number: b.marker}).Append(b.scratch, w.id)
		b.message(toAll, start, forgotten)
	}
}
