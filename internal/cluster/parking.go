package cluster

import (
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// parcel is an event, or with a user a termination, of another node.
type parcel struct {
	broker.Place
	event       hub.Relayed
	predecessor broker.Predecessor
	user        string
	size        int
	until       time.Duration // it waits no longer for another message
}

func (w *worker) onParcel(h broker.Header, body broker.Body) error {
	c, err := w.readParcel(h, body)
	if err != nil {
		return err
	}
	if p := w.peers[h.Origin]; p != nil {
		w.admit(p, &c)
		return nil
	}
	if g := w.ghosts[h.Origin]; g != nil && g.left { // another one is back, and has missed or sent more
		w.admitLate(g, &c)
		return nil
	}
	if p := w.peer(h); p != nil {
		w.admit(p, &c)
	}
	return nil
}

func (w *worker) readParcel(h broker.Header, body broker.Body) (parcel, error) {
	c := parcel{size: len(body)}
	if h.Kind == broker.KindTermination {
		t, err := broker.ReadTermination(body, &w.names)
		c.Place, c.event.App, c.user = t.Place, t.App, t.UserID
		return c, w.fits(c.Lane, err)
	}
	e, err := broker.ReadEvent(body, &w.names)
	c.Place, c.event, c.predecessor = e.Place, e.Relayed, e.Predecessor
	return c, w.fits(c.Lane, err)
}

// fits adds to the faults of a parcel that its lane is none of this engine's.
func (w *worker) fits(lane int, err error) error {
	if err == nil && lane >= w.options.Engine.Lanes() {
		return broker.ErrMalformed
	}
	return err
}

// admit delivers an event, or parks it if something has to come before it.
func (w *worker) admit(p *peer, c *parcel) {
	l := p.lane(c.Lane)
	if c.Number <= l.last {
		return // sent twice
	}
	if p.recover.state == noRecovery && w.at-p.heard > w.period()*3/2 && w.options.Engine.Mesh() {
		p.recover.state = recoveryDue // servers of the engine may have lost each other; its beat will tell
	}
	if p.recover.state == noRecovery && len(l.parked) == 0 && w.ready(p, c) {
		l.last = c.Number
		w.deliver(p.handle, c)
		return
	}
	w.park(p, l, c)
	if !p.alive() && p.snapshot == nil {
		w.ask(p) // nothing else is known of it
	}
}

// admitLate delivers an event of a node that has gone meanwhile.
func (w *worker) admitLate(g *ghost, c *parcel) {
	p := peer{lanes: g.lanes}
	if l := p.lane(c.Lane); c.Number > l.last {
		l.last = c.Number
		w.deliver(nobody, c)
	}
	g.lanes = p.lanes
}

// ready reports whether everything is there that an event has to come after.
func (w *worker) ready(p *peer, c *parcel) bool {
	if c.After > p.seq || !p.known && c.After > 0 && !p.synced {
		return false
	}
	before := &c.predecessor
	return before.Number == 0 || p.lane(before.Lane).last >= before.Number || before.Lane == c.Lane ||
		!w.queue.wants(broker.ChannelOf{App: c.event.App, Channel: before.Channel})
}

func (w *worker) deliver(from hub.Node, c *parcel) {
	if c.user != "" {
		w.hub.Terminated(c.event.App, c.user)
		return
	}
	w.hub.Deliver(&w.turn, from, c.event)
}

// park keeps an event until what it waits for has come. If too much waits, nothing
// of this node waits any longer.
func (w *worker) park(p *peer, l *peerLane, c *parcel) {
	c.until = w.clock.now() + parkTimeout
	i, twice := slices.BinarySearchFunc(l.parked, c.Number, func(other parcel, n uint64) int {
		switch {
		case other.Number < n:
			return -1
		case other.Number > n:
			return 1
		}
		return 0
	})
	if twice {
		return
	}
	l.parked = slices.Insert(l.parked, i, *c)
	w.parked++
	p.parked += c.size
	if w.parkedBytes += c.size; w.parkedBytes > maxParkedBytes {
		w.metrics.incomplete.Inc()
		w.abandonRecovery(p)
		for i := range p.lanes {
			w.releaseLane(p, i, true)
		}
	}
}

// releaseAll delivers what has waited long enough.
func (w *worker) releaseAll() {
	now := w.clock.now()
	for _, p := range w.peers {
		if p.recover.overdue(now) {
			w.repeatRecovery(p)
		}
		w.release(p)
	}
}

// release delivers what a peer's events have been waiting for. What is delivered on
// one lane may have been what another lane waits for.
func (w *worker) release(p *peer) {
	if p.recover.state != noRecovery {
		return
	}
	for again := p.parked > 0; again; {
		again = false
		for i := range p.lanes {
			again = w.releaseLane(p, i, false) || again
		}
	}
}

// releaseLane delivers parked events of one lane, as far as they are ready; all of
// them if there is no more waiting.
func (w *worker) releaseLane(p *peer, i int, all bool) (any bool) {
	l := &p.lanes[i]
	if len(l.parked) == 0 {
		return false
	}
	now := w.clock.now()
	return w.releaseWhile(p, l, func(c *parcel) bool { return all || now >= c.until || w.ready(p, c) })
}

// releaseBefore delivers parked events of a lane that come before one which is not parked:
// the node that answers a question may take them for too old to be missed.
func (w *worker) releaseBefore(p *peer, next *parcel) {
	if l := p.lane(next.Lane); len(l.parked) > 0 {
		w.releaseWhile(p, l, func(c *parcel) bool { return c.Number < next.Number })
	}
}

func (w *worker) releaseWhile(p *peer, l *peerLane, may func(*parcel) bool) (any bool) {
	n := 0
	for ; n < len(l.parked); n++ {
		c := &l.parked[n]
		if c.Number > l.last {
			if !may(c) {
				break
			}
			l.last = c.Number
			w.deliver(p.handle, c)
		}
		w.parked--
		p.parked -= c.size
		w.parkedBytes -= c.size
	}
	l.parked = slices.Delete(l.parked, 0, n)
	if len(l.parked) == 0 {
		l.parked = nil
	}
	return n > 0
}
