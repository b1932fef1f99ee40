package webhook

import (
	"math/rand/v2"
	"time"
)

const (
	firstRetry = time.Second
	jitter     = 0.2

	// No attempt starts later than this after time_ms: the Python library refuses
	// webhooks that are more than 300 s old (§8.6).
	lastStart = 290 * time.Second
)

// retryDelay returns how long to wait after the given number of failures, which
// is at least 1: 1, 2, 4, … 128 s, each up to a fifth shorter or longer, so that
// endpoints which failed together are not tried together for ever.
func retryDelay(failures int) time.Duration {
	delay := firstRetry << min(failures-1, 7) // 2⁷ s = 128 s
	return spread(delay, rand.Float64())      //nolint:gosec // no secret depends on it
}

// spread moves delay by the jitter; at is in [0, 1).
func spread(delay time.Duration, at float64) time.Duration {
	return time.Duration(float64(delay) * (1 + jitter*(2*at-1)))
}

// expired reports whether a payload is too old for an attempt that starts at t.
func (p *Payload) expired(t time.Time) bool {
	return t.UnixMilli()-p.TimeMS > lastStart.Milliseconds()
}
