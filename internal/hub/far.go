package hub

import (
	"math"
	"slices"
)

// far is what other nodes have of a channel, and what of them waits for it. A
// channel that they have nothing of has none.
type far struct {
	shares        []farShare // in no particular order
	subscriptions int        // of all shares
	missed        int        // how many shares say so
	filled        Stamp      // of the cached event; zero if there has been none
	waiting       *waiting   // events that found the channel full; nil for none
}

// farShare is what one node has of a channel.
type farShare struct {
	subscriptions int32
	node          Node
	missed        bool
}

// maxShare is the most that a node is believed to have of anything.
const maxShare = math.MaxInt32

// atMost returns a number that another node has told, made sense of.
func atMost(n int) int { return max(0, min(n, maxShare)) }

// set takes over what a node says that it has.
func (f *far) set(s farShare) {
	i := slices.IndexFunc(f.shares, func(old farShare) bool { return old.node == s.node })
	if i < 0 {
		f.shares = append(f.shares, farShare{node: s.node})
		i = len(f.shares) - 1
	}
	old := &f.shares[i]
	f.subscriptions += int(s.subscriptions - old.subscriptions)
	f.missed += one(s.missed) - one(old.missed)
	*old = s
	if s.subscriptions == 0 && !s.missed {
		f.shares = slices.Delete(f.shares, i, i+1)
	}
}

func (f *far) empty() bool {
	return len(f.shares) == 0 && f.waiting == nil && f.filled == Stamp{}
}

func (f *far) has(n Node) bool {
	return slices.ContainsFunc(f.shares, func(s farShare) bool { return s.node == n })
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// farLocked returns what other nodes have of the channel, to be changed.
func (c *channel) farLocked() *far {
	if c.far == nil {
		c.far = &far{}
	}
	return c.far
}

// hereLocked returns how many subscriptions this node has, those included that
// are being made.
func (c *channel) hereLocked() int { return c.roster.n + int(c.joining) }

// subscriptionsLocked returns how many subscriptions all nodes have.
func (c *channel) subscriptionsLocked() int {
	n := c.hereLocked()
	if c.far != nil {
		n += c.far.subscriptions
	}
	return n
}

// occupiedLocked reports whether somebody is on the channel, on any node. Members count
// by themselves: what a node says of them and of its subscriptions may come in either
// order.
func (c *channel) occupiedLocked() bool {
	return c.subscriptionsLocked() > 0 || c.members.count() > 0
}

// missedLocked reports whether webhooks have been told that the cache is empty.
func (c *channel) missedLocked() bool {
	return c.missRaised || c.far != nil && c.far.missed > 0
}

// vacatedLocked tells webhooks that nobody is on the channel any more.
func (c *channel) vacatedLocked() {
	if c.missRaised {
		c.missRaised = false
		c.changedLocked()
	}
	c.emitLocked(Notice{Name: ChannelVacated})
}

// changedLocked tells other nodes of this node's share of the channel.
func (c *channel) changedLocked() {
	if r := c.tenant.hub.relay; r != nil {
		r.Changed(ShareKey{Kind: ShareOfChannel, App: c.tenant.id, Channel: c.name})
	}
}

// memberChangedLocked tells other nodes of this node's share of a member.
func (c *channel) memberChangedLocked(userID string) {
	if r := c.tenant.hub.relay; r != nil {
		r.Changed(ShareKey{Kind: ShareOfMember, App: c.tenant.id, Channel: c.name, UserID: userID})
	}
}

// interestLocked tells the relay that this node has begun or ceased to have
// subscribers.
func (c *channel) interestLocked(on bool) {
	if r := c.tenant.hub.relay; r != nil {
		r.Interest(c.tenant.id, c.name, on)
	}
}
