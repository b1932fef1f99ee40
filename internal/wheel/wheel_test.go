package wheel

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const testTick = 100 * time.Millisecond

// expireFunc is an expirer made of a function.
type expireFunc func(*Timer)

func (f expireFunc) Expire(t *Timer) { f(t) }

// start runs the wheel until the returned function is called, at the latest at
// the end of the test.
func start(t *testing.T, w *Wheel) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	stop = func() {
		cancel()
		running.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// A model is what a wheel with some timers ought to do.
type model struct {
	t *testing.T
	w *Wheel

	mu sync.Mutex
	// Guarded by mu.
	rand    *rand.Rand
	timers  []Timer
	pending map[*Timer]deadline
	fired   int
}

type deadline struct {
	at    time.Time // when it was scheduled
	after time.Duration
}

func newModel(t *testing.T, w *Wheel, seed uint64) *model {
	t.Helper()
	return &model{
		t: t, w: w, rand: rand.New(rand.NewPCG(seed, 1)),
		timers: make([]Timer, 200), pending: make(map[*Timer]deadline),
	}
}

// act does something to a few timers and returns how long to wait then.
func (m *model) act() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	for range m.rand.IntN(8) {
		m.step()
	}
	return m.delay() / 16
}

// step does something to one timer.
func (m *model) step() {
	t := &m.timers[m.rand.IntN(len(m.timers))]
	if m.rand.IntN(3) > 0 {
		m.schedule(t)
		return
	}
	_, want := m.pending[t]
	if got := m.w.Stop(t); got != want {
		m.t.Errorf("Stop = %t, want %t", got, want)
	}
	delete(m.pending, t)
}

func (m *model) schedule(t *Timer) {
	d := m.delay()
	m.pending[t] = deadline{at: time.Now(), after: d}
	m.w.Schedule(t, d, m)
}

// delay returns one of all the distances that are told apart: none, part of a
// tick, some ticks, about a turn, and some turns.
func (m *model) delay() time.Duration {
	scale := []time.Duration{1, testTick, 100 * testTick, slotCount * testTick, 4 * slotCount * testTick}
	d := time.Duration(m.rand.Int64N(int64(scale[m.rand.IntN(len(scale))])))
	if m.rand.IntN(4) == 0 {
		d -= d % testTick
	}
	return d
}

func (m *model) Expire(t *Timer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fired++
	d, ok := m.pending[t]
	if !ok {
		m.t.Error("an idle timer fired")
		return
	}
	delete(m.pending, t)
	if late := time.Since(d.at) - d.after; late < 0 || late >= 2*testTick {
		m.t.Errorf("a timer of %v fired %v after its time", d.after, late)
	}
	if m.rand.IntN(4) == 0 {
		m.schedule(t)
	}
	if m.rand.IntN(4) == 0 {
		m.step()
	}
}

func (m *model) checkNoneOverdue() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.pending {
		if late := time.Since(d.at) - d.after; late >= 2*testTick {
			m.t.Errorf("a timer of %v has not fired %v after its time", d.after, late)
		}
	}
}

func TestWheelAgreesWithModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := New(testTick)
				m := newModel(t, w, seed)
				stop := start(t, w)
				for range 1000 {
					time.Sleep(m.act())
					synctest.Wait()
					m.checkNoneOverdue()
				}
				stop()
				if m.fired < 500 {
					t.Errorf("%d timers fired: too few to tell anything", m.fired)
				}
			})
		})
	}
}

func TestSchedule(t *testing.T) {
	tests := map[string]struct {
		begun, delay time.Duration // since the wheel's epoch, since then
		want         time.Duration // since then
	}{
		"at a tick, by whole ticks":    {0, 3 * testTick, 3 * testTick},
		"at a tick, by part of a tick": {0, 1, testTick},
		"between ticks":                {testTick / 4, testTick, testTick + 3*testTick/4},
		"by nothing":                   {0, 0, testTick},
		"by less than nothing":         {testTick / 2, -time.Hour, testTick / 2},
		"by exactly one turn":          {testTick, slotCount * testTick, slotCount * testTick},
		"by hours":                     {testTick, 12 * time.Hour, 12 * time.Hour},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := New(testTick)
				start(t, w)
				time.Sleep(test.begun)
				var timer Timer
				fired := make(chan struct{})
				begin := time.Now()
				w.Schedule(&timer, test.delay, expireFunc(func(*Timer) { close(fired) }))
				<-fired
				if got := time.Since(begin); got != test.want {
					t.Errorf("fired after %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestScheduleForeverDoesNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(time.Hour)
		start(t, w)
		var timer Timer
		w.Schedule(&timer, math.MaxInt64, expireFunc(func(*Timer) { t.Error("fired") }))
		time.Sleep(100 * 365 * 24 * time.Hour)
		if !w.Stop(&timer) {
			t.Error("the timer was idle")
		}
	})
}

// A slot holds timers of several turns, more of them than one pop looks at.
func TestTimersOfOneSlotFireInTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(testTick)
		start(t, w)
		var fired [3]atomic.Int64
		timers := make([]Timer, 3*5*popAtMost)
		for i := range timers {
			turn := i % 3
			w.Schedule(&timers[i], time.Duration(1+turn*slotCount)*testTick,
				expireFunc(func(*Timer) { fired[turn].Add(1) }))
		}
		time.Sleep(testTick)
		for turn := range 3 {
			synctest.Wait()
			for of := range fired {
				want := int64(0)
				if of <= turn {
					want = 5 * popAtMost
				}
				if got := fired[of].Load(); got != want {
					t.Errorf("in turn %d %d of turn %d have fired, want %d", turn, got, of, want)
				}
			}
			time.Sleep(slotCount * testTick)
		}
	})
}

func TestExpirerMayUseTheWheel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(testTick)
		start(t, w)
		var again, first, second Timer
		var times []time.Duration
		begin := time.Now()
		var onAgain expireFunc
		onAgain = func(timer *Timer) {
			times = append(times, time.Since(begin))
			if len(times) < 3 {
				w.Schedule(timer, 2*testTick, onAgain)
			}
		}
		w.Schedule(&again, testTick, onAgain)
		// Whichever of the two is told first takes the other's deadline away.
		fired := 0
		w.Schedule(&first, testTick, expireFunc(func(*Timer) { fired++; w.Stop(&second) }))
		w.Schedule(&second, testTick, expireFunc(func(*Timer) {
			fired++
			w.Schedule(&first, time.Hour, expireFunc(func(*Timer) { t.Error("fired early") }))
		}))
		time.Sleep(time.Minute)
		synctest.Wait()
		if want := []time.Duration{testTick, 3 * testTick, 5 * testTick}; !reflect.DeepEqual(times, want) {
			t.Errorf("fired at %v, want %v", times, want)
		}
		if fired != 1 {
			t.Errorf("%d of two timers fired that stop each other", fired)
		}
	})
}

func TestWheelThatFellBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(testTick)
		timers := make([]Timer, 1000)
		due, early := 0, 0
		for i := range timers {
			count := &due
			if i%2 == 1 {
				count = &early
			}
			w.Schedule(&timers[i], time.Duration(1+i%2*5+i)*slotCount/250*testTick+time.Duration(i%2)*24*time.Hour,
				expireFunc(func(*Timer) { *count++ }))
		}
		time.Sleep(20 * slotCount * testTick)
		start(t, w)
		synctest.Wait()
		if due != 500 || early != 0 {
			t.Errorf("%d of 500 due timers and %d others fired", due, early)
		}
	})
}

func TestWheelSleepsUntilThereIsSomethingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(testTick)
		start(t, w)
		sleepsUntil := func(when string, want int64) {
			t.Helper()
			synctest.Wait()
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.wakeAt != want {
				t.Errorf("%s: sleeps until tick %d, want %d", when, w.wakeAt, want)
			}
		}
		ignore := expireFunc(func(*Timer) {})
		var near, far, later Timer
		sleepsUntil("empty", never)
		w.Schedule(&far, 3000*testTick, ignore)
		sleepsUntil("one far timer", 3000)
		w.Schedule(&near, 20*testTick, ignore)
		sleepsUntil("a near timer", 20)
		w.Schedule(&later, (slotCount+500)*testTick, ignore)
		time.Sleep(20 * testTick)
		sleepsUntil("a timer of the next turn", 500)
		time.Sleep(480 * testTick)
		sleepsUntil("the far timer again", 3000)
		w.Stop(&far)
		w.Stop(&later)
		time.Sleep(2500 * testTick)
		sleepsUntil("all stopped", never)
	})
}

func TestRunThatEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := New(testTick)
		timers := make([]Timer, 3*popAtMost)
		fail := expireFunc(func(*Timer) { t.Error("fired after the end") })
		for i := range timers {
			w.Schedule(&timers[i], time.Duration(i)*10*time.Second, fail)
		}
		first := expireFunc(func(*Timer) {})
		w.Schedule(&timers[0], 0, first)
		stop := start(t, w)
		time.Sleep(testTick)
		synctest.Wait()
		stop()
		for i := range timers {
			if tm := &timers[i]; tm.next != nil || tm.prev != nil || tm.expirer != nil {
				t.Fatalf("timer %d is still kept", i)
			}
		}
		if w.Stop(&timers[1]) {
			t.Error("Stop of a released timer reports true")
		}
		w.Schedule(&timers[1], testTick, fail)
		if w.Stop(&timers[1]) {
			t.Error("a timer was scheduled after the end")
		}
		time.Sleep(time.Hour)
		if err := w.Run(t.Context()); err == nil {
			t.Error("a second Run is no error")
		}
	})
}

func TestRunEndsAfterTheExpirerThatRuns(t *testing.T) {
	w := New(time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	entered, leave, ended := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var timer Timer
	w.Schedule(&timer, 0, expireFunc(func(*Timer) { close(entered); <-leave }))
	go func() { defer close(ended); _ = w.Run(ctx) }()
	<-entered
	if w.Stop(&timer) {
		t.Error("a timer that is firing was stopped")
	}
	cancel()
	select {
	case <-ended:
		t.Error("Run ended while an expirer ran")
	default:
	}
	close(leave)
	<-ended
}

func TestNewNeedsAPositiveTick(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New(0) did not panic")
		}
	}()
	New(0)
}

// Memory: every connection has at least one.
func TestTimerIsSmall(t *testing.T) {
	if size := reflect.TypeFor[Timer]().Size(); size > 40 {
		t.Errorf("a Timer has %d bytes", size)
	}
}
