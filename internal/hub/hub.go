package hub

import (
	"context"
	"errors"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Subscriber is one connection as the hub sees it. Its methods may be called
// concurrently and under the hub's locks: they must return at once and must not
// call back into the hub.
type Subscriber interface {
	// Outlet returns what frames are delivered to, always the same.
	Outlet() Outlet

	// Deflates reports whether the peer takes compressed text frames (RFC 7692)
	// beside plain ones; always the same.
	Deflates() bool

	// Close begins to end the connection for the given reason. The first reason
	// wins.
	Close(protocol.CloseError)
}

// Outlet is the way out of one connection. Deliver may be called concurrently
// and under the hub's locks, like the methods of [Subscriber].
type Outlet interface {
	// Deliver queues or writes the frames, in the order of the calls. The bytes
	// are shared and must not be changed. An error means that the connection has
	// no room for them and has taken none of them; the hub tries again or calls
	// Close with 4100. A connection that is ending drops them and returns nil.
	Deliver(protocol.Wire) error
}

// CopyingOutlet is an [Outlet] that takes bytes which the hub uses again.
// DeliverCopy is Deliver for them: it copies what it keeps.
type CopyingOutlet interface {
	Outlet
	DeliverCopy([]byte) error
}

// ErrBusy in the error of [Outlet.Deliver] says that the connection may be
// slow only for the moment, since a goroutine of ours writes for it, as where no
// loop serves it. In a delivery round it gets some patience before it is
// closed.
var ErrBusy = errors.New("connection is busy")

// Options are what a hub is made of.
type Options struct {
	Registry *apps.Registry // required
	Notices  NoticeSink     // nil: notices are discarded
	Events   EventLog       // nil: no event is kept
	Relay    Relay          // to the other nodes; nil: there are none
	Log      *slog.Logger   // of bugs that are no connection's; nil: none
}

// Hub holds the live state of every app. All methods may be called concurrently.
type Hub struct {
	// set by New, immutable
	registry *apps.Registry
	notices  NoticeSink
	events   EventLog // nil: no event is kept
	relay    Relay    // nil: there are no other nodes
	clock    *clock   // of what other nodes are told
	log      *slog.Logger
	seed     maphash.Seed
	counts   *countSchedule

	mu      sync.RWMutex
	tenants map[apps.ID]*tenant

	drains drainCount
	orders orders

	ignored atomic.Bool // shares of an app that is not known here
}

// New returns a hub without connections. Call [Hub.Run] beside it.
func New(o Options) *Hub {
	h := &Hub{
		registry: o.Registry,
		notices:  o.Notices,
		events:   o.Events,
		relay:    o.Relay,
		clock:    newClock(),
		log:      o.Log,
		seed:     maphash.MakeSeed(),
		counts:   newCountSchedule(),
		tenants:  make(map[apps.ID]*tenant),
		drains:   drainCount{none: make(chan struct{}, 1)},
	}
	if h.notices == nil {
		h.notices = DiscardNotices{}
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	return h
}

// Run does the hub's timed work until ctx ends: throttled subscription counts
// and the forgetting of expired cache entries. It returns when that has stopped
// and every running delivery round is over.
func (h *Hub) Run(ctx context.Context) error {
	var timed sync.WaitGroup
	timed.Go(func() { h.sweepCaches(ctx) })
	timed.Go(func() { h.counts.run(ctx) })
	timed.Wait()
	h.drains.wait()
	return nil
}

// Reconfigure takes over the registry's present settings for connections that
// already exist, and closes those of apps that are gone or disabled with 4003.
func (h *Hub) Reconfigure() {
	for _, t := range h.allTenants() {
		h.configure(t)
	}
	h.resync()
}

// configure brings a tenant in line with the registry.
func (h *Hub) configure(t *tenant) {
	if app := h.registry.ByID(t.id); app != nil && app.Enabled {
		t.reopen(app)
		return
	}
	t.shut(protocol.CloseAppDisabled)
}

// tenant returns the live state of app, made when it is first needed.
func (h *Hub) tenant(app *apps.App) *tenant {
	h.mu.RLock()
	t := h.tenants[app.ID]
	h.mu.RUnlock()
	if t != nil {
		return t
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if t = h.tenants[app.ID]; t == nil {
		t = newTenant(h, app)
		h.configure(t) // the registry may have changed since app was looked up
		h.tenants[app.ID] = t
	}
	return t
}

func (h *Hub) allTenants() []*tenant {
	h.mu.RLock()
	defer h.mu.RUnlock()
	all := make([]*tenant, 0, len(h.tenants))
	for _, t := range h.tenants {
		all = append(all, t)
	}
	return all
}
