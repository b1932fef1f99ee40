package memory

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// Options are what a network is like. Zero values work.
type Options struct {
	Lanes int  // 0: 1
	Mesh  bool // every engine has a server of its own

	Delay     time.Duration   // of a message on its way, and of the answer to Do
	MeshDelay time.Duration   // between two servers of a mesh, for messages and for interest
	LaneDelay []time.Duration // by lane, more than Delay
}

// Network is what engines are connected to. All methods may be called
// concurrently.
type Network struct {
	lanes int
	mesh  bool

	mu        sync.Mutex
	delay     time.Duration
	meshDelay time.Duration
	laneDelay []time.Duration
	stopped   bool
	engines   []*Engine
	tamper    func(to *Engine, message []byte) [][]byte
	sent      uint64 // messages that engines were given to publish
	bytes     uint64 // of those
}

// New returns a network that works.
func New(o Options) *Network {
	return &Network{
		lanes: max(o.Lanes, 1), mesh: o.Mesh,
		delay: o.Delay, meshDelay: o.MeshDelay, laneDelay: slices.Clone(o.LaneDelay),
	}
}

// Engine returns another way to the network.
func (n *Network) Engine() *Engine {
	e := &Engine{
		network: n,
		lanes:   make([]lane, n.lanes),
		subs:    make(map[broker.Subject]time.Time),
		wake:    make(chan struct{}, 1),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.engines = append(n.engines, e)
	return e
}

// Faults of links, as engines report them.
var (
	errCut     = errors.New("the link was cut")
	errStopped = errors.New("the server has stopped")
	errDown    = errors.New("the link is down")
)

// Stop ends the server, or all servers of a mesh: links go down, and what is
// subscribed or on its way is lost. Start makes it run again.
func (n *Network) Stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = true
	for _, e := range n.engines {
		e.dropLocked(errStopped)
	}
}

// Start is the opposite of Stop.
func (n *Network) Start() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stopped = false
	for _, e := range n.engines {
		e.signal()
	}
}

// SetDelay changes [Options.Delay], for what is published from now on.
func (n *Network) SetDelay(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = d
}

// Split cuts the connections between the servers of a mesh: engines in different
// groups lose what they send each other. Those that are not named are a group of
// their own. Split without groups joins all of them again.
func (n *Network) Split(groups ...[]*Engine) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	for _, e := range n.engines {
		group := 1 + slices.IndexFunc(groups, func(g []*Engine) bool { return slices.Contains(g, e) })
		if group != e.group {
			e.group, e.joined = group, now
		}
	}
	for _, e := range n.engines {
		for i := range e.lanes {
			e.lanes[i].waiting = slices.DeleteFunc(e.lanes[i].waiting, func(d delivery) bool { return d.from.group != e.group })
		}
	}
}

// Published returns how many messages engines were given to publish so far, and
// their bytes.
func (n *Network) Published() (messages, bytes uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.sent, n.bytes
}

func (n *Network) publishLocked(from *Engine, s broker.Subject, message []byte) {
	n.sent++
	n.bytes += uint64(len(message))
	now := time.Now()
	lane := from.Lane(s)
	for _, to := range n.engines {
		since, subscribed := to.subs[s]
		if !subscribed || !to.up || to.deaf || to.group != from.group {
			continue
		}
		delay := n.delay
		if lane < len(n.laneDelay) {
			delay += n.laneDelay[lane]
		}
		if n.mesh && to != from {
			if known := latest(since, to.joined, from.joined).Add(n.meshDelay); now.Before(known) {
				continue
			}
			delay += n.meshDelay
		}
		for _, m := range n.throughLocked(to, message) {
			to.enqueueLocked(lane, delivery{from: from, due: now.Add(delay), message: m})
		}
	}
}

// Tamper has every message replaced by what f returns for it and the engine that it is on
// its way to: nothing if it is lost, several if it is repeated. f must not call the network. nil
// ends that.
func (n *Network) Tamper(f func(to *Engine, message []byte) [][]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tamper = f
}

// throughLocked returns copies of what gets through.
func (n *Network) throughLocked(to *Engine, message []byte) [][]byte {
	if n.tamper == nil {
		return [][]byte{slices.Clone(message)}
	}
	var through [][]byte
	for _, m := range n.tamper(to, message) {
		through = append(through, slices.Clone(m))
	}
	return through
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }
