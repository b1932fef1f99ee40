package webhook

import (
	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Journal keeps notices and payloads over the end of the process.
type Journal interface {
	// OpenQueue opens the queue of an endpoint, which implements [DurableQueue]. It
	// does not wait for a disk.
	OpenQueue(spec QueueSpec) Queue
	// Record takes one notice that leaves the delay, as a whole: after a crash all
	// of it has happened or nothing. It calls hand with the number of the notice,
	// which grows from call to call, before it takes the next one. It may be called
	// from any goroutine and does not wait for a disk.
	Record(r Record, hand func(seq int64))
	// Told returns what earlier processes have told to be on, and nothing has told
	// to be off since. To be called once, before the first Record.
	Told() []Edge
}

// DurableQueue is the queue of a [Journal].
type DurableQueue interface {
	Queue
	// Unsealed returns the events that an earlier process has taken for this
	// endpoint and not sealed, oldest first. To be called once, before Put.
	Unsealed() []UnsealedEvent
}

// Edge names what goes on and off: a channel, or a user on a channel.
type Edge struct {
	App     apps.ID
	Channel protocol.ChannelName
	UserID  string
	Member  bool
}

// Record is what one notice changes.
type Record struct {
	Edge   Edge // that is told of, if Change is not 0
	Change Change
	Events []RecordedEvent // one for each endpoint that selects the notice
}

// Change is what a notice tells of an [Edge].
type Change int8

// Changes of edges.
const (
	GoesOff Change = iota - 1
	NoEdge
	GoesOn
)

// RecordedEvent is an encoded notice for one endpoint. Its payload will have a
// Seq that is not less than the number of the notice.
type RecordedEvent struct {
	Queue   Queue
	Channel uint64
	JSON    []byte // shared, not to be changed
}

// UnsealedEvent is an event that waits to be sealed into a payload.
type UnsealedEvent struct {
	Seq     int64
	Channel uint64
	JSON    []byte
}
