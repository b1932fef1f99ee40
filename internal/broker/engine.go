package broker

import (
	"context"
	"fmt"
)

// NodeID names one run of one node: it is drawn at random when the process
// starts, so a node that was restarted is another one, and two nodes cannot be
// confused, whatever their clocks and configurations say.
type NodeID uint64

// String returns the id as it stands in logs and subjects: 16 hex digits.
func (id NodeID) String() string { return fmt.Sprintf("%016x", uint64(id)) }

// MarshalText returns the same for logs and documents in JSON.
func (id NodeID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// SubjectKind says who subscribes a [Subject].
type SubjectKind uint8

// Kinds of subjects.
const (
	ToAll     SubjectKind = iota // every node, the sender included
	ToNode                       // one node
	ToChannel                    // the nodes with subscribers of one channel
)

// Subject is what a message is sent to. Engines make names of it that are
// distinct for distinct subjects; they begin with the configured prefix.
type Subject struct {
	Kind    SubjectKind
	Node    NodeID // ToNode
	App     string // ToChannel; 1 to 200 bytes of any kind
	Channel string // ToChannel; a protocol.ChannelName
}

// Op is what a [Command] does.
type Op uint8

// Operations.
const (
	Publish Op = iota
	Subscribe
	Unsubscribe
)

// Command is one thing for an engine to do.
type Command struct {
	Op      Op
	Subject Subject
	Message []byte // of Publish; not to be changed before Do has returned
}

// Receiver is told by an engine what comes. Its methods are called one at a time.
type Receiver interface {
	// Receive takes one message, which is the receiver's from then on. It may block
	// for a moment: then the engine reads no further.
	Receive(message []byte)

	// Up says that the link works, and that nothing is subscribed on it.
	Up()

	// Down says that the link does not work, or that messages for this node may have
	// been lost on it. Calls of Do fail until Up.
	Down(reason error)
}

// Rester is a [Receiver] that every engine tells when it has handed over all that it
// had at hand, before it waits for more. Rest is one of the methods that are called one
// at a time. Between the last message and Down it may be left out.
type Rester interface {
	Receiver
	Rest()
}

// Engine is the way from one node to the others.
//
// Order: of messages that one node publishes on one lane, every node that is
// subscribed receives those it receives in the order of the commands. Subjects
// on different lanes are not ordered. A message goes out after the subscriptions in front
// of it have been made, and those behind it may have been made as well: who subscribes
// hears more, never less, and nobody else can tell the difference.
type Engine interface {
	// Run connects, and connects again after failures with growing pauses of at most
	// 2 s, until ctx ends. It returns when the link is closed and nothing of it runs any more. To be
	// called once. The error says that the engine can never work as configured.
	Run(ctx context.Context, r Receiver) error

	// Do carries out commands, and returns when the engine has taken every one:
	// published messages are on their way, subscriptions are in force, on this
	// node's side of the engine. Of several changes of one subscription the last
	// counts. A node that publishes on a subject and unsubscribes it in one call may or may
	// not receive its own message. An error means that the link is down, or that ctx
	// has ended: each command may have been carried out or not. One call at a time.
	Do(ctx context.Context, commands []Command) error

	// Fence returns when every message that the engine had taken before the call, on
	// subjects that this node is subscribed to, has been given to the receiver. On a
	// mesh that holds only for messages that had reached this node's server. It may be
	// called beside Do, one call at a time.
	Fence(ctx context.Context) error

	// Reconnect gives the present link up, which seems not to work: Down follows.
	Reconnect(reason error)

	// Lanes returns how many lanes there are, at least 1, the same at every node.
	Lanes() int

	// Lane returns the lane of a subject, from 0. ToAll and ToNode are on lane 0.
	Lane(s Subject) int

	// Mesh reports whether the engine is several servers, so that what one has taken
	// may not be in force at the next one yet. It may change while the link goes up.
	Mesh() bool

	// Describe returns what an operator wants to know. It holds no secret.
	Describe() Description
}

// Description tells what an engine is connected to.
type Description struct {
	Engine  string   `json:"engine"`            // redis, redis cluster, nats, embedded, memory
	Servers []string `json:"servers,omitempty"` // host:port, sorted
	Version string   `json:"version,omitempty"` // of the server, if it tells
}
