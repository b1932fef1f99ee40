package webhook

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

const (
	firstRetry = time.Second
	jitter     = 0.2

	// No attempt with the bytes of the first starts later than this after time_ms:
	// the Python library refuses webhooks that are more than 300 s old (§8.6).
	lastStart = 290 * time.Second
	// longestRetry bounds the pauses of a payload that is older than that.
	longestRetry = 5 * time.Minute
	// longestAsked bounds what a receiver can ask for by Retry-After.
	longestAsked = time.Hour
)

// retryDelay returns how long to wait after the given number of failures, which
// is at least 1: 1, 2, 4, … 128 s, each up to a fifth shorter or longer, so that
// payloads which failed together are not tried together for ever.
func retryDelay(failures int) time.Duration {
	return jittered(firstRetry << min(failures-1, 7)) // 2⁷ s = 128 s
}

func jittered(delay time.Duration) time.Duration {
	return spread(delay, rand.Float64()) //nolint:gosec // no secret depends on it
}

// spread moves delay by the jitter; at is in [0, 1).
func spread(delay time.Duration, at float64) time.Duration {
	return time.Duration(float64(delay) * (1 + jitter*(2*at-1)))
}

// lateDelay returns how long to wait between attempts beyond the schedule of
// §8.6: anything up to the longest pause, so that what has piled up during an
// outage of hours comes back evenly.
func lateDelay() time.Duration {
	return firstRetry + rand.N(longestRetry-firstRetry) //nolint:gosec // no secret depends on it
}

// window returns for how long after sealing attempts may start. Without retryFor,
// or with a short one, it is that of §8.6.
func window(retryFor time.Duration) time.Duration { return max(lastStart, retryFor) }

// age returns how long ago a payload was sealed.
func (p *Payload) age(now time.Time) time.Duration {
	if !p.sealed.IsZero() {
		return now.Sub(p.sealed)
	}
	return time.Duration(now.UnixMilli()-p.TimeMS) * time.Millisecond
}

// nextDue returns when to attempt a payload again that has just failed, not
// before the time that was asked for, and false if that would be too late.
func (p *Payload) nextDue(now time.Time, asked, window time.Duration) (due time.Time, ok bool) {
	delay := retryDelay(p.Failures)
	if window > lastStart && p.age(now)+delay > lastStart {
		delay = lateDelay()
	}
	delay = max(delay, asked)
	return now.Add(delay), p.age(now)+delay <= window
}

// bounded returns what a receiver asked for by Retry-After, cut to leave time for
// one more attempt before the payload is given up.
func (p *Payload) bounded(asked time.Duration, now time.Time, window time.Duration) time.Duration {
	return max(0, min(asked, window-p.age(now)-time.Second))
}

// resealed returns the payload as of now: the same events with a new time_ms and
// a signature of the pair over the new bytes. The payload itself stays as it is,
// so that its age counts on.
func (p *Payload) resealed(pair auth.Key, now time.Time) *Payload {
	fresh := seal(laneKey{app: p.App, url: p.URL}, pair, now.UnixMilli(), p.events(), p.Events)
	fresh.ID = p.ID
	return fresh
}

// retryAfter returns what a Retry-After header asks for, at most an hour; 0 for
// none or nonsense. It is a number of seconds or an HTTP date (RFC 9110, section
// 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	value = strings.TrimSpace(value)
	if seconds, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(seconds, uint64(longestAsked/time.Second))) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), longestAsked)
}
