package hub

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// user is one user id of an app that is signed in or watched.
type user struct {
	connections map[*Attachment]struct{} // signed in as this user
	watchers    map[*Attachment]struct{} // whose user watches this one
}

func (u *user) online() bool { return len(u.connections) > 0 }

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
	for a := range u.connections {
		a.sub.Close(protocol.CloseTerminated)
	}
}

// signInAs makes next the connection's sign-in and tells whom it concerns: the
// connection its success and the users it watches, then those who watch the
// user. All of it happens under the users' lock, so that the state a watcher is
// told and the changes it is told later agree.
func (a *Attachment) signInAs(next *signin, userData string, maxWatchlist int) {
	t := a.tenant
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	if a.signin != nil {
		t.unwatchLocked(a, a.signin.watchlist)
	}
	u := t.userLocked(next.userID)
	wasOnline := u.online()
	u.connections[a] = struct{}{}
	a.signin = next
	a.deliver(protocol.SigninSuccess(userData))
	if next.overLimit {
		a.deliver(protocol.WatchlistLimit(maxWatchlist).ErrorFrame())
	}
	if !wasOnline {
		u.tellWatchers(protocol.WatchlistEvents(nil, []string{next.userID}))
	}
	// Watching begins after the watchers were told: a user that watches itself is
	// in the first frame and gets no second one.
	t.watchLocked(a, next.watchlist)
	if state := t.watchedLocked(next.watchlist); state != nil {
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
	t.unwatchLocked(a, a.signin.watchlist)
	id := a.signin.userID
	u := t.userLocked(id)
	delete(u.connections, a)
	if !u.online() {
		u.tellWatchers(protocol.WatchlistEvents([]string{id}, nil))
	}
	t.dropUserIfIdleLocked(id)
	a.signin = nil
}

func (u *user) tellWatchers(frame protocol.Wire) {
	for watcher := range u.watchers {
		watcher.deliver(frame)
	}
}

func (t *tenant) watchLocked(a *Attachment, ids []string) {
	for _, id := range ids {
		t.userLocked(id).watchers[a] = struct{}{}
	}
}

func (t *tenant) unwatchLocked(a *Attachment, ids []string) {
	for _, id := range ids {
		delete(t.userLocked(id).watchers, a)
		t.dropUserIfIdleLocked(id)
	}
}

// watchedLocked returns the frame with the present state of the given users.
func (t *tenant) watchedLocked(ids []string) protocol.Wire {
	var offline, online []string
	for _, id := range ids {
		if t.userLocked(id).online() {
			online = append(online, id)
		} else {
			offline = append(offline, id)
		}
	}
	return protocol.WatchlistEvents(offline, online)
}

func (t *tenant) userLocked(id string) *user {
	u := t.users[id]
	if u == nil {
		u = &user{connections: make(map[*Attachment]struct{}), watchers: make(map[*Attachment]struct{})}
		t.users[id] = u
	}
	return u
}

func (t *tenant) dropUserIfIdleLocked(id string) {
	if u := t.users[id]; u != nil && len(u.connections)+len(u.watchers) == 0 {
		delete(t.users, id)
	}
}
