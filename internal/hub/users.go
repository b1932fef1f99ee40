package hub

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// user is one user id of an app that is signed in or watched.
type user struct {
	id          string
	connections attachmentSet // signed in as this user
	watchers    attachmentSet // whose user watches this one
}

func (u *user) online() bool { return !u.connections.empty() }

// TerminateUser closes every connection that is signed in as the user (§5.4).
// Connections that only use the id on a presence channel are left alone.
func (h *Hub) TerminateUser(app *apps.App, userID string) {
	t := h.tenant(app)
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	u := t.users[userID]
	if u == nil {
		return
	}
	for a := range u.connections.all() {
		a.sub.Close(protocol.CloseTerminated)
	}
}

// signInAs makes next the connection's sign-in and tells whom it concerns: the
// connection its success and the users it watches, then those who watch the
// user. All of it happens under the users' lock, so that the state a watcher is
// told and the changes it is told later agree.
func (a *Attachment) signInAs(next claims, userData string, maxWatchlist int) {
	t := a.tenant
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	u := t.userLocked(next.userID)
	wasOnline := u.online()
	if a.signin == nil {
		u.connections.add(a)
	} else {
		t.unwatchLocked(a)
	}
	a.signin = &signin{user: u, userInfo: u.sharedInfo(next.userInfo)}
	a.deliver(protocol.SigninSuccess(userData))
	if next.overLimit {
		a.deliver(protocol.WatchlistLimit(maxWatchlist).ErrorFrame())
	}
	if !wasOnline {
		u.tellWatchers(true)
	}
	// Watching begins after the watchers were told: a user that watches itself is
	// in the first frame and gets no second one.
	t.watchLocked(a, next.watchlist)
	if state := watchedState(a.signin.watchlist); state != nil {
		a.deliver(state)
	}
}

// signOut forgets the connection's sign-in when the connection ends.
func (a *Attachment) signOut() {
	if a.signin == nil {
		return
	}
	t := a.tenant
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	t.unwatchLocked(a)
	u := a.signin.user
	u.connections.remove(a)
	if !u.online() {
		u.tellWatchers(false)
	}
	t.dropUserIfIdleLocked(u)
	a.signin = nil
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

// watchedState returns the frame with the present state of the given users, nil
// for none.
func watchedState(users []*user) protocol.Wire {
	var offline, online []string
	for _, u := range users {
		if u.online() {
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
