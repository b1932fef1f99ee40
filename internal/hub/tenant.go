package hub

import (
	"hash/maphash"
	"sync"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// shardCount spreads an app's channels over locks. 64 keeps the chance that two
// busy channels share one small on any machine, for 4 KiB per app.
const shardCount = 64

// tenant is the live state of one app.
type tenant struct {
	// set by newTenant, immutable
	hub *Hub
	id  apps.ID

	app   atomic.Pointer[apps.App] // settings in force; replaced on reload
	stats stats

	shards [shardCount]shard

	socketsMu sync.Mutex
	sockets   map[protocol.SocketID]*Attachment
	counted   int                  // attachments that use up max_connections
	reserved  int                  // of them: not admitted by all nodes yet
	farApps   map[Node]farApp      // what other nodes have; nil: nothing
	farCount  int                  // of counted connections in farApps
	refusal   *protocol.CloseError // set while no connection may attach

	usersMu sync.Mutex
	users   map[string]*user

	farUsers map[string]nodeSet // signed in on other nodes, by id; nil: nobody. Guarded by usersMu
}

func newTenant(h *Hub, app *apps.App) *tenant {
	t := &tenant{
		hub:     h,
		id:      app.ID,
		sockets: make(map[protocol.SocketID]*Attachment),
		users:   make(map[string]*user),
	}
	t.app.Store(app)
	for i := range t.shards {
		t.shards[i].channels = make(map[protocol.ChannelName]*channel)
	}
	return t
}

func (t *tenant) shard(name protocol.ChannelName) *shard {
	return &t.shards[maphash.String(t.hub.seed, string(name))%shardCount]
}

// register admits a new attachment, or says why not.
func (t *tenant) register(a *Attachment) error {
	app := t.app.Load()
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	if t.refusal != nil {
		return *t.refusal
	}
	if !app.AuthorizedConnections && !t.sharesQuota(app) {
		if err := t.countLocked(a, app); err != nil {
			return err
		}
	}
	for {
		a.id = protocol.NewSocketID()
		if t.sockets[a.id] == nil {
			break
		}
	}
	t.sockets[a.id] = a
	t.connectionsChangedLocked()
	return nil
}

// countLocked makes a use up one connection of the quota. It may be called more
// than once.
func (t *tenant) countLocked(a *Attachment, app *apps.App) error {
	if a.counted {
		return nil
	}
	if app.MaxConnections > 0 && t.counted+t.farCount >= app.MaxConnections {
		return protocol.CloseOverQuota
	}
	a.counted = true
	t.counted++
	t.connectionsChangedLocked()
	return nil
}

func (t *tenant) unregister(a *Attachment) {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	delete(t.sockets, a.id)
	if a.counted {
		a.counted = false
		t.counted--
	}
	t.connectionsChangedLocked()
}

// attachment returns the connection with the given socket id, nil if there is
// none.
func (t *tenant) attachment(id protocol.SocketID) *Attachment {
	if id == "" {
		return nil
	}
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	return t.sockets[id]
}

// connections returns how many connections are attached.
func (t *tenant) connections() int {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	return len(t.sockets)
}

func (t *tenant) reopen(app *apps.App) {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	t.app.Store(app)
	t.refusal = nil
}

// shut closes every connection and lets no new one attach.
func (t *tenant) shut(reason protocol.CloseError) {
	t.socketsMu.Lock()
	defer t.socketsMu.Unlock()
	t.refusal = &reason
	for _, a := range t.sockets {
		a.sub.Close(reason)
	}
}
