package cluster

import (
	"cmp"
	"errors"
	"time"
)

// tick judges who is alive. It comes once a period, after the messages that have
// arrived before it. A pause is how much later than due it was at the time at: if that is more
// than a period, the process was stopped, and has not heard the others for that reason.
func (w *worker) tick(at, pause time.Duration) {
	now := w.clock.now()
	w.ticked = at
	if pause > w.period() {
		w.paused(now, pause)
	}
	w.judge(now)
	w.judgeViews(now)
	w.probeLink(now)
	if w.markers.doubted() {
		w.queue.mark()
	}
	for _, p := range w.peers {
		if p.snapshot != nil && now > p.snapshot.until {
			w.ask(p)
		}
	}
	w.verify()
	w.lookForOrphans(now)
	w.exorcise(now)
	w.told.forget(now)
	w.trySettle()
	w.renew()
	w.retry()
	w.payDebts(false)
	w.publishStatus()
}

// paused makes up for the time in which this process was stopped.
func (w *worker) paused(now, pause time.Duration) {
	w.options.Log.Warn("this process was stopped for a while", "pause", pause)
	for _, p := range w.peers {
		p.heard = min(p.heard+pause, now)
		if p.recover.state == recoveryAsked {
			p.recover.until += pause
		}
	}
	w.probe.forget()
	if pause > w.options.Lease/2 { // others may have become home of what this node was
		w.suspend()
		for _, p := range w.peers {
			w.ask(p) // what is on its way from them may be as old
			p.stale = true
		}
	}
}

// judge drops nodes whose lease has ended. While the link is down nobody can be
// heard: then nobody is judged before a lease has passed, and after it everybody.
func (w *worker) judge(now time.Duration) {
	if !w.linkUp && now-w.linkSince < w.options.Lease {
		return
	}
	for _, p := range w.peers {
		if !w.linkUp || now-max(p.heard, w.linkSince) > w.options.Lease {
			w.drop(p, false)
		}
	}
	w.viewChanged()
}

var errSilent = errors.New("messages of this node do not come back to it")

// probeLink gives a link up on which this node's own beats do not come back.
func (w *worker) probeLink(now time.Duration) {
	if !w.linkUp {
		return
	}
	if silent := w.probe.overdue(now); silent > w.options.Lease/2 {
		w.probe.forget()
		w.metrics.silent.Inc()
		w.options.Engine.Reconnect(errSilent)
	}
}

// up notes that there is a link. What was on its way on the one before is lost.
func (w *worker) up() {
	w.linkUp, w.subscribed, w.linkSince = true, false, w.clock.now()
	for _, p := range w.peers {
		p.snapshot, p.synced = nil, p.synced && p.snapshot == nil
	}
}

// dressed notes that the link has its subscriptions.
func (w *worker) dressed(number uint64) {
	if current, up, _ := w.queue.current(); current == number && up {
		w.subscribed = true
	}
}

// down notes that the link is lost, and with it perhaps events.
func (w *worker) down() {
	now := w.clock.now()
	if !w.outOfTouch(now) { // else it has not caught up since it was lost before
		w.lostSince = cmp.Or(w.echoed, now) // it may have hung since then
	}
	w.linkUp, w.subscribed, w.linkSince = false, false, now
	w.probe.forget()
	for _, p := range w.peers {
		if p.away < 0 {
			p.away = p.heard
		}
		if p.recover.state != recoveryDue {
			p.recover = recovery{state: recoveryDue, recent: p.recover.recent}
		}
	}
	w.suspend()
}
