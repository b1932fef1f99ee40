package ws

import (
	"context"
	"runtime/debug"
	"time"
)

// After a wave of connections the heap is larger than what is live: handshakes
// have come and gone, and the collector keeps as much again in reserve. Where
// the number of connections has moved much and then settled, that goes back to
// the system. It costs a collection, which a server that is idle enough to
// settle does not notice.
const (
	giveBackEvery  = time.Second
	giveBackAfter  = 5   // looks without much change
	giveBackLeast  = 500 // connections that the number must have moved by
	giveBackShare  = 5   // and this part of it
	giveBackUnrest = 100 // a change by more than this part is much
)

// settling decides when memory is given back.
type settling struct {
	given  int64 // connections when that was done last
	last   int64 // when the number last changed much
	steady int   // looks since
}

// look takes the present number of connections and reports whether memory is to
// be given back now.
func (s *settling) look(connections int64) bool {
	if distance(connections, s.last) > max(1, s.last/giveBackUnrest) {
		s.last, s.steady = connections, 0
		return false
	}
	s.steady++
	if s.steady < giveBackAfter || distance(connections, s.given) < max(giveBackLeast, s.given/giveBackShare) {
		return false
	}
	s.given = connections
	return true
}

func distance(a, b int64) int64 { return max(a-b, b-a) }

// giveBack gives memory back whenever that is worth it, until ctx ends.
func (h *Handler) giveBack(ctx context.Context) {
	var s settling
	ticks := time.NewTicker(giveBackEvery)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			if s.look(h.open.Load()) {
				debug.FreeOSMemory()
			}
		}
	}
}
