package cluster

import (
	"sync"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// filter lets those notices through to webhooks that no other node lets through:
// of channels whose home this node is, and edges that they were not told of yet.
type filter struct {
	webhooks Webhooks
	registry *apps.Registry // may be nil
	told     *told

	homes atomic.Pointer[homes] // replaced under mu

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
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.homes.Load().of(e) && f.told.decide(e, rises) {
			f.webhooks.Emit(n)
		}
	case f.homes.Load().willBe(e):
		f.webhooks.Emit(n)
	}
}

// correct tells webhooks that an edge is on or off, unless they know. It reports whether
// it has told.
func (f *filter) correct(e hub.Edge, on bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.homes.Load().of(e) || !f.told.decide(e, on) {
		return false
	}
	f.webhooks.Emit(f.notice(e, on))
	return true
}

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
