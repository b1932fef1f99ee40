package hub

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// farApp is what another node has of an app.
type farApp struct {
	connections int
	counted     int
}

// sharesQuota reports whether a connection has to be admitted by all nodes.
func (t *tenant) sharesQuota(app *apps.App) bool {
	return app.MaxConnections > 0 && t.hub.relay != nil
}

// connectionsChangedLocked tells other nodes of this node's share of the app's
// connections.
func (t *tenant) connectionsChangedLocked() {
	if r := t.hub.relay; r != nil {
		r.Changed(ShareKey{Kind: ShareOfApp, App: t.id})
	}
}

// A connection tries up to admitAttempts times for a place that another node wants at
// the same time, or that is kept for those before it, and looks up to overLooks times
// whether the quota is used up: another node may just be giving places back.
const (
	admitAttempts = 8
	overLooks     = 3
)

// admitFirst admits a connection that has just been registered, on apps that count
// every connection.
func (t *tenant) admitFirst(a *Attachment) error {
	if app := t.app.Load(); app.AuthorizedConnections || !t.sharesQuota(app) {
		return nil
	}
	return t.admit(nil, a)
}

// authorizeAcross is authorize where a quota is shared with other nodes.
func (a *Attachment) authorizeAcross(turn *Turn) bool {
	t := a.tenant
	if a.Authorized() || !t.sharesQuota(t.app.Load()) {
		return a.authorize()
	}
	if t.admit(turn, a) != nil {
		a.sub.Close(protocol.CloseOverQuota)
		return false
	}
	a.authorized.Store(true)
	return true
}

// admit makes a use up one connection of the quota. Two nodes may count at the same
// time: each tells the others first, looks again when it has heard of them, and
// takes its own back if there are too many. So there are never more than the quota;
// where nodes want the last places at once, some of these may stay empty.
func (t *tenant) admit(turn *Turn, a *Attachment) error {
	if t.isCounted(a) {
		return nil
	}
	t.hub.await(turn, Heard)
	looks := 0
	for range admitAttempts {
		reserved, over := t.reserve(a)
		if over {
			looks++
		}
		if looks == overLooks {
			break
		}
		t.hub.await(turn, Told|Heard)
		if reserved && t.confirm(a) {
			return nil
		}
	}
	return protocol.CloseOverQuota
}

func (t *tenant) isCounted(a *Attachment) bool {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	return a.counted
}

// reserve counts a, unless the quota is used up, or this node has its part of what
// is free reserved already: if all nodes reserved all of it, they would all
// have to take it back.
func (t *tenant) reserve(a *Attachment) (reserved, over bool) {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	app := t.app.Load()
	free := app.MaxConnections - (t.counted - t.reserved) - t.farCount
	switch {
	case app.MaxConnections == 0: // since a moment ago
	case free <= 0:
		return false, true
	case t.reserved >= max(1, free/(1+len(t.farApps))):
		return false, false
	}
	a.counted = true
	t.counted++
	t.reserved++
	t.connectionsChangedLocked()
	return true, false
}

// confirm makes the place of a its own, or takes it back if all nodes have counted
// too many.
func (t *tenant) confirm(a *Attachment) bool {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	t.reserved--
	limit := t.app.Load().MaxConnections
	if limit == 0 || t.counted+t.farCount <= limit {
		return true
	}
	a.counted = false
	t.counted--
	t.connectionsChangedLocked()
	return false
}

// applyApp takes over what another node has of the app.
func (t *tenant) applyApp(n Node, s *Share) {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	next := farApp{connections: atMost(s.Connections), counted: atMost(s.Counted)}
	t.farCount += next.counted - t.farApps[n].counted
	if next == (farApp{}) {
		delete(t.farApps, n)
		return
	}
	if t.farApps == nil {
		t.farApps = make(map[Node]farApp)
	}
	t.farApps[n] = next
}

// appShare returns this node's share of the app.
func (t *tenant) appShare(s *Share) {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	s.Connections, s.Counted = len(t.sockets), t.counted
}
