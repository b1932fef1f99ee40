package cluster

import (
	"cmp"
	"errors"
	"iter"
	"log/slog"
	"os"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Hub is what a [Node] asks of its hub. Its methods are called without any lock
// held that methods of [hub.Relay] or [hub.NoticeSink] take.
type Hub interface {
	// Share returns this node's share as of now, a zero one if it has none.
	Share(hub.ShareKey) hub.Share
	// Shares yields all shares of this node.
	Shares() iter.Seq[hub.Share]
	// Apply takes over another node's share.
	Apply(hub.Node, hub.Share)
	// Retain removes the shares of another node for which keep is false.
	Retain(n hub.Node, keep func(hub.ShareKey) bool)
	// Forget removes all shares of another node.
	Forget(hub.Node)

	// Deliver takes an event of another node, in the order in which that node relayed it.
	Deliver(t *hub.Turn, from hub.Node, r hub.Relayed)
	// Terminated ends the connections of a user on this node.
	Terminated(app apps.ID, userID string)
	// Fills yields the fresh contents of cache channels.
	Fills() iter.Seq[hub.Relayed]
	// Gap tells the subscribers of channels for which lost is true that events are missing.
	Gap(lost func(apps.ID, protocol.ChannelName) bool)

	// On reports whether an edge is on, all nodes taken together.
	On(hub.Edge) bool
	// AllOn yields the edges that are on.
	AllOn() iter.Seq[hub.Edge]
}

var _ Hub = (*hub.Hub)(nil)

// Webhooks is the way of notices out of the cluster.
type Webhooks interface {
	hub.NoticeSink
	// Wants reports whether anybody is told of a notice, or of its opposite.
	Wants(hub.Notice) bool
	// Tell tells a notice, without delay.
	Tell(hub.Notice)
	// Withdraw takes back falling edges that are held for the delay.
	Withdraw(moved func(hub.Edge) bool)
	// RestoreEdges takes what an earlier process has told to be on as going off now.
	RestoreEdges()
	// ForgetTold forgets that an edge was told to be on, for the next process.
	ForgetTold(hub.Edge)
	// ForgetAllTold does that for all edges of earlier processes.
	ForgetAllTold()
}

// Options are what a [Node] is made of. Zero values of those that are not required
// are defaults.
type Options struct {
	Engine   broker.Engine  // required
	Webhooks Webhooks       // nil: nobody is told of notices
	Registry *apps.Registry // nil: notices that a change of nodes causes know an app's id only

	GraceDelay time.Duration // how long Webhooks hold back that something has ended

	Name    string // for people; "": the host's name
	Version string // of this release

	Lease        time.Duration // how long a node counts as alive that is not heard of; 0: 6 s
	ReplayEvents int           // events that are kept for nodes that have missed them; 0: 65,536
	ReplayBytes  int           // memory of those, and of events that wait for the engine; 0: 16 MiB
	ReplayAge    time.Duration // how long they are kept; 0: 60 s
	GapNotice    bool          // tell subscribers where events were lost

	Log     *slog.Logger // nil: none
	Metrics Registerer   // nil: not registered
}

func (o Options) withDefaults() (Options, error) {
	if o.Engine == nil {
		return o, errors.New("cluster: no engine")
	}
	o.Lease = cmp.Or(o.Lease, 6*time.Second)
	o.ReplayEvents = cmp.Or(o.ReplayEvents, 65_536)
	o.ReplayBytes = cmp.Or(o.ReplayBytes, 16<<20)
	o.ReplayAge = cmp.Or(o.ReplayAge, time.Minute)
	if o.Name == "" {
		o.Name, _ = os.Hostname() // only people read it
	}
	if o.Webhooks == nil {
		o.Webhooks = noWebhooks{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// Times and limits that no installation has had a reason to change.
const (
	beatsPerLease = 6 // five in a row may be lost

	doTimeout     = 2 * time.Second        // of a batch that the engine is given
	awaitTimeout  = time.Second            // of a whole Await
	ackTimeout    = 800 * time.Millisecond // then a node that does not answer is suspect
	parkTimeout   = time.Second            // of an event that waits for another message
	maxRecoveries = 3                      // questions for what was missed, before it is given up

	answerWithin = 2 * time.Second // the next part of an answer, else it is given up

	batchItems = 512 // commands of one batch
	batchBytes = 256 << 10
	partBytes  = 32 << 10 // of a snapshot or an answer

	maxPeers       = 1024
	maxControls    = 4096
	maxParkedBytes = 16 << 20
	maxInboxBytes  = 16 << 20
)

// noWebhooks is told nothing.
type noWebhooks struct{ hub.DiscardNotices }

func (noWebhooks) Wants(hub.Notice) bool        { return false }
func (noWebhooks) Tell(hub.Notice)              {}
func (noWebhooks) Withdraw(func(hub.Edge) bool) {}
func (noWebhooks) RestoreEdges()                {}
func (noWebhooks) ForgetTold(hub.Edge)          {}
func (noWebhooks) ForgetAllTold()               {}
