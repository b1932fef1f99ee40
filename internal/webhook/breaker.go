package webhook

import "time"

const (
	// breakAfter is how many different payloads fail, with no success between,
	// until the endpoint is taken for down. The failures of one payload count once:
	// it may be the payload that the receiver cannot digest, and a receiver that
	// restarts fails a few. Five is more than either gives and still few requests.
	breakAfter = 5
	// longestProbe bounds the pause between probes, and so how long it takes until
	// a receiver that is back gets everything again. §8.6 lets single payloads wait
	// for 128 s.
	longestProbe = 30 * time.Second
)

// breaker stops attempts at an endpoint that is down. While it is open there is
// one attempt at a time, a probe, with growing pauses; the first success closes
// it. The zero value is closed.
type breaker struct {
	open   bool
	period uint64   // between two successes
	failed int      // different payloads in this period
	probe  *Payload // in flight while open
	probes int      // failed ones since it opened
	next   time.Time
}

// allows reports whether an attempt may start.
func (b *breaker) allows(now time.Time) bool {
	return !b.open || b.probe == nil && !now.Before(b.next)
}

func (b *breaker) started(p *Payload) {
	if b.open {
		b.probe = p
	}
}

// succeeded takes the success of any attempt, also of one that began before the
// breaker opened.
func (b *breaker) succeeded() { *b = breaker{period: b.period + 1} }

// failure takes a failed attempt. The next probe waits at least as long as the
// receiver has asked for.
func (b *breaker) failure(p *Payload, now time.Time, asked time.Duration) {
	switch {
	case b.open && p == b.probe:
		b.probe = nil
		b.probes++
	case b.open:
		return // of before
	default:
		if p.blamed == b.period+1 {
			return
		}
		p.blamed = b.period + 1
		if b.failed++; b.failed < breakAfter {
			return
		}
		b.open = true
	}
	b.next = now.Add(max(asked, probeDelay(b.probes)))
}

// aborted takes an attempt that counts as not made.
func (b *breaker) aborted(p *Payload) {
	if p == b.probe {
		b.probe = nil
	}
}

// probeDelay returns the pause after so many failed probes: 1, 2, 4, 8, 16 and
// then 30 s, each up to a fifth shorter or longer.
func probeDelay(failed int) time.Duration {
	return jittered(min(firstRetry<<min(failed, 7), longestProbe))
}
