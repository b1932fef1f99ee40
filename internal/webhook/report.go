package webhook

import (
	"log/slog"
	"time"
)

const (
	// reportPause is the least time between two lines of one kind.
	reportPause = 10 * time.Second
	// reportBytes bounds the text of an error: receivers can write into some.
	reportBytes = 256
)

// reporter writes a lane's log: changes rather than single attempts, and drops
// summed up, so that no receiver can fill a disk. Only the lane's goroutine uses
// it.
type reporter struct {
	log     *slog.Logger
	told    time.Time // the last change
	failing bool      // as last told
	refused bool      // told of
	broken  bool      // the breaker is open, as last told
	toldOf  time.Time // the breaker
	drops   map[DropReason]*dropReport
}

type dropReport struct {
	told   time.Time
	untold int
}

func (r *reporter) attempt(a attempt) {
	failed := a.outcome != Delivered
	if a.outcome == RefusedAddress && !r.refused {
		r.refused, r.failing = true, true
		r.log.Warn("webhook receiver has an address that is not allowed; "+
			"list it in webhooks.allow_addresses if it is yours", "error", short(a.err))
		return
	}
	now := time.Now()
	if failed == r.failing || now.Sub(r.told) < reportPause {
		return
	}
	r.failing, r.told = failed, now
	if failed {
		r.log.Warn("webhook receiver fails",
			"outcome", string(a.outcome), "status", a.status, "error", short(a.err))
		return
	}
	r.log.Info("webhook receiver is back")
}

// down tells once per change whether the endpoint is only probed. A change that
// comes too soon after the last is told later, or not at all if it is undone.
func (r *reporter) down(down bool, now time.Time) {
	if down == r.broken || now.Sub(r.toldOf) < reportPause {
		return
	}
	r.broken, r.toldOf = down, now
	if down {
		r.log.Warn("webhook endpoint is down; it is probed by single requests until one succeeds")
		return
	}
	r.log.Info("webhook endpoint is up; deliveries go on")
}

func short(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	return text[:min(len(text), reportBytes)]
}

func (r *reporter) drop(reason DropReason, events int) {
	d := r.drops[reason]
	if d == nil {
		if r.drops == nil {
			r.drops = make(map[DropReason]*dropReport)
		}
		d = &dropReport{}
		r.drops[reason] = d
	}
	d.untold += events
	if now := time.Now(); now.Sub(d.told) >= reportPause {
		r.tell(reason, d)
		d.told = now
	}
}

// flush tells what is left to tell.
func (r *reporter) flush() {
	for reason, d := range r.drops {
		if d.untold > 0 {
			r.tell(reason, d)
		}
	}
}

func (r *reporter) tell(reason DropReason, d *dropReport) {
	r.log.Warn("webhook events dropped", "reason", string(reason), "events", d.untold)
	d.untold = 0
}
