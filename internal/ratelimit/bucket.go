package ratelimit

import (
	"math"
	"sync/atomic"
	"time"
)

// Limit is a rate and a burst. The zero value limits nothing.
type Limit struct {
	interval  int64 // nanoseconds that one token takes to come back; 0: unlimited
	tolerance int64 // nanoseconds that an empty bucket takes to fill: interval × burst
}

// PerSecond returns the limit of rate tokens a second and at most burst at
// once. A rate of 0 or less limits nothing; a burst below 1 counts as 1.
func PerSecond(rate, burst int) Limit {
	if rate <= 0 {
		return Limit{}
	}
	// Rounded up to whole nanoseconds, so that no rate is ever exceeded.
	interval := (int64(time.Second) + int64(rate) - 1) / int64(rate)
	// A quarter of the range leaves room for instants on either side.
	tokens := min(int64(max(burst, 1)), math.MaxInt64/4/interval)
	return Limit{interval: interval, tolerance: interval * tokens}
}

// Unlimited reports whether the limit limits nothing.
func (l Limit) Unlimited() bool { return l.interval == 0 }

// A Bucket holds the tokens of one limited party. The zero value is full. One
// bucket is to be used with one [Limit] and must not be copied after first use.
type Bucket struct {
	// fullAt is the instant at which the bucket will be full again (GCRA calls it
	// the theoretical arrival time), in nanoseconds after epoch; 0 means that it
	// was never used.
	fullAt atomic.Int64
}

// Allow takes a token if there is one and reports whether there was.
func (b *Bucket) Allow(l Limit, now time.Time) bool {
	if l.Unlimited() {
		return true
	}
	at := sinceEpoch(now)
	for {
		old := b.fullAt.Load()
		next := spend(old, at, l)
		if next-at > l.tolerance {
			return false
		}
		if b.fullAt.CompareAndSwap(old, next) {
			return true
		}
	}
}

// Reserve takes a token in any case and returns how long the caller must wait
// before it acts, 0 if there was a token. Each call while the bucket is empty
// adds to the debt, so callers that do not wait are told ever longer waits.
func (b *Bucket) Reserve(l Limit, now time.Time) (wait time.Duration) {
	if l.Unlimited() {
		return 0
	}
	at := sinceEpoch(now)
	for {
		old := b.fullAt.Load()
		next := spend(old, at, l)
		if b.fullAt.CompareAndSwap(old, next) {
			return time.Duration(max(0, next-at-l.tolerance))
		}
	}
}

// spend returns when a bucket that is full at fullAt will be full if one more
// token is taken from it at the instant at.
func spend(fullAt, at int64, l Limit) int64 {
	if fullAt == 0 || fullAt < at {
		fullAt = at
	}
	if fullAt += l.interval; fullAt == 0 {
		return 1 // 0 means never used; a nanosecond late is on the safe side
	}
	return fullAt
}

// epoch carries a monotonic reading, which makes differences to it monotonic.
var epoch = time.Now()

func sinceEpoch(now time.Time) int64 {
	// Half of the range (146 years) keeps every sum of an instant and a
	// tolerance representable.
	const limit = math.MaxInt64 / 2
	return max(-limit, min(limit, int64(now.Sub(epoch))))
}
