package memory

import (
	"context"
	"hash/fnv"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// Engine implements [broker.Engine] on a [Network]. Its methods of faults may be
// called at any time.
type Engine struct {
	network *Network
	wake    chan struct{} // for Run, capacity 1, never closed

	// guarded by network.mu
	up      bool
	cut     bool
	hung    bool
	deaf    bool
	down    chan struct{} // closed when the link goes down; made when it comes up
	reason  error         // of the last loss of the link
	failIn  int           // Do fails after that many commands; 0: it does not
	subs    map[broker.Subject]time.Time
	lanes   []lane
	group   int
	joined  time.Time // its group
	fences  []*fence
	repairs int // how often the link came up
}

var _ broker.Engine = (*Engine)(nil)

// connectPause is between two attempts to connect.
const connectPause = 10 * time.Millisecond

// Run implements [broker.Engine].
func (e *Engine) Run(ctx context.Context, r broker.Receiver) error {
	defer e.lose(errDown)
	for {
		down, ok := e.connect(ctx)
		if !ok {
			return nil
		}
		r.Up()
		e.deliver(ctx, r, down)
		if ctx.Err() != nil {
			return nil
		}
		e.network.mu.Lock()
		reason := e.reason
		e.network.mu.Unlock()
		r.Down(reason)
	}
}

// connect waits until there is a link; false if ctx has ended.
func (e *Engine) connect(ctx context.Context) (down chan struct{}, ok bool) {
	pause := time.NewTimer(connectPause)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, false
		case <-pause.C:
		}
		if down := e.tryConnect(); down != nil {
			return down, true
		}
		select { // a fault that ends wakes
		case <-ctx.Done():
			return nil, false
		case <-e.wake:
		}
		pause.Reset(connectPause)
	}
}

func (e *Engine) tryConnect() chan struct{} {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	if e.cut || e.hung || e.network.stopped {
		return nil
	}
	e.up, e.deaf, e.down = true, false, make(chan struct{})
	e.repairs++
	return e.down
}

// Do implements [broker.Engine].
func (e *Engine) Do(ctx context.Context, commands []broker.Command) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	delay, down, err := e.carryOut(commands)
	if err != nil {
		return err
	}
	if delay == 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-down:
		return errDown
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (e *Engine) carryOut(commands []broker.Command) (delay time.Duration, down <-chan struct{}, err error) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	if !e.up {
		return 0, nil, errDown
	}
	if e.hung {
		return 1 << 62, e.down, nil
	}
	for _, c := range commands {
		if e.failIn > 0 {
			if e.failIn--; e.failIn == 0 {
				e.dropLocked(errCut)
				return 0, nil, errCut
			}
		}
		e.carryOutLocked(c)
	}
	return e.network.delay, e.down, nil
}

func (e *Engine) carryOutLocked(c broker.Command) {
	switch c.Op {
	case broker.Publish:
		e.network.publishLocked(e, c.Subject, c.Message)
	case broker.Subscribe:
		if _, again := e.subs[c.Subject]; !again {
			e.subs[c.Subject] = time.Now()
		}
	case broker.Unsubscribe:
		delete(e.subs, c.Subject)
	}
}

// Reconnect implements [broker.Engine].
func (e *Engine) Reconnect(reason error) { e.lose(reason) }

// Lanes implements [broker.Engine].
func (e *Engine) Lanes() int { return e.network.lanes }

// Lane implements [broker.Engine].
func (e *Engine) Lane(s broker.Subject) int {
	if s.Kind != broker.ToChannel || e.network.lanes == 1 {
		return 0
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.App + "\x00" + s.Channel))
	return int(h.Sum32() % uint32(e.network.lanes))
}

// Mesh implements [broker.Engine].
func (e *Engine) Mesh() bool { return e.network.mesh }

// Describe implements [broker.Engine].
func (e *Engine) Describe() broker.Description { return broker.Description{Engine: "memory"} }

// Cut ends the link, loses what is on its way to this node, and lets it not come
// up again before Heal.
func (e *Engine) Cut() {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.cut = true
	e.dropLocked(errCut)
}

// Hang makes the link one on which nothing comes through, and which does not know
// that. If it is given up, it does not come up again before Heal.
func (e *Engine) Hang() {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.hung = true
	e.clearLocked()
	e.signal()
}

// Deafen lets nothing come through to this node until it has another link.
func (e *Engine) Deafen() {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.deaf = true
}

// Heal ends Cut or Hang.
func (e *Engine) Heal() {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.cut, e.hung = false, false
	e.signal()
}

// FailAfter lets the link go down when that many further commands have been
// carried out, in the middle of Do; below 0: no more.
func (e *Engine) FailAfter(commands int) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.failIn = max(commands+1, 0)
}

// Links returns how often the link has come up.
func (e *Engine) Links() int {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	return e.repairs
}

// Subscriptions returns how many subjects are subscribed now.
func (e *Engine) Subscriptions() int {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	return len(e.subs)
}

func (e *Engine) lose(reason error) {
	e.network.mu.Lock()
	defer e.network.mu.Unlock()
	e.dropLocked(reason)
}

// dropLocked ends the link, if there is one, and all that belongs to it.
func (e *Engine) dropLocked(reason error) {
	if !e.up {
		return
	}
	e.up, e.reason = false, reason
	clear(e.subs)
	e.clearLocked()
	for _, f := range e.fences {
		f.failed = true
		close(f.passed)
	}
	e.fences = nil
	close(e.down)
}

func (e *Engine) signal() {
	select {
	case e.wake <- struct{}{}:
	default: // Run will look anyway
	}
}
