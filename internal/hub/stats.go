package hub

import (
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// stats are the counters of one app. They are atomics of our own rather than
// metric objects, so that a message costs one addition and nothing knows about
// Prometheus but metrics.go.
type stats struct {
	connected     atomic.Uint64
	subscriptions atomic.Int64 // now
	channels      atomic.Int64 // occupied now
	published     atomic.Uint64
	clientEvents  atomic.Uint64
	delivered     atomic.Uint64 // events times subscribers
	slow          atomic.Uint64 // closed as slow consumers
	dropped       atomic.Uint64 // events of other nodes that found too many waiting on their channel
	received      atomic.Uint64 // messages from clients
	receivedBytes atomic.Uint64
	refused       [reasonCount]atomic.Uint64
	panics        [len(PanicPlaces)]atomic.Uint64
}

const reasonCount = 7

// Received counts one message of the client and its size in bytes.
func (a *Attachment) Received(size int) {
	a.tenant.stats.received.Add(1)
	a.tenant.stats.receivedBytes.Add(uint64(size))
}

// Refused counts a message that was answered with a refusal.
func (a *Attachment) Refused(reason protocol.Reason) {
	for i, r := range protocol.Reasons {
		if r == reason {
			a.tenant.stats.refused[i].Add(1)
		}
	}
}
