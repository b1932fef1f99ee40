package hub

import (
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// A busy connection without room for a round is given patience after it, and
// looked at again every patienceStep: where a goroutine writes, a burst can
// outrun a peer that reads. One that does not read costs its channel this pause once.
const (
	patience     = 25 * time.Millisecond
	patienceStep = time.Millisecond
)

// held is a delivery that a connection had no room for.
type held struct {
	sub    *subscription
	frames protocol.Wire
	n      int // how many
}

// deliverLate tries again for a while, closes those that still have no room, and
// returns how many frames were delivered.
func deliverLate(late []held) (delivered int) {
	for deadline := time.Now().Add(patience); len(late) > 0 && time.Now().Before(deadline); {
		time.Sleep(patienceStep)
		late = slices.DeleteFunc(late, func(h held) bool {
			there, err := h.sub.deliver(h.frames)
			if there && err == nil {
				delivered += h.n
			}
			return err == nil
		})
	}
	for _, h := range late {
		h.sub.to.Kick()
	}
	return delivered
}
