package wheel

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"
)

// connection is as large as what a timer lies in, so that timers do not share
// cache lines and pages more than they will.
type connection struct {
	_ [256]byte
	Timer
	_ [216]byte
}

// fill schedules so many timers, evenly over the next d.
func fill(w *Wheel, n int, d time.Duration, e Expirer) []connection {
	connections := make([]connection, n)
	for _, i := range rand.Perm(n) {
		w.Schedule(&connections[i].Timer, time.Duration(rand.Int64N(int64(d))), e)
	}
	return connections
}

var ignore = expireFunc(func(*Timer) {})

func BenchmarkSchedule(b *testing.B) {
	for name, n := range map[string]int{"1 timer": 1, "1M timers": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			w := New(testTick)
			connections := fill(w, n, 2*time.Minute, ignore)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				w.Schedule(&connections[i*7919%n].Timer, 2*time.Minute, ignore)
			}
		})
	}
}

func BenchmarkScheduleStop(b *testing.B) {
	w := New(testTick)
	b.ReportAllocs()
	var timer Timer
	for b.Loop() {
		w.Schedule(&timer, 30*time.Second, ignore)
		w.Stop(&timer)
	}
}

// All cores move timers of their own, as fast as they can.
func BenchmarkScheduleParallel(b *testing.B) {
	w := New(testTick)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		connections := make([]connection, 1024)
		for i := 0; pb.Next(); i++ {
			w.Schedule(&connections[i%1024].Timer, 2*time.Minute, ignore)
		}
	})
}

// One operation is a simulated minute of a million connections that each have
// one deadline and renew it when it comes.
func BenchmarkIdleMinute(b *testing.B) {
	for _, every := range []time.Duration{120 * time.Second, 30 * time.Second} {
		b.Run(every.String(), func(b *testing.B) {
			w := New(testTick)
			fired := 0
			var renew expireFunc
			renew = func(t *Timer) {
				fired++
				w.Schedule(t, every, renew)
			}
			fill(w, 1_000_000, every, renew)
			b.ReportAllocs()
			b.ResetTimer()
			before := cpuTime(b)
			for range b.N {
				for range time.Minute / testTick {
					w.epoch = w.epoch.Add(-testTick)
					w.fire(b.Context())
				}
			}
			b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/min")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(fired), "ns/expiry")
		})
	}
}

// cpuTime returns what the process has used.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestOperationsAllocateNothing(t *testing.T) {
	w := New(testTick)
	var timer, other Timer
	allocs := testing.AllocsPerRun(1000, func() {
		w.Schedule(&timer, time.Minute, ignore)
		w.Schedule(&other, 0, ignore)
		w.epoch = w.epoch.Add(-testTick)
		w.fire(t.Context())
		w.Stop(&timer)
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
