package ratelimit

import (
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// take calls Allow n times at one instant and returns how many passed.
func take(b *Bucket, l Limit, now time.Time, n int) int {
	passed := 0
	for range n {
		if b.Allow(l, now) {
			passed++
		}
	}
	return passed
}

func TestAllowSequence(t *testing.T) {
	type step struct {
		after time.Duration // since the previous step
		tries int
		want  int
	}
	tests := []struct {
		name  string
		limit Limit
		steps []step
	}{
		{"ten at once, one more after 100 ms", PerSecond(10, 10), []step{
			{0, 10, 10}, {0, 1, 0}, {99 * time.Millisecond, 1, 0}, {time.Millisecond, 2, 1},
		}},
		{"full again a second later, not fuller", PerSecond(10, 10), []step{
			{0, 20, 10}, {time.Second, 20, 10}, {time.Hour, 20, 10},
		}},
		{"refused calls cost nothing", PerSecond(10, 1), []step{
			{0, 1000, 1}, {100 * time.Millisecond, 1000, 1},
		}},
		{"a burst below one counts as one", PerSecond(1, 0), []step{
			{0, 2, 1}, {time.Second, 2, 1},
		}},
		{"a rate that does not divide a second is not exceeded", PerSecond(3, 1), []step{
			{0, 1, 1}, {333_333_333, 1, 0}, {1, 1, 1},
		}},
		{"rate 0 limits nothing", PerSecond(0, 1), []step{{0, 1000, 1000}}},
		{"a negative rate limits nothing", PerSecond(-1, 1), []step{{0, 1000, 1000}}},
		{"the zero limit limits nothing", Limit{}, []step{{0, 1000, 1000}}},
		{"a huge burst does not overflow", PerSecond(1, math.MaxInt), []step{{0, 1000, 1000}}},
		{"an earlier instant neither gives nor takes tokens", PerSecond(10, 10), []step{
			{0, 10, 10}, {-time.Hour, 10, 0}, {time.Hour, 1, 0}, {time.Second, 20, 10},
		}},
	}
	starts := map[string]time.Time{
		"monotonic":          time.Now(),
		"wall clock, past":   time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		"wall clock, future": time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC),
		"epoch":              epoch,
		"zero time":          {},
	}
	for _, tt := range tests {
		for name, now := range starts {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				var b Bucket
				for i, s := range tt.steps {
					now = now.Add(s.after)
					if name == "zero time" && i > 0 {
						return // before the representable range: instants coincide
					}
					if got := take(&b, tt.limit, now, s.tries); got != s.want {
						t.Fatalf("step %d: %d of %d passed, want %d", i, got, s.tries, s.want)
					}
				}
			})
		}
	}
}

func TestReserve(t *testing.T) {
	t.Run("waits for each token beyond the burst", func(t *testing.T) {
		var b Bucket
		l, now := PerSecond(100, 2), time.Now()
		for i, want := range []time.Duration{0, 0, 10 * time.Millisecond, 20 * time.Millisecond} {
			if got := b.Reserve(l, now); got != want {
				t.Fatalf("reservation %d: wait %v, want %v", i, got, want)
			}
		}
	})
	t.Run("a caller that waits keeps exactly to the rate", func(t *testing.T) {
		var b Bucket
		l, start := PerSecond(100, 5), time.Now()
		now := start
		for range 105 {
			now = now.Add(b.Reserve(l, now))
		}
		if got := now.Sub(start); got != time.Second {
			t.Fatalf("105 tokens at 100/s with a burst of 5 took %v, want 1s", got)
		}
	})
	t.Run("a debt refuses Allow until it is paid", func(t *testing.T) {
		var b Bucket
		l, now := PerSecond(10, 1), time.Now()
		b.Reserve(l, now)
		wait := b.Reserve(l, now)
		if b.Allow(l, now.Add(wait)) {
			t.Fatal("allowed at the instant that the debt was paid")
		}
		if !b.Allow(l, now.Add(wait+100*time.Millisecond)) {
			t.Fatal("refused one interval after the debt was paid")
		}
	})
	t.Run("no limit, no wait", func(t *testing.T) {
		var b Bucket
		if wait := b.Reserve(Limit{}, time.Now()); wait != 0 || b != (Bucket{}) {
			t.Fatalf("wait %v, bucket %v", wait, &b)
		}
	})
}

// In any window, however the calls are spaced, no more than burst + rate×window
// pass; and a bucket that is asked often enough lets nearly that many pass.
func TestNeverMoreThanBurstPlusRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 2000).Draw(t, "rate")
		burst := rapid.IntRange(1, 50).Draw(t, "burst")
		gaps := rapid.SliceOfN(rapid.Int64Range(0, int64(3*time.Second)/int64(rate)), 1, 200).Draw(t, "gaps")
		l, now := PerSecond(rate, burst), time.Now()

		var b Bucket
		var passed []time.Time
		for _, gap := range gaps {
			now = now.Add(time.Duration(gap))
			if b.Allow(l, now) {
				passed = append(passed, now)
			}
		}
		for i := range passed {
			for j := i; j < len(passed); j++ {
				window := passed[j].Sub(passed[i])
				most := float64(burst) + float64(rate)*window.Seconds()
				if float64(j-i+1) > most+1e-6 {
					t.Fatalf("%d passed within %v, at most %.3f may", j-i+1, window, most)
				}
			}
		}
	})
}

// The bucket is compared with a plain token bucket that counts tokens.
func TestAgreesWithTokenBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Rates that divide a second, so that the model is exact in integers.
		rate := rapid.SampledFrom([]int{1, 2, 5, 10, 100, 1000, 10_000}).Draw(t, "rate")
		burst := rapid.IntRange(1, 20).Draw(t, "burst")
		l, now := PerSecond(rate, burst), time.Now()
		interval := int64(time.Second) / int64(rate)
		credit := interval * int64(burst) // nanoseconds of refill in hand

		var b Bucket
		for i := range rapid.IntRange(1, 300).Draw(t, "calls") {
			gap := rapid.Int64Range(0, 2*interval).Draw(t, "gap")
			now = now.Add(time.Duration(gap))
			credit = min(credit+gap, interval*int64(burst))
			want := credit >= interval
			if want {
				credit -= interval
			}
			if got := b.Allow(l, now); got != want {
				t.Fatalf("call %d: allowed %v, want %v", i, got, want)
			}
		}
	})
}

func TestAllowConcurrently(t *testing.T) {
	var b Bucket
	var passed atomic.Int64
	l, now := PerSecond(10, 100), time.Now()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { passed.Add(int64(take(&b, l, now, 50))) })
	}
	wg.Wait()
	if passed.Load() != 100 {
		t.Fatalf("%d of 400 concurrent calls passed, want the burst of 100", passed.Load())
	}
}

func TestReserveConcurrently(t *testing.T) {
	var b Bucket
	l, now := PerSecond(1000, 1), time.Now()
	waits := make([]time.Duration, 64)
	var wg sync.WaitGroup
	for i := range waits {
		wg.Go(func() { waits[i] = b.Reserve(l, now) })
	}
	wg.Wait()
	seen := map[time.Duration]bool{}
	for _, wait := range waits {
		if seen[wait] || wait < 0 || wait > 63*time.Millisecond {
			t.Fatalf("waits %v: each must be another of 0 … 63 ms", waits)
		}
		seen[wait] = true
	}
}

func TestBucketIsEightBytes(t *testing.T) {
	if size := unsafe.Sizeof(Bucket{}); size != 8 {
		t.Fatalf("a bucket has %d bytes, want 8", size)
	}
}

func TestAllowAllocatesNothing(t *testing.T) {
	var b Bucket
	l, now := PerSecond(10, 10), time.Now()
	if n := testing.AllocsPerRun(100, func() { b.Allow(l, now); b.Reserve(l, now) }); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkAllow(b *testing.B) {
	var bucket Bucket
	l, now := PerSecond(10, 10), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(50 * time.Millisecond)
		bucket.Allow(l, now)
	}
}
