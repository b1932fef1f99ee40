package cluster

import (
	"sync"
	"time"
)

// probe watches whether this node's own beats come back, and how long they take:
// a link on which nothing is delivered may look sound otherwise.
type probe struct {
	mu      sync.Mutex
	sent    [16]sentBeat  // by number, modulo
	echoed  uint64        // the last one that has come back
	waiting bool          // the engine has taken one that has not come back
	since   time.Duration // when it took the first of those
}

type sentBeat struct {
	number uint64
	at     time.Duration
}

func (p *probe) sending(number uint64, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent[number%uint64(len(p.sent))] = sentBeat{number: number, at: now}
}

// confirm notes that the engine has taken a beat.
func (p *probe) confirm(number uint64, now time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if number > p.echoed && !p.waiting {
		p.waiting, p.since = true, now
	}
}

// echo notes that a beat has come back, and tells how long it took, if that is
// known.
func (p *probe) echo(number uint64, now time.Duration) (took time.Duration, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.echoed, p.waiting = max(p.echoed, number), false
	s := p.sent[number%uint64(len(p.sent))]
	return now - s.at, s.number == number
}

// forget begins anew, as after the loss of the link or a pause of the process.
func (p *probe) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = false
}

// overdue returns for how long a beat has not come back.
func (p *probe) overdue(now time.Duration) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.waiting {
		return 0
	}
	return now - p.since
}
