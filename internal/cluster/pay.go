package cluster

import (
	"slices"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// claimBytes is how much of what is owed one message tells, and maxClaims how many of
// those go out in one period.
const (
	claimBytes = partBytes
	maxClaims  = 64
)

// payDebts tells webhooks what they are owed, where this node is the home, and asks the
// homes of the rest to tell what is due.
func (w *worker) payDebts(all bool) {
	w.turn.End()
	claims := make(map[broker.NodeID][]broker.OwedEdge)
	owing := w.told.owing(all)
	slices.SortFunc(owing, func(a, b broker.OwedEdge) int { return rank(a.Edge) - rank(b.Edge) })
	for _, o := range owing {
		home := w.view.home(o.App, o.Channel)
		switch {
		case home == w.id:
			w.pay(o.Edge)
		case w.settled:
			claims[home] = append(claims[home], o)
		}
	}
	sent := 0
	for home, owed := range claims {
		for len(owed) > 0 && sent < maxClaims {
			sent++
			owed = owed[w.claim(home, owed):]
		}
	}
	if w.settled && w.told.takeMissed() {
		w.compare(w.filter.presides)
	}
}

// claim asks a home for as much as fits into one message. It returns how many edges
// those are.
func (w *worker) claim(home broker.NodeID, owed []broker.OwedEdge) int {
	n := 0
	for bytes := 0; n < len(owed) && bytes < claimBytes; n++ {
		bytes += toldSize(owed[n].Edge)
		w.told.asked(owed[n].Edge)
	}
	m := broker.Owed{Edges: owed[:n]}
	w.queue.control(control{to: home, message: m.Append(nil, w.id)})
	return n
}

// onOwed takes note of what another node wants webhooks to be told of. A node that is
// not the home, or may not tell at the moment, will be asked again.
func (w *worker) onOwed(body broker.Body) error {
	m, err := broker.ReadOwed(body)
	if err != nil {
		return err
	}
	w.turn.End()
	for _, o := range m.Edges {
		if w.filter.presides(o.Edge) && w.told.claim(o) {
			w.pay(o.Edge)
		}
	}
	return nil
}

// pay tells webhooks what they are owed of an edge, if this node may, and then what is
// so. The delay of a fall comes in between.
func (w *worker) pay(e hub.Edge) {
	if !w.filter.wants(e) {
		w.told.waive(e)
		return
	}
	turn, owed, reopened := w.told.owed(e)
	switch untrue := owed == turn+1 && (owed%2 == 1) != w.hub.On(e); {
	case untrue && !reopened: // one of two nodes is behind
		w.told.waive(e)
	case !w.filter.advance(e, owed):
		return
	}
	w.correct(e)
	w.told.paid(e)
}
