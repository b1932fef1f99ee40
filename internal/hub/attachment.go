package hub

import (
	"sync"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
)

// Attachment is what the hub keeps for one connection: its subscriptions, its
// sign-in, its rate. The commands of the client are its methods; each answers
// the client itself where there is something to answer on success, and returns
// a [protocol.Refusal] otherwise. Methods may be called concurrently, and after
// [Attachment.Detach] they do nothing.
type Attachment struct {
	// set by Attach, immutable
	tenant  *tenant
	sub     Subscriber
	outlet  Outlet // of sub
	deflate bool   // sub takes compressed frames
	id      protocol.SocketID

	authorized atomic.Bool // signed in, or on a private or presence channel, once
	kicked     atomic.Bool // closed as a slow consumer, counted

	clientEvents ratelimit.Bucket // safe for concurrent use

	counted bool // guarded by tenant.socketsMu

	mu            sync.Mutex
	detached      bool
	subscriptions subscriptionSet
	signin        *signin // nil until signed in
}

// Attach admits a connection of app. The error is a [protocol.CloseError]: the
// app's quota is used up, or the app has been disabled meanwhile. It waits for other
// nodes if they share a quota.
func (h *Hub) Attach(app *apps.App, sub Subscriber) (*Attachment, error) {
	t := h.tenant(app)
	a := &Attachment{tenant: t, sub: sub, outlet: sub.Outlet(), deflate: sub.Deflates()}
	if err := t.register(a); err != nil {
		return nil, err
	}
	if err := t.admitFirst(a); err != nil {
		t.unregister(a)
		return nil, err
	}
	t.stats.connected.Add(1)
	return a, nil
}

// SocketID returns the id of the connection.
func (a *Attachment) SocketID() protocol.SocketID { return a.id }

// App returns the settings in force for the connection's app.
func (a *Attachment) App() *apps.App { return a.tenant.app.Load() }

// Authorized reports whether the connection has ever signed in or subscribed a
// private or presence channel (§5.2).
func (a *Attachment) Authorized() bool { return a.authorized.Load() }

// Detach ends all subscriptions and the sign-in of the connection. It may be
// called more than once. Where there are other nodes it may wait for them.
func (a *Attachment) Detach(t *Turn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.detached {
		return
	}
	a.detached = true
	d := departure{hub: a.tenant.hub, turn: t}
	for _, s := range a.subscriptions.all() {
		a.tenant.leave(&d, s)
	}
	a.subscriptions = subscriptionSet{}
	a.signOut(&d)
	a.tenant.unregister(a)
}

// authorize marks the connection as authorized. On an app that counts only
// authorized connections this may find the quota used up: the connection is
// then closed with 4004, and the result is false.
func (a *Attachment) authorize() bool {
	if a.authorized.Load() {
		return true
	}
	t := a.tenant
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	if err := t.countLocked(a, t.app.Load()); err != nil {
		a.sub.Close(protocol.CloseOverQuota)
		return false
	}
	a.authorized.Store(true)
	return true
}

// Reply gives frames to this connection alone, through the door that everything
// else takes, and closes it if it is too slow.
func (a *Attachment) Reply(w protocol.Wire) { a.deliver(w) }

// deliver gives frames to the connection and closes it if it is too slow.
func (a *Attachment) deliver(w protocol.Wire) {
	defer a.recovered()
	if a.outlet.Deliver(w) != nil {
		a.Kick()
	}
}

// Kick closes the connection as a slow consumer, and counts it.
func (a *Attachment) Kick() {
	defer a.recovered()
	if !a.kicked.Swap(true) {
		a.tenant.stats.slow.Add(1)
		a.sub.Close(protocol.CloseOverCapacity)
	}
}
