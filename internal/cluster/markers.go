package cluster

import (
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// markers are the rounds of hub.Told on a mesh: there, what the engine has taken is in
// force at another node when that node has answered a marker that was sent after
// it. One marker is on its way at a time; who comes meanwhile waits for the next.
type markers struct {
	clock   *clock
	passed  func(position uint64)
	suspect func(nodes int) // did not answer in time
	again   func()          // another marker is due

	mu       sync.Mutex
	number   uint64 // of the last marker
	flying   []*round
	position uint64 // of the queue, that flying stands for; 0: unknown
	missing  map[broker.NodeID]struct{}
	sent     bool // the engine has taken it
	deadline time.Duration
	waiting  []*round
	behind   uint64                  // position of waiting
	answers  map[broker.NodeID]*bool // by live node: whether it is suspect
}

// wait lets rounds wait for the next marker.
func (m *markers) wait(rounds []*round, position uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = append(m.waiting, rounds...)
	m.behind = max(m.behind, position)
}

// next begins the next marker, if one is due; 0 if not.
func (m *markers) next() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flying != nil || len(m.waiting) == 0 {
		return 0
	}
	m.number++
	m.flying, m.waiting = m.waiting, nil
	m.position, m.behind = m.behind, 0
	m.sent = false
	m.missing = make(map[broker.NodeID]struct{}, len(m.answers))
	for id, suspect := range m.answers {
		if !*suspect {
			m.missing[id] = struct{}{}
		}
	}
	return m.number
}

// due reports whether next would begin one.
func (m *markers) due() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.flying == nil && len(m.waiting) > 0
}

// confirm notes that the engine has taken the marker.
func (m *markers) confirm(number uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if number == m.number {
		m.sent, m.deadline = true, m.clock.now()+ackTimeout
		m.finishLocked()
	}
}

// answered takes an answer.
func (m *markers) answered(id broker.NodeID, number uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if suspect := m.answers[id]; suspect != nil {
		*suspect = false
	}
	if number == m.number {
		delete(m.missing, id)
		m.finishLocked()
	}
}

func (m *markers) finishLocked() {
	if m.flying == nil || !m.sent || len(m.missing) > 0 {
		return
	}
	m.passed(m.position)
	for _, r := range m.flying {
		r.pass()
	}
	m.flying = nil
	if len(m.waiting) > 0 {
		m.again()
	}
}

// expire gives up waiting for nodes that have not answered in time. It returns how long it will
// be until it has to be called again, 0 for never.
func (m *markers) expire() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flying == nil || !m.sent {
		return 0
	}
	if wait := m.deadline - m.clock.now(); wait > 0 {
		return wait
	}
	for id := range m.missing {
		if suspect := m.answers[id]; suspect != nil {
			*suspect = true
		}
	}
	m.suspect(len(m.missing))
	m.missing, m.position = nil, 0
	m.finishLocked()
	return 0
}

// reset forgets all rounds: the link has gone, and everybody who waited knows.
func (m *markers) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.flying, m.waiting, m.missing = nil, nil, nil
}

// add makes a node one that has to answer.
func (m *markers) add(id broker.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.answers[id] == nil {
		m.answers[id] = new(bool)
	}
}

// remove makes a node one that does not, since it is gone.
func (m *markers) remove(id broker.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.answers, id)
	delete(m.missing, id)
	m.finishLocked()
}

// doubted reports whether there is a node that has failed to answer.
func (m *markers) doubted() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, suspect := range m.answers {
		if *suspect {
			return true
		}
	}
	return false
}

// isSuspect reports whether a node has failed to answer the last marker.
func (m *markers) isSuspect(id broker.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	suspect := m.answers[id]
	return suspect != nil && *suspect
}
