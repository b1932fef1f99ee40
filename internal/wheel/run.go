package wheel

import (
	"context"
	"errors"
	"time"
)

var errRanBefore = errors.New("wheel: Run was called before")

// Run calls the expirers of the timers that become due, until ctx ends. It
// returns when no expirer is running any more; timers still scheduled are then
// idle and kept by nobody. It may be called once; a second call is an error.
func (w *Wheel) Run(ctx context.Context) error {
	if !w.begin() {
		return errRanBefore
	}
	defer w.end()
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for {
		w.fire(ctx)
		if d, ok := w.untilNext(); ok {
			alarm.Reset(d)
		} else {
			alarm.Stop()
		}
		select {
		case <-alarm.C:
		case <-w.wake:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *Wheel) begin() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	first := !w.running
	w.running = true
	return first
}

// untilNext returns how long Run may sleep, and notes that it will. It reports
// false when nothing is scheduled.
func (w *Wheel) untilNext() (time.Duration, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, ok := w.slots.next(w.at)
	if !ok {
		w.wakeAt = never
		return 0, false
	}
	w.wakeAt = next
	return time.Duration(next)*w.tick - time.Since(w.epoch), true
}

// fire calls the expirer of every timer that is due now.
func (w *Wheel) fire(ctx context.Context) {
	now := int64(time.Since(w.epoch) / w.tick)
	for ctx.Err() == nil {
		t, e, more := w.pop(now)
		if !more {
			return
		}
		if t != nil {
			e.Expire(t)
		}
	}
}

// popAtMost is how many timers one pop looks at, some 10 µs with the lock held.
const popAtMost = 128

// pop makes one timer idle that is due at the tick now and returns it, or nil if
// it has looked at many and found none. It reports false when there is no more.
//
// One at a time, so that a timer which is stopped or scheduled anew while others
// of its tick are told does not fire.
func (w *Wheel) pop(now int64) (t *Timer, e Expirer, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wakeAt = awake
	for range popAtMost {
		if w.due == nil && !w.takeSlot(now) {
			return nil, nil, false
		}
		t := w.due
		t.unlink()
		if t.tick > now { // of a later turn
			w.slots.push(t)
			continue
		}
		e, t.expirer = t.expirer, nil
		return t, e, true
	}
	return nil, nil, true
}

// takeSlot makes due what is in the next slot up to the tick now. It reports
// false when there is none.
func (w *Wheel) takeSlot(now int64) bool {
	w.at = max(w.at, now-slotCount) // fallen behind by turns: each slot is looked at once
	next, ok := w.slots.next(w.at)
	if !ok || next > now {
		w.at = max(w.at, now)
		return false
	}
	w.at = next
	w.slots.take(next, &w.due)
	return true
}

// end releases what is still scheduled, so that timers do not keep one another,
// and what they lie in, alive.
func (w *Wheel) end() {
	for w.release() {
	}
}

// release makes some timers idle and reports whether there may be more.
func (w *Wheel) release() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended, w.wakeAt = true, awake
	for range popAtMost {
		if w.due == nil && !w.takeSlot(w.at+slotCount) {
			return false
		}
		w.due.expirer = nil
		w.due.unlink()
	}
	return true
}
