package webhook

import (
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// releaseChunk is how many held notices leave under one hold of the mutex, so
// that Emit does not wait long when very many fall due at once.
const releaseChunk = 256

// grace holds back channel_vacated and member_removed for the delay of §8.4. The
// opposite edge within it takes both away. As the delay is the same for all,
// they fall due in the order in which they came, and one timer serves them.
type grace struct {
	// Set by newGrace, immutable.
	delay   time.Duration // 0: holds nothing
	limit   int
	metrics *metrics
	forward func(hub.Notice)          // called under mu, so that no later edge overtakes
	told    func(hub.Edge, bool) bool // called under mu before an edge leaves; nil: nobody

	mu             sync.Mutex
	closed         bool
	held           map[hub.Edge]*heldNotice
	oldest, newest *heldNotice
}

func edgeOf(n hub.Notice) hub.Edge {
	member := n.Name == hub.MemberAdded || n.Name == hub.MemberRemoved
	return hub.Edge{App: n.App.ID, Channel: n.Channel, UserID: n.UserID, Member: member}
}

// fallOf returns the notice that an edge has gone off.
func fallOf(e hub.Edge, app *apps.App) hub.Notice {
	n := hub.Notice{App: app, Name: hub.ChannelVacated, Channel: e.Channel}
	if e.Member {
		n.Name, n.UserID = hub.MemberRemoved, e.UserID
	}
	return n
}

// heldNotice is one element of the list of held notices, oldest first. It keeps
// of a notice only what the two falling edges have: a million may be held.
type heldNotice struct {
	edge       hub.Edge
	app        *apps.App
	due        time.Time
	prev, next *heldNotice
}

func (h *heldNotice) notice() hub.Notice { return fallOf(h.edge, h.app) }

func newGrace(delay time.Duration, limit int, m *metrics, forward func(hub.Notice)) *grace {
	return &grace{delay: delay, limit: limit, metrics: m, forward: forward, held: make(map[hub.Edge]*heldNotice)}
}

// rise takes a rising edge and reports whether it is settled: it cancels a held falling
// edge, it came too late, or somebody else tells of it.
func (g *grace) rise(n hub.Notice) bool {
	if g.delay == 0 && g.told == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		g.metrics.drop(n.App.ID, DropClosed, 1)
		return true
	}
	edge := edgeOf(n)
	if h := g.held[edge]; h != nil {
		g.removeLocked(h)
		return true
	}
	return !g.tellLocked(edge, true)
}

// tellLocked reports whether an edge is to be told.
func (g *grace) tellLocked(e hub.Edge, on bool) bool { return g.told == nil || g.told(e, on) }

// fall takes a falling edge and reports whether it is the only one held, so that
// a timer must be set. If too many are held, the oldest leaves early: that keeps
// the order, which letting the new one skip the delay would not.
func (g *grace) fall(n hub.Notice) (first bool) {
	if g.delay == 0 && g.told == nil {
		g.forward(n)
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fallLocked(n)
}

// restore takes a falling edge of something that an earlier process has told to
// be on.
func (g *grace) restore(n hub.Notice) (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.tellLocked(edgeOf(n), true)
	}
	return g.fallLocked(n)
}

func (g *grace) fallLocked(n hub.Notice) (first bool) {
	key := edgeOf(n)
	switch {
	case g.closed:
		g.metrics.drop(n.App.ID, DropClosed, 1)
		return false
	case g.delay == 0:
		if g.tellLocked(key, false) {
			g.forward(n)
		}
		return false
	case g.held[key] != nil:
		return false // told already
	case len(g.held) >= g.limit:
		g.metrics.delaysCut.Inc()
		g.letGoLocked(g.oldest)
	}
	g.appendLocked(&heldNotice{edge: key, app: n.App, due: time.Now().Add(g.delay)})
	return g.oldest == g.newest
}

// release lets go what is due and returns for how long nothing further will be.
func (g *grace) release(now time.Time) time.Duration {
	for {
		if wait, more := g.releaseSome(now); !more {
			return wait
		}
	}
}

func (g *grace) releaseSome(now time.Time) (wait time.Duration, more bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for range releaseChunk {
		if g.oldest == nil {
			return time.Hour, false
		}
		if wait := g.oldest.due.Sub(now); wait > 0 {
			return wait, false
		}
		g.letGoLocked(g.oldest)
	}
	return 0, true
}

// flush takes no further edges and lets go all that are held.
func (g *grace) flush() {
	g.mu.Lock()
	g.closed = true
	first := g.oldest
	g.oldest, g.newest, g.held = nil, nil, nil
	g.metrics.held.Set(0)
	var told []*heldNotice
	for h := first; h != nil; h = h.next {
		if g.tellLocked(h.edge, false) {
			told = append(told, h)
		}
	}
	g.mu.Unlock()
	for _, h := range told {
		g.forward(h.notice())
	}
}

// withdraw drops those edges held at the time of the call for which moved returns
// true.
func (g *grace) withdraw(moved func(hub.Edge) bool) {
	g.mu.Lock()
	h := g.oldest
	g.mu.Unlock()
	for h != nil {
		h = g.withdrawSome(h, moved)
	}
}

// withdrawSome goes through a part of the list, from h on, and returns where to go
// on. What leaves the list meanwhile still leads on: its next is what came after it.
func (g *grace) withdrawSome(h *heldNotice, moved func(hub.Edge) bool) *heldNotice {
	g.mu.Lock()
	defer g.mu.Unlock()
	for range releaseChunk {
		if h == nil {
			break
		}
		if g.held[h.edge] == h && moved(h.edge) {
			g.removeLocked(h)
		}
		h = h.next
	}
	return h
}

func (g *grace) letGoLocked(h *heldNotice) {
	g.removeLocked(h)
	if g.tellLocked(h.edge, false) {
		g.forward(h.notice())
	}
}

func (g *grace) appendLocked(h *heldNotice) {
	h.prev = g.newest
	if g.newest == nil {
		g.oldest = h
	} else {
		g.newest.next = h
	}
	g.newest = h
	g.held[h.edge] = h
	g.metrics.held.Inc()
}

func (g *grace) removeLocked(h *heldNotice) {
	if h.prev == nil {
		g.oldest = h.next
	} else {
		h.prev.next = h.next
	}
	if h.next == nil {
		g.newest = h.prev
	} else {
		h.next.prev = h.prev
	}
	delete(g.held, h.edge)
	g.metrics.held.Dec()
}
