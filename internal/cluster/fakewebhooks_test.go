package cluster

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// fakeWebhooks notes what webhooks are told, and holds falls for a delay.
type fakeWebhooks struct {
	delay time.Duration
	log   *webhookLog
	node  *Node

	mu       sync.Mutex
	held     map[hub.Edge]*time.Timer
	restored int
	forgot   int
	earlier  []hub.Edge // told by an earlier process

	dead  atomic.Bool // the process was killed, so nothing is told any more
	fatal atomic.Bool // the process is killed as soon as it has told the next thing
}

// webhookLog is what the receiver of webhooks gets from all nodes.
type webhookLog struct {
	mu  sync.Mutex
	all []string
	on  map[hub.Edge]bool
	by  map[hub.Edge]string // who has told that
	odd []string            // tellings that do not alternate
}

func newWebhookLog() *webhookLog {
	return &webhookLog{on: make(map[hub.Edge]bool), by: make(map[hub.Edge]string)}
}

func (l *webhookLog) told(name string, e hub.Edge, on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%s %s", e.Channel, mark(on))
	if e.Member {
		text = fmt.Sprintf("%s/%s %s", e.Channel, e.UserID, mark(on))
	}
	l.all = append(l.all, text)
	if l.on[e] == on {
		l.odd = append(l.odd, name+": "+text)
	}
	l.on[e], l.by[e] = on, name
}

func mark(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (l *webhookLog) take() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

func (w *fakeWebhooks) Wants(hub.Notice) bool { return true }

func (w *fakeWebhooks) Emit(n hub.Notice) {
	e, rises, edge := edgeOf(n)
	if !edge {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if rises {
		if t := w.held[e]; t != nil {
			t.Stop()
			delete(w.held, e)
			return
		}
		w.tellLocked(e, true)
		return
	}
	if w.delay == 0 {
		w.tellLocked(e, false)
		return
	}
	w.holdLocked(e)
}

func (w *fakeWebhooks) holdLocked(e hub.Edge) {
	if w.held[e] != nil {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(w.delay, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.held[e] == t {
			delete(w.held, e)
			w.tellLocked(e, false)
		}
	})
	w.held[e] = t
}

func (w *fakeWebhooks) tellLocked(e hub.Edge, on bool) {
	if w.node.OnTold(e, on) {
		w.deliver(e, on)
	}
}

func (w *fakeWebhooks) Tell(n hub.Notice) {
	e, on, _ := edgeOf(n)
	w.deliver(e, on)
}

func (w *fakeWebhooks) deliver(e hub.Edge, on bool) {
	if w.dead.Load() {
		return
	}
	w.log.told(w.node.options.Name, e, on)
	if w.fatal.Load() {
		w.dead.Store(true)
		w.node.options.Engine.(*memory.Engine).Cut()
	}
}

func (w *fakeWebhooks) Withdraw(moved func(hub.Edge) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, t := range w.held {
		if moved(e) {
			t.Stop()
			delete(w.held, e)
		}
	}
}

func (w *fakeWebhooks) RestoreEdges() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restored++
	for _, e := range w.earlier {
		w.node.OnTold(e, true) // it does not matter what that returns
		w.holdLocked(e)
	}
}

func (w *fakeWebhooks) ForgetTold(hub.Edge) {}

func (w *fakeWebhooks) ForgetAllTold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgot++
}
