package cluster

import (
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

const (
	self  broker.NodeID = 1
	rival broker.NodeID = 2
)

// openTold returns what a node knows that hears of a rival that lives.
func openTold() *told {
	told := newTold(self, newClock())
	told.changed, told.fell = func(hub.Edge) {}, func(hub.Edge) {}
	told.closes(rival, 0)
	return told
}

// ofRival is a register by the rival, which is about to tell the last of its turns.
func ofRival(e hub.Edge, turn, count uint64) *broker.Told {
	stamp := hub.Stamp{Count: count, Node: uint64(rival)}
	return &broker.Told{Edge: e, Turn: turn, Open: 1, Stamp: stamp, Teller: stamp}
}

func TestNothingIsSealedOnTopOfWhatAnotherNodeIsAboutToTell(t *testing.T) {
	told := openTold()
	e := hub.Edge{App: "1", Channel: "c"}
	told.merge(ofRival(e, 1, 10), source{id: rival, whole: true, away: inTouch})
	_, _, sealed := told.seal(e, false)
	want(t, "while the rival is about to tell", sealed, false)
	want(t, "turn", told.turnLocked(e), 1)

	told.closes(rival, 10)
	_, _, sealed = told.seal(e, false)
	want(t, "when it has told", sealed, true)
	want(t, "turn", told.turnLocked(e), 2)
}

func TestWhoYieldsOwesTheRestAndWaitsForNobody(t *testing.T) {
	for _, c := range []struct {
		name         string
		known, rival uint64 // the turn that both know, 0 for none, and the one that the rival is about to tell
		owed         uint64 // until which turn
	}{
		{"the rival tells all", 2, 5, 0},
		{"of what nobody knew the rival tells one turn", 0, 51, 53},
		{"of what nobody knew the rival tells two turns", 0, 52, 53},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := openTold()
			e := hub.Edge{App: "1", Channel: "c"}
			if c.known > 0 {
				told.merge(ofRival(e, c.known, 5), source{id: rival, whole: true, away: inTouch})
				told.closes(rival, 5)
			}
			var tellings []telling
			for _, on := range []bool{true, false, true} {
				step, count, sealed := told.seal(e, on)
				want(t, "sealed", sealed, true)
				tellings = append(tellings, telling{edge: e, step: step, count: count})
			}
			told.merge(ofRival(e, c.rival, 100), source{id: rival, whole: true})
			told.yieldToRivals()
			for _, x := range tellings {
				want(t, "told here", told.close(x), false)
			}
			want(t, "owed until", told.debts.turn(e), c.owed)
			want(t, "nothing is about to be told here", told.closed() >= 100, true)
		})
	}
}

func TestWhatComesAfterYieldingIsToldHere(t *testing.T) {
	told := openTold()
	e := hub.Edge{App: "1", Channel: "c"}
	step, count, _ := told.seal(e, true)
	first := telling{edge: e, step: step, count: count}
	both := ofRival(e, 50, 100)
	both.Open = 0
	told.merge(both, source{id: rival, whole: true}) // it has taken this node for dead, and told on and off
	var later []telling
	for _, on := range []bool{true, false} {
		step, count, _ = told.seal(e, on)
		later = append(later, telling{edge: e, step: step, count: count})
	}
	told.merge(both, source{id: rival, whole: true})
	told.yieldToRivals()
	want(t, "told here", told.close(first), false)
	for _, x := range later {
		want(t, "what comes after is told here", told.close(x), true)
	}
}
