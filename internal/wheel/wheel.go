package wheel

import (
	"math"
	"sync"
	"time"
)

// A Wheel keeps timers and tells their expirers when they are due, while
// [Wheel.Run] runs. Its methods may be called concurrently, and from Expire.
type Wheel struct {
	// Set by New, immutable.
	epoch time.Time // of tick 0
	tick  time.Duration
	wake  chan struct{} // capacity 1; tells Run that wakeAt became earlier; never closed

	mu sync.Mutex
	// Guarded by mu.
	slots slots
	due   *Timer // list taken from the slot of tick at, not yet looked at
	at    int64  // the tick up to which slots were taken
	// wakeAt is the tick for which Run sleeps: never when it sleeps without end,
	// awake when it does not sleep.
	wakeAt  int64
	running bool // Run has been called
	ended   bool // Run has returned
}

const (
	never = math.MaxInt64
	awake = math.MinInt64
)

// New returns a wheel whose deadlines are kept to the given tick, which must be
// positive. Connections do well with 100 ms. It starts nothing, see [Wheel.Run].
func New(tick time.Duration) *Wheel {
	if tick <= 0 {
		panic("wheel: tick is not positive")
	}
	return &Wheel{epoch: time.Now(), tick: tick, wake: make(chan struct{}, 1), wakeAt: awake}
}

// Schedule makes e be told of the timer once, at least d and less than d + 2
// ticks from now. A timer that was scheduled before is moved: it does not fire
// for its earlier deadline, unless that expirer is already being called. With d
// of 0 or less it fires at the next tick. After the end of [Wheel.Run], Schedule
// leaves the timer idle.
func (w *Wheel) Schedule(t *Timer, d time.Duration, e Expirer) {
	tick := w.tickAfter(d)
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.scheduled() {
		w.slots.remove(t)
	}
	if w.ended {
		return
	}
	t.tick, t.expirer = tick, e
	w.slots.push(t)
	if tick < w.wakeAt {
		w.wakeAt = tick
		select {
		case w.wake <- struct{}{}:
		default: // it will wake anyway
		}
	}
}

// Stop makes a scheduled timer idle and reports whether it did: false means that
// the timer was idle, has fired, or is firing. Stop does not wait for an expirer
// that is being called.
func (w *Wheel) Stop(t *Timer) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !t.scheduled() {
		return false
	}
	w.slots.remove(t)
	t.expirer = nil
	return true
}

// tickAfter returns the first tick that is at least d, and more than nothing,
// from now.
func (w *Wheel) tickAfter(d time.Duration) int64 {
	now := time.Since(w.epoch)
	d = min(max(d, 1), math.MaxInt64-now)
	return int64((now+d-1)/w.tick) + 1
}
