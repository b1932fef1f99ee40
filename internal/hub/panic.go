package hub

import (
	"runtime/debug"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// PanicPlace is where a panic was caught, as the metric has it.
type PanicPlace string

// Places of panics. Each is a bug in this program that ended no more than one
// connection, or the delivery of one run of events.
const (
	PanicInCommand  PanicPlace = "command"  // carrying out a client's message
	PanicInDelivery PanicPlace = "delivery" // giving frames to one connection
	PanicInFlush    PanicPlace = "flush"    // writing one connection's backlog
	PanicInRound    PanicPlace = "round"    // delivering to a channel, outside of any connection
)

// PanicPlaces lists every place.
var PanicPlaces = [...]PanicPlace{PanicInCommand, PanicInDelivery, PanicInFlush, PanicInRound}

// Breakable is a [Subscriber] that can be ended without the help of its outlet.
// Panicked is called once a delivery to it has panicked, under the hub's locks,
// like the methods of Subscriber: it ends the connection, and has the bug and its
// stack logged. Others are closed with 1011.
type Breakable interface {
	Subscriber
	Panicked(bug any, stack []byte)
}

// CountPanic counts a bug that ended the connection.
func (a *Attachment) CountPanic(where PanicPlace) { a.tenant.stats.countPanic(where) }

// recovered, deferred, makes a panic of the outlet the end of the connection.
func (a *Attachment) recovered() {
	if bug := recover(); bug != nil {
		a.panicked(bug)
	}
}

// panicked ends the connection for a bug in delivering to it. It has to be called
// by what was deferred, while the stack can still be seen.
func (a *Attachment) panicked(bug any) {
	a.CountPanic(PanicInDelivery)
	if b, ok := a.sub.(Breakable); ok {
		b.Panicked(bug, debug.Stack())
		return
	}
	a.sub.Close(protocol.CloseServerError)
}

// roundPanicked notes a bug in a round, like panicked.
func (t *tenant) roundPanicked(bug any) {
	t.stats.countPanic(PanicInRound)
	t.hub.log.Error("delivery round panicked", "app", t.id, "panic", bug, "stack", string(debug.Stack()))
}

func (s *stats) countPanic(where PanicPlace) {
	for i, place := range PanicPlaces {
		if place == where {
			s.panics[i].Add(1)
		}
	}
}
