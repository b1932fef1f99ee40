package hub

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// user is one user id of an app that is signed in or watched on this node.
type user struct {
	id          string
	connections attachmentSet // signed in as this user
	watchers    attachmentSet // whose user watches this one
}

func (u *user) online() bool { return !u.connections.empty() }

// onlineLocked reports whether anybody is signed in as the user, on whatever node.
func (t *tenant) onlineLocked(u *user) bool { return u.online() || !t.farUsers[u.id].empty() }

// TerminateUser closes every connection that is signed in as the user (§5.4), on
// all nodes. Connections that only use the id on a presence channel are left alone.
func (h *Hub) TerminateUser(app *apps.App, userID string) {
	h.tenant(app).terminate(userID, h.relay)
	h.Await(Told)
}

// terminate closes the user's connections to this node; with a relay, also to others.
func (t *tenant) terminate(userID string, others Relay) {
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	if others != nil {
		others.Terminate(t.id, userID)
	}
	u := t.users[userID]
	if u == nil {
		return
	}
	for a := range u.connections.all() {
		a.sub.Close(protocol.CloseTerminated)
	}
}

// signInAs makes next the connection's sign-in and tells whom it concerns: those who
// watch the user, and the connection its success and the users it watches. On a single
// node all of it happens under one hold of the users' lock, so that the state a
// watcher is told and the changes it is told later agree; else what
// other nodes have to know is in force before the success.
func (a *Attachment) signInAs(turn *Turn, next claims, userData string, maxWatchlist int) {
	t := a.tenant
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	a.enterUserLocked(next)
	if t.hub.relay != nil {
		t.awaitUnlocked(turn)
	}
	a.deliver(protocol.SigninSuccess(userData))
	if next.overLimit {
		a.deliver(protocol.WatchlistLimit(maxWatchlist).ErrorFrame())
	}
	// Watching begins after the watchers were told: a user that watches itself is
	// in the first frame and gets no second one.
	t.watchLocked(a, next.watchlist)
	if state := t.watchedStateLocked(a.signin.watchlist); state != nil {
		a.deliver(state)
	}
}

// awaitUnlocked waits for other nodes without the users' lock.
func (t *tenant) awaitUnlocked(turn *Turn) {
	t.usersMu.Unlock()
	defer t.usersMu.Lock()
	t.hub.await(turn, Told|Heard)
}

// enterUserLocked counts the connection as one of the user, and tells those who watch
// the user.
func (a *Attachment) enterUserLocked(next claims) {
	t := a.tenant
	u := t.userLocked(next.userID)
	wasHere, wasOnline := u.online(), t.onlineLocked(u)
	if a.signin == nil {
		u.connections.add(a)
	} else {
		t.unwatchLocked(a)
	}
	a.signin = &signin{user: u, userInfo: u.sharedInfo(next.userInfo)}
	if !wasHere {
		t.userChangedLocked(u)
	}
	if !wasOnline {
		u.tellWatchers(true)
	}
}

// signOut forgets the connection's sign-in when the connection ends.
func (a *Attachment) signOut(d *departure) {
	if a.signin == nil {
		return
	}
	t := a.tenant
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	u := a.signin.user
	if u.connections.one() && t.farUsers[u.id].empty() {
		d.hear(&t.usersMu)
	}
	t.unwatchLocked(a)
	u.connections.remove(a)
	if !u.online() {
		t.userChangedLocked(u)
	}
	if !t.onlineLocked(u) {
		u.tellWatchers(false)
	}
	t.dropUserIfIdleLocked(u)
	a.signin = nil
}

// userChangedLocked tells other nodes of this node's share of the user.
func (t *tenant) userChangedLocked(u *user) {
	if r := t.hub.relay; r != nil {
		r.Changed(ShareKey{Kind: ShareOfUser, App: t.id, UserID: u.id})
	}
}

// applyUser takes over whether a user is signed in on another node.
func (t *tenant) applyUser(n Node, s *Share) {
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	before := t.farUsers[s.UserID]
	if s.Present == before.has(n) {
		return
	}
	after := before.without(n)
	if s.Present {
		after = before.with(n)
	}
	t.setFarUserLocked(s.UserID, after)
	if u := t.users[s.UserID]; u != nil && !u.online() && before.empty() != after.empty() {
		u.tellWatchers(s.Present)
	}
}

func (t *tenant) setFarUserLocked(id string, on nodeSet) {
	if on.empty() {
		delete(t.farUsers, id)
		return
	}
	if t.farUsers == nil {
		t.farUsers = make(map[string]nodeSet)
	}
	t.farUsers[id] = on
}

// sharedInfo returns info, if possible as another connection of the user keeps
// it already.
func (u *user) sharedInfo(info string) string {
	if first := u.connections.first; first != nil && first.signin != nil && first.signin.userInfo == info {
		return first.signin.userInfo
	}
	return info
}

func (u *user) tellWatchers(online bool) {
	if u.watchers.empty() {
		return
	}
	var went, came []string
	if online {
		came = []string{u.id}
	} else {
		went = []string{u.id}
	}
	frame := protocol.WatchlistEvents(went, came)
	for watcher := range u.watchers.all() {
		watcher.deliver(frame)
	}
}

func (t *tenant) watchLocked(a *Attachment, ids []string) {
	if len(ids) == 0 {
		return
	}
	a.signin.watchlist = make([]*user, len(ids))
	for i, id := range ids {
		u := t.userLocked(id)
		u.watchers.add(a)
		a.signin.watchlist[i] = u
	}
}

func (t *tenant) unwatchLocked(a *Attachment) {
	for _, u := range a.signin.watchlist {
		u.watchers.remove(a)
		t.dropUserIfIdleLocked(u)
	}
}

// watchedStateLocked returns the frame with the present state of the given users, nil
// for none.
func (t *tenant) watchedStateLocked(users []*user) protocol.Wire {
	var offline, online []string
	for _, u := range users {
		if t.onlineLocked(u) {
			online = append(online, u.id)
		} else {
			offline = append(offline, u.id)
		}
	}
	return protocol.WatchlistEvents(offline, online)
}

func (t *tenant) userLocked(id string) *user {
	u := t.users[id]
	if u == nil {
		u = &user{id: id}
		t.users[id] = u
	}
	return u
}

func (t *tenant) dropUserIfIdleLocked(u *user) {
	if !u.online() && u.watchers.empty() {
		delete(t.users, u.id)
	}
}
