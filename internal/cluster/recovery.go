package cluster

import (
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// recovery is how a node gets from another one the events that it has missed.
// While it runs, events that come from that node are parked.
type recovery struct {
	state   recoveryState
	request uint64
	part    uint64 // the next one
	until   time.Duration
	tries   int
	recent  bool // only what was sent since this node was out of touch, which has not known the other before
}

type recoveryState uint8

const (
	noRecovery    recoveryState = iota
	recoveryDue                 // the node is to be asked as soon as it shows itself
	recoveryAsked               // it has been
)

// overdue reports whether the answer does not come any more.
func (r *recovery) overdue(now time.Duration) bool { return r.state == recoveryAsked && now > r.until }

// mayRecover asks a node for what was missed, if that is due. It must have shown
// itself on this link: before, it would not hear the question.
func (w *worker) mayRecover(p *peer) {
	if p.recover.state != recoveryDue || !w.subscribed {
		return
	}
	recent := p.recover.recent
	p.recover = recovery{
		state: recoveryAsked, request: w.request(), until: w.clock.now() + answerWithin, tries: p.recover.tries + 1, recent: recent,
	}
	after := make([]uint64, len(p.lanes))
	for i := range p.lanes {
		after[i] = p.lanes[i].reached()
	}
	r := broker.RecoverRequest{Request: p.recover.request, After: after}
	if recent {
		coarse := w.period() // the times of what is kept may be that much too early
		r.Newest = min(w.clock.now()-w.lostSince+coarse, w.options.ReplayAge)
	}
	w.queue.control(control{to: p.id, message: r.Append(nil, w.id)})
}

func (w *worker) onRecoverRequest(h broker.Header, body broker.Body) error {
	r, err := broker.ReadRecoverRequest(body)
	if err != nil {
		return err
	}
	w.queue.control(control{answer: &job{to: h.Origin, request: r.Request, after: r.After, newest: r.Newest, recover: true}})
	return nil
}

// onRecovered delivers a part of what was missed. Its numbers come before those of
// what is parked.
func (w *worker) onRecovered(p *peer, body broker.Body) error {
	part, err := broker.ReadRecovered(body)
	if err != nil {
		return err
	}
	r := &p.recover
	if r.state != recoveryAsked || r.request != part.Request || part.Part < r.part {
		return nil
	}
	if part.Part != r.part {
		w.metrics.drop(dropRecovery, 1)
		w.repeatRecovery(p)
		w.release(p)
		return nil
	}
	r.part++
	r.until = w.clock.now() + answerWithin
	for _, m := range part.Messages {
		w.redeliver(p, m)
	}
	w.notePartial(p, part.Lost)
	if part.End {
		p.recover = recovery{}
		w.release(p)
	}
	return nil
}

// redeliver takes an event out of an answer.
func (w *worker) redeliver(p *peer, m []byte) {
	h, body, err := broker.Open(m)
	if err != nil || h.Origin != p.id || h.Kind != broker.KindEvent && h.Kind != broker.KindTermination {
		w.metrics.ignore(ignoredMalformed)
		return
	}
	c, err := w.readParcel(h, body)
	if err != nil {
		w.ignore(err)
		return
	}
	w.releaseBefore(p, &c)
	if l := p.lane(c.Lane); c.Number > l.last {
		l.last = c.Number
		w.deliver(p.handle, &c)
	}
}

// notePartial counts what no node has any more. What it may have left on cache
// channels a snapshot has.
func (w *worker) notePartial(p *peer, lost []uint64) {
	for lane, n := range lost {
		if n == 0 {
			continue
		}
		if p.snapshot == nil {
			w.ask(p)
		}
		w.metrics.drop(dropRecovery, int(min(n, 1<<30)))
		w.gap(lane)
	}
}

// repeatRecovery has a node asked again when its next beat shows that it would hear, or gives
// up: question or answer may be lost while servers of the engine find each other again.
func (w *worker) repeatRecovery(p *peer) {
	if p.recover.state == recoveryAsked && p.recover.tries < maxRecoveries {
		p.recover.state = recoveryDue
		return
	}
	w.abandonRecovery(p)
}

// abandonRecovery gives up a recovery that does not end.
func (w *worker) abandonRecovery(p *peer) {
	if p.recover.state != recoveryAsked {
		return
	}
	p.recover = recovery{}
	w.metrics.incomplete.Inc()
	w.ask(p)
	for lane := range p.lanes {
		w.gap(lane)
	}
}

// gap tells the subscribers of a lane's channels that events may be missing.
func (w *worker) gap(lane int) {
	if !w.options.GapNotice {
		return
	}
	engine := w.options.Engine
	w.hub.Gap(func(app apps.ID, channel protocol.ChannelName) bool {
		return engine.Lane(subjectOf(broker.ChannelOf{App: app, Channel: channel})) == lane
	})
}

// onLoss tells the subscribers of the channels for which another node had events
// that it could not send.
func (w *worker) onLoss(body broker.Body) error {
	l, err := broker.ReadLoss(body, &w.names)
	if err != nil || !w.options.GapNotice {
		return err
	}
	lost := make(map[broker.ChannelOf]struct{}, len(l.Channels))
	for _, c := range l.Channels {
		lost[c] = struct{}{}
	}
	w.hub.Gap(func(app apps.ID, channel protocol.ChannelName) bool {
		_, named := lost[broker.ChannelOf{App: app, Channel: channel}]
		return named || l.All
	})
	return nil
}
