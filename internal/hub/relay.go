package hub

import (
	"math"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Relay carries what happens on this node to the others. All methods but Await
// are called under the hub's locks, in the order in which things happen: they must not
// block and must not call back into the hub.
type Relay interface {
	// Publish hands on an event that this node has put in order on its channel.
	Publish(Relayed)

	// Interest says that this node has its first subscriber of a channel, or no more
	// of them.
	Interest(app apps.ID, channel protocol.ChannelName, on bool)

	// Changed marks something of which this node's share has changed. The relay reads
	// it by [Hub.Share] afterwards; what changes several times may be read once.
	Changed(ShareKey)

	// Terminate ends the connections of a user on the other nodes.
	Terminate(app apps.ID, userID string)

	// Await returns when the barrier is passed, or cannot be soon: the link is
	// down, or its time limit is over. It is called without any lock but
	// Attachment.mu.
	Await(Barrier)
}

// Resyncer is a [Relay] that can ask the other nodes for all their shares and fills
// again. Resync is called without any lock after the apps have changed, if
// something of an app that was not known has been ignored before. It must not wait
// for the answers.
type Resyncer interface {
	Relay
	Resync()
}

// Barrier is what [Relay.Await] waits for, one or both.
type Barrier uint8

const (
	// Told means that whatever this node has handed over before the call is in
	// force at the other nodes: events on a channel that it has told its interest
	// in will reach it.
	Told Barrier = 1 << iota
	// Heard means that whatever other nodes have told, in the sense of Told, before
	// the call has arrived here.
	Heard
)

// Relayed is an event on its way between nodes.
type Relayed struct {
	App     apps.ID
	Channel protocol.ChannelName
	Frame   protocol.Wire // one text frame; shared, not to be changed, may be kept; nil if only Fill is told
	Except  protocol.SocketID

	// Follows is set if the event must not reach a connection before those that the
	// same node relayed before it with Followed, whatever their channels (§7.4).
	Follows  bool
	Followed bool

	// Fill is what the event leaves on a cache channel; nil if nothing. All nodes
	// get such an event, also those without subscribers.
	Fill *CacheFill
}

// CacheFill is the content of a cache channel, as nodes tell it each other.
type CacheFill struct {
	Event string
	Data  protocol.Payload // shared, not to be changed
	TTL   time.Duration    // that is left: clocks of nodes are not compared
	Stamp Stamp            // the latest one wins on every node
}

// Stamp orders writes of several nodes to the same thing: a Lamport clock, then the
// node that wrote. The zero stamp is before all others.
type Stamp struct {
	Count uint64
	Node  uint64
}

// Before reports whether s is earlier than o.
func (s Stamp) Before(o Stamp) bool {
	return s.Count < o.Count || s.Count == o.Count && s.Node < o.Node
}

// Node is another node, as the hub tells them apart: a small number that the
// cluster gives it for as long as it is known, up to [MaxNode].
type Node uint16

// MaxNode is the greatest number of another node.
const MaxNode Node = here - 1

// here stands for this node among the others.
const here Node = math.MaxUint16

// ShareKind is what a [Share] is a share of.
type ShareKind uint8

// Kinds of shares.
const (
	ShareOfChannel ShareKind = iota + 1 // its subscriptions
	ShareOfMember                       // the connections of a user on a presence channel
	ShareOfUser                         // the connections that are signed in as a user
	ShareOfApp                          // its connections
)

// ShareKey names what a node has a share of. Fields that a kind does not need are
// empty.
type ShareKey struct {
	Kind    ShareKind
	App     apps.ID
	Channel protocol.ChannelName // of channels and members
	UserID  string               // of members and users
}

// Share is one node's part of something that is the sum of all nodes' parts. It is
// absolute, not a difference: telling it twice does no harm, and only the last
// telling counts. Only the node whose share it is ever changes it. A share that is Zero
// is no share.
type Share struct {
	ShareKey

	Connections int // subscriptions of the channel; of the app: all connections
	Counted     int // of the app: connections that use up its quota

	Missed bool // of a cache channel: a subscriber has found it empty since it was filled

	Present bool   // of members and users
	Info    string // of members: user_info, raw JSON, "" for none
	Since   Stamp  // of members: when the user came; the info of the earliest share is everybody's
}

// Zero reports whether the share says that the node has no part.
func (s *Share) Zero() bool {
	return s.Connections == 0 && s.Counted == 0 && !s.Missed && !s.Present
}
