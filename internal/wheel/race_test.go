package wheel

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Stop says whether the expirer will be called, however close the race: after
// true it is not called for that Schedule, after false it is, once.
func TestStopRacingWithExpiry(t *testing.T) {
	const tick = 50 * time.Microsecond
	w := New(tick)
	start(t, w)
	var stopped, missed atomic.Int64
	var racers sync.WaitGroup
	for range 4 {
		racers.Go(func() {
			var timer Timer
			fired := make(chan int, 2)
			for round := range 400 {
				w.Schedule(&timer, 0, expireFunc(func(*Timer) { fired <- round }))
				for spin := time.Now(); time.Since(spin) < time.Duration(round%40)*5*time.Microsecond; {
				}
				if w.Stop(&timer) {
					stopped.Add(1)
					continue
				}
				missed.Add(1)
				select {
				case got := <-fired:
					if got != round {
						t.Errorf("round %d: fired for round %d", round, got)
					}
				case <-time.After(10 * time.Second):
					t.Errorf("round %d: neither stopped nor fired", round)
				}
			}
			if len(fired) > 0 {
				t.Error("fired more than once")
			}
		})
	}
	racers.Wait()
	if stopped.Load() == 0 || missed.Load() == 0 {
		t.Errorf("%d stopped, %d missed: not a race", stopped.Load(), missed.Load())
	}
}

// restless schedules itself anew whenever it fires.
type restless struct {
	w *Wheel
	Timer
	fired atomic.Int64
	told  chan struct{} // capacity 1
}

func (r *restless) Expire(*Timer) {
	r.fired.Add(1)
	r.w.Schedule(&r.Timer, 100*time.Microsecond, r)
	select {
	case r.told <- struct{}{}:
	default:
	}
}

// Everything at once on the same timers, for the race detector and for the lists'
// integrity: in the end each of them still fires.
func TestSharedTimers(t *testing.T) {
	w := New(50 * time.Microsecond)
	start(t, w)
	timers := make([]restless, 64)
	for i := range timers {
		timers[i].w, timers[i].told = w, make(chan struct{}, 1)
	}
	var users sync.WaitGroup
	for u := range 4 {
		users.Go(func() {
			for i := range 5000 {
				timer := &timers[(i*7+u)%len(timers)]
				if i%3 == 0 {
					w.Stop(&timer.Timer)
				} else {
					w.Schedule(&timer.Timer, time.Duration(i%50)*time.Microsecond, timer)
				}
			}
		})
	}
	users.Wait()
	for i := range timers {
		timer := &timers[i]
		before := timer.fired.Load()
		w.Schedule(&timer.Timer, time.Millisecond, timer)
		for timer.fired.Load() < before+3 {
			<-timer.told
		}
	}
}
