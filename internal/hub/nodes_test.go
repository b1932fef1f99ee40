package hub

import (
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// nodes are hubs joined by an engine of the test: what a node hands over waits in
// the order of the calls, is then put into the inboxes of the others at one moment,
// and is taken from there in order. Both waits are random. In a synctest bubble
// only.
type nodes struct {
	t     testing.TB
	all   []*node
	delay time.Duration // the longest wait

	mu       sync.Mutex
	rand     *rand.Rand
	interest map[interest]bool

	stop    chan struct{}
	running sync.WaitGroup
}

type interest struct {
	node    *node
	channel protocol.ChannelName
}

// node is one of the hubs. It is the Relay of its hub.
type node struct {
	*fixture
	nodes *nodes
	n     Node

	mu    sync.Mutex
	out   []item
	dirty map[ShareKey]bool
	in    []item
	wake  chan struct{} // capacity 1
	heard chan struct{} // capacity 1: something is in the inbox

	// owned by receive
	snapshots map[Node]map[ShareKey]bool // of nodes that are announcing themselves: what they have said
	missing   map[Node]bool              // nodes whose shares are lost
}

// item is something on its way; one of the fields from barrier on is set.
type item struct {
	from Node

	barrier   chan struct{}
	share     *Share
	dirty     *ShareKey
	event     *Relayed
	interest  *interest
	on        bool
	terminate string
	forget    bool
	miss      bool
	announce  *node // out: all shares, to this node
	begin     bool
	end       bool
}

var (
	_ Relay    = (*node)(nil)
	_ Resyncer = (*node)(nil)
)

// newNodes starts n hubs.
func newNodes(t testing.TB, n int, delay time.Duration, seed uint64, change func(*apps.App)) *nodes {
	t.Helper()
	all := &nodes{
		t: t, delay: delay, rand: rand.New(rand.NewPCG(seed, 1)),
		interest: make(map[interest]bool), stop: make(chan struct{}),
	}
	for i := range n {
		x := &node{
			nodes: all, n: Node(i),
			dirty: make(map[ShareKey]bool), wake: make(chan struct{}, 1), heard: make(chan struct{}, 1),
			snapshots: make(map[Node]map[ShareKey]bool), missing: make(map[Node]bool),
		}
		x.fixture = newRelayedFixture(t, change, x)
		all.all = append(all.all, x)
	}
	for _, x := range all.all {
		all.running.Go(func() { x.run(x.wake, x.send) })
		all.running.Go(func() { x.run(x.heard, x.receive) })
	}
	t.Cleanup(func() { close(all.stop); all.running.Wait() })
	return all
}

func (x *node) run(wake <-chan struct{}, work func()) {
	for {
		select {
		case <-x.nodes.stop:
			return
		case <-wake:
			work()
		}
	}
}

// some returns a random number from 1 to n, after a random time.
func (all *nodes) some(n int) int {
	if all.delay == 0 {
		return n
	}
	all.mu.Lock()
	wait, k := time.Duration(all.rand.Int64N(int64(all.delay))), 1+all.rand.IntN(n)
	all.mu.Unlock()
	time.Sleep(wait)
	return k
}

func (x *node) put(list *[]item, wake chan struct{}, it item) {
	x.mu.Lock()
	*list = append(*list, it)
	x.mu.Unlock()
	select {
	case wake <- struct{}{}:
	default:
	}
}

func (x *node) hand(it item) {
	it.from = x.n
	x.put(&x.out, x.wake, it)
}

func (x *node) get(from *node, it item) {
	it.from = from.n
	x.put(&x.in, x.heard, it)
}

// take takes up to n items.
func (x *node) take(list *[]item, n int) []item {
	x.mu.Lock()
	defer x.mu.Unlock()
	n = min(n, len(*list))
	taken := slices.Clone((*list)[:n])
	*list = slices.Delete(*list, 0, n)
	for _, it := range taken {
		if it.dirty != nil {
			delete(x.dirty, *it.dirty)
		}
	}
	return taken
}

func (x *node) pending(list *[]item) int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(*list)
}

func (x *node) send() {
	for x.pending(&x.out) > 0 {
		for _, it := range x.take(&x.out, x.nodes.some(4)) {
			x.sendOne(it)
		}
	}
}

func (x *node) sendOne(it item) {
	switch {
	case it.barrier != nil:
		close(it.barrier)
	case it.interest != nil:
		x.nodes.mu.Lock()
		x.nodes.interest[*it.interest] = it.on
		x.nodes.mu.Unlock()
	case it.dirty != nil:
		s := x.hub.Share(*it.dirty)
		x.toOthers(item{share: &s}, func(*node) bool { return true })
	case it.event != nil:
		x.toOthers(it, func(other *node) bool {
			x.nodes.mu.Lock()
			defer x.nodes.mu.Unlock()
			return it.event.Fill != nil || x.nodes.interest[interest{other, it.event.Channel}]
		})
	case it.announce != nil:
		it.announce.get(x, item{begin: true})
		for s := range x.hub.Shares() {
			it.announce.get(x, item{share: &s})
		}
		it.announce.get(x, item{end: true})
	default:
		x.toOthers(it, func(*node) bool { return true })
	}
}

func (x *node) toOthers(it item, wants func(*node) bool) {
	for _, other := range x.nodes.all {
		if other != x && wants(other) {
			other.get(x, it)
		}
	}
}

func (x *node) receive() {
	var turn Turn
	for x.pending(&x.in) > 0 {
		for _, it := range x.take(&x.in, x.nodes.some(6)) {
			if it.barrier != nil {
				turn.End()
			}
			x.receiveOne(&turn, it)
		}
		turn.End()
	}
}

func (x *node) receiveOne(turn *Turn, it item) {
	switch {
	case it.barrier != nil:
		close(it.barrier)
	case it.share != nil:
		if x.missing[it.from] {
			return
		}
		x.hub.Apply(it.from, *it.share)
		if said := x.snapshots[it.from]; said != nil {
			said[it.share.ShareKey] = true
		}
	case it.event != nil:
		x.hub.Deliver(turn, it.from, *it.event)
	case it.forget:
		x.hub.Forget(it.from)
	case it.miss:
		x.missing[it.from] = true
	case it.begin:
		delete(x.missing, it.from)
		x.snapshots[it.from] = make(map[ShareKey]bool)
	case it.end:
		said := x.snapshots[it.from]
		delete(x.snapshots, it.from)
		x.hub.Retain(it.from, func(k ShareKey) bool { return said[k] })
	default:
		x.hub.Terminated(x.app.ID, it.terminate)
	}
}

// Publish implements Relay.
func (x *node) Publish(r Relayed) { x.hand(item{event: &r}) }

// Interest implements Relay.
func (x *node) Interest(_ apps.ID, channel protocol.ChannelName, on bool) {
	x.hand(item{interest: &interest{x, channel}, on: on})
}

// Changed implements Relay.
func (x *node) Changed(k ShareKey) {
	x.mu.Lock()
	queued := x.dirty[k]
	x.dirty[k] = true
	x.mu.Unlock()
	if !queued {
		x.hand(item{dirty: &k})
	}
}

// Terminate implements Relay.
func (x *node) Terminate(_ apps.ID, userID string) { x.hand(item{terminate: userID}) }

// Await implements Relay.
func (x *node) Await(b Barrier) {
	if b&Told != 0 {
		told := make(chan struct{})
		x.hand(item{barrier: told})
		<-told
	}
	if b&Heard != 0 {
		heard := make(chan struct{})
		x.get(x, item{barrier: heard})
		<-heard
	}
}

// Resync implements Resyncer.
func (x *node) Resync() {
	for _, other := range x.nodes.all {
		if other != x {
			other.hand(item{announce: x})
		}
	}
}

// forget makes x forget another node, and has that announce itself anew.
func (x *node) forget(other *node) {
	x.get(other, item{forget: true})
	other.hand(item{announce: x})
}

// miss makes x lose what another node tells of its shares, until that announces itself
// anew some time later.
func (x *node) miss(other *node) {
	x.get(other, item{miss: true})
	time.Sleep(3 * x.nodes.delay)
	other.hand(item{announce: x})
}

// settle waits until nothing is on its way.
func (all *nodes) settle() {
	for idle := 0; idle < 3; {
		time.Sleep(all.delay + time.Millisecond)
		idle++
		for _, x := range all.all {
			if x.pending(&x.out)+x.pending(&x.in) > 0 {
				idle = 0
			}
		}
	}
}

// online returns the ids that are signed in as x sees it, sorted.
func (x *node) online() []string {
	t := x.hub.tenant(x.app)
	t.usersMu.Lock()
	defer t.usersMu.Unlock()
	ids := make(map[string]bool)
	for id, u := range t.users {
		if u.online() {
			ids[id] = true
		}
	}
	for id := range t.farUsers {
		ids[id] = true
	}
	return slices.Sorted(maps.Keys(ids))
}
