package cluster

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// onBeat takes note that a node lives, and looks whether something of it is
// missing.
func (w *worker) onBeat(p *peer, body broker.Body) error {
	beat, err := broker.ReadBeat(body)
	if err != nil {
		return err
	}
	if beat.Count <= p.beat.Count {
		return nil // sent twice
	}
	now := w.clock.now()
	first, before := !p.alive(), p.beat
	late := now - p.heard - w.period()
	p.delay += (max(late, 0) - p.delay) / 4
	if first && p.recover.state == noRecovery && w.outOfTouch(now) {
		p.recover = recovery{state: recoveryDue, recent: true}
	}
	w.told.closes(p.id, beat.Closed)
	p.beat, p.heard, p.answered = beat, now, !p.stale
	if beat.Hello {
		w.askAgain(p)
	}
	if !first && beat.Count != before.Count+1 && p.recover.state == noRecovery {
		p.recover.state = recoveryDue // what was sent between them may be lost too
	}
	w.mayRecover(p)
	w.noteNumbers(p, beat.Numbers)
	if !first && (beat.Seq > p.seq || !p.synced && p.snapshot == nil) {
		w.missed(p)
	}
	if beat.Hello {
		w.queue.wishBeat(plainBeat)
	}
	if first {
		w.met(p)
	}
	w.noteView(p)
	w.trySettle()
	w.renew()
	return nil
}

// askAgain repeats what a node was asked before its link had its subscriptions, and has
// not begun to answer.
func (w *worker) askAgain(p *peer) {
	if p.snapshot != nil && p.snapshot.part == 0 {
		w.ask(p)
	}
	if p.recover.state == recoveryAsked && p.recover.part == 0 {
		p.recover.state = recoveryDue
	}
}

// outOfTouch reports whether this node may have had clients when its link came up
// not long ago: events for them were perhaps sent before it had its subscriptions.
func (w *worker) outOfTouch(now time.Duration) bool {
	return now-w.linkSince < w.options.Lease && (w.lostSince > 0 || w.linkSince > w.period())
}

// met takes a node among those that are alive.
func (w *worker) met(p *peer) {
	if p.snapshot == nil {
		w.ask(p)
	}
	w.options.Log.Info("node has come", "node", p.id, "name", p.beat.Name, "version", p.beat.Version)
	p.met = w.clock.now()
	w.markers.add(p.id)
	w.viewChanged()
}

// noteNumbers takes note of how far a node is. What it has sent on lane 0 before a
// beat has come before the beat; of other lanes that is believed of the beat before
// this one.
func (w *worker) noteNumbers(p *peer, numbers []uint64) {
	if p.recover.state != noRecovery {
		return // the question is what was missed since, and may have to be repeated
	}
	for i, n := range numbers[:min(len(numbers), w.options.Engine.Lanes())] {
		l := p.lane(i)
		if l.floor = max(l.floor, l.told); i == 0 {
			l.floor = max(l.floor, n)
		}
		l.told = n
	}
}

// period is the time between two beats of a node.
func (n *Node) period() time.Duration { return n.options.Lease / beatsPerLease }

// runTicks lets the node beat until ctx ends.
func (n *Node) runTicks(done <-chan struct{}) {
	ticker := time.NewTicker(n.period())
	defer ticker.Stop()
	last := n.clock.now()
	for {
		select {
		case <-done:
			return
		case <-ticker.C:
		}
		now := n.clock.now()
		pause := now - last - n.period()
		last = now
		n.queue.wishBeat(plainBeat)
		n.inbox.do(func(w *worker) { w.tick(now, pause) })
	}
}
