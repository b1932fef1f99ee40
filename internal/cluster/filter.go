package cluster

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// filter lets those notices through to webhooks that no other node lets through:
// of channels whose home this node is, and edges that they were not told of yet.
type filter struct {
	webhooks Webhooks
	registry *apps.Registry // may be nil
	told     *told
	gate     *gate
	clock    *clock
	patience time.Duration // with the home of an edge
	delay    time.Duration // of falls, by webhooks; a fall that ends later was told

	homes atomic.Pointer[homes] // replaced under mu
	until atomic.Int64          // by the clock: how long this node may tell without hearing of the others

	restoring atomic.Bool // what is told now was told by an earlier process

	// mu makes one step of deciding on an edge and telling it. It comes after the
	// hub's locks and before those of webhooks.
	mu sync.Mutex
}

// Emit implements [hub.NoticeSink].
func (n *Node) Emit(notice hub.Notice) { n.filter.emit(notice) }

func (f *filter) emit(n hub.Notice) {
	e, rises, edge := edgeOf(n)
	switch {
	case n.Name == hub.ClientEventSent: // comes at the sender's node only
		f.webhooks.Emit(n)
	case edge:
		f.edge(n, e, rises)
	case f.homes.Load().willBe(e) && !f.gate.follow(n):
		f.webhooks.Emit(n)
	}
}

func (f *filter) edge(n hub.Notice, e hub.Edge, rises bool) {
	if !f.webhooks.Wants(n) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.presides(e) && (!rises || !f.told.falling(e)):
		f.told.owe(e, rises, f.patience, f.delay)
	case f.told.decide(e, rises):
		f.webhooks.Emit(n)
	case f.told.busy(e), f.told.owes(e):
		f.told.owe(e, rises, f.patience, f.delay)
	}
}

// presides reports whether this node is home of an edge, and has heard of the others lately
// enough to know that nobody else is.
func (f *filter) presides(e hub.Edge) bool {
	return int64(f.clock.now()) < f.until.Load() && f.homes.Load().of(e)
}

// OnTold notes that webhooks are to be told of an edge. It is called when the notice can
// no longer be taken back, under the locks of webhooks. It returns false if they are not to be
// told now: because they will be as soon as the other nodes know, or because another node
// has told them or may have become its home, as while a fall was held for the delay.
func (n *Node) OnTold(e hub.Edge, on bool) bool {
	if n.filter.restoring.Load() {
		n.told.write(e, on)
		return true
	}
	if n.told.is(e, on) {
		n.told.unfall(e)
		return false
	}
	var step, count uint64
	sealed := false
	if n.filter.presides(e) {
		step, count, sealed = n.told.seal(e, on)
	}
	if !sealed {
		n.told.unfall(e)
		n.told.owe(e, on, n.filter.patience, 0)
		return false
	}
	t := telling{notice: n.filter.notice(e, on), edge: e, step: step, count: count}
	return !n.gate.add(t) && n.told.close(t)
}

// correct tells webhooks that an edge is on or off, unless they know. It reports whether
// it has told.
func (f *filter) correct(e hub.Edge, on bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.presides(e) || !f.told.decide(e, on) {
		return false
	}
	f.webhooks.Emit(f.notice(e, on))
	return true
}

// advance tells webhooks what they are owed of an edge, until a fall is held. It reports
// whether this node may tell.
func (f *filter) advance(e hub.Edge, owed uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.presides(e) {
		return false
	}
	for range 2 { // a rise and a fall
		turn, falls := f.told.turn(e)
		on := turn%2 == 0
		if turn >= owed || falls || !f.told.decide(e, on) {
			break
		}
		f.webhooks.Emit(f.notice(e, on))
	}
	return true
}

// wants reports whether webhooks are to be told of an edge.
func (f *filter) wants(e hub.Edge) bool { return f.webhooks.Wants(f.notice(e, true)) }

// replace makes other homes, and returns them.
func (f *filter) replace(by func(*homes) *homes) *homes {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := by(f.homes.Load())
	f.homes.Store(next)
	return next
}

// edgeOf returns the edge that a notice tells of; if it tells of none, one of its
// channel.
func edgeOf(n hub.Notice) (e hub.Edge, rises, edge bool) {
	e = hub.Edge{App: n.App.ID, Channel: n.Channel}
	switch n.Name {
	case hub.ChannelOccupied:
		return e, true, true
	case hub.ChannelVacated:
		return e, false, true
	case hub.MemberAdded, hub.MemberRemoved:
		e.UserID, e.Member = n.UserID, true
		return e, n.Name == hub.MemberAdded, true
	default:
		return e, false, false
	}
}

// notice is the opposite of edgeOf.
func (f *filter) notice(e hub.Edge, on bool) hub.Notice {
	n := hub.Notice{App: f.app(e.App), Channel: e.Channel, UserID: e.UserID}
	switch {
	case e.Member && on:
		n.Name = hub.MemberAdded
	case e.Member:
		n.Name = hub.MemberRemoved
	case on:
		n.Name = hub.ChannelOccupied
	default:
		n.Name = hub.ChannelVacated
	}
	return n
}

func (f *filter) app(id apps.ID) *apps.App {
	if f.registry != nil {
		if app := f.registry.ByID(id); app != nil {
			return app
		}
	}
	return &apps.App{ID: id}
}
