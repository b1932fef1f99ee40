package brokertest

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// node is an engine with a receiver that keeps everything.
type node struct {
	t      *testing.T
	engine broker.Engine
	stop   func() // ends Run and waits for it

	mu       sync.Mutex
	busy     bool // a method of the receiver runs
	messages [][]byte
	unrested int             // messages since the engine has rested
	probes   map[string]bool // that have come
	up       bool
	ups      int
	downs    int
	faults   []string // what a receiver must not see
}

// probe begins messages that only find out whether a subscription of another node
// has spread over a mesh; they are kept apart.
const probe = "\x00probe "

// probed numbers the questions: the last answers to one come after it is settled, and
// must not be taken for answers to the next.
var probed atomic.Int64

// enter begins a call of the receiver: one at a time.
func (n *node) enter() func() {
	n.mu.Lock()
	if n.busy {
		n.faults = append(n.faults, "two calls of the receiver at once")
	}
	n.busy = true
	n.mu.Unlock()
	return func() {
		n.mu.Lock()
		n.busy = false
		n.mu.Unlock()
	}
}

// Receive implements broker.Receiver.
func (n *node) Receive(message []byte) {
	defer n.enter()()
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.up {
		n.faults = append(n.faults, "a message while the link is down")
	}
	n.unrested++
	if bytes.HasPrefix(message, []byte(probe)) {
		n.probes[string(message)] = true
		return
	}
	n.messages = append(n.messages, message)
}

// Rest implements broker.Rester.
func (n *node) Rest() {
	defer n.enter()()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unrested = 0
}

func (n *node) rested() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.unrested == 0
}

// Up implements broker.Receiver.
func (n *node) Up() {
	defer n.enter()()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.up {
		n.faults = append(n.faults, "Up without Down before it")
	}
	n.up = true
	n.ups++
}

// Down implements broker.Receiver.
func (n *node) Down(reason error) {
	defer n.enter()()
	n.mu.Lock()
	defer n.mu.Unlock()
	if reason == nil {
		n.faults = append(n.faults, "Down without a reason")
	}
	n.up = false
	n.downs++
}

// run starts an engine and ends it with the test.
func run(t *testing.T, s Setup) *node {
	t.Helper()
	n := &node{t: t, engine: s.New(t), probes: make(map[string]bool)}
	n.stop = Run(t, n.engine, n)
	t.Cleanup(func() {
		n.stop()
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, fault := range n.faults {
			t.Errorf("the receiver saw %s", fault)
		}
	})
	return n
}

// start returns nodes that are up and know of one another.
func start(t *testing.T, s Setup, count int) []*node {
	t.Helper()
	nodes := make([]*node, count)
	for i := range nodes {
		nodes[i] = run(t, s)
	}
	for _, n := range nodes {
		n.awaitUp(1)
	}
	for _, n := range nodes {
		if !n.engine.Mesh() {
			continue
		}
		n.do(subscribe(all()))
		for _, from := range nodes {
			n.spread(from, all())
		}
		n.do(unsubscribe(all()))
	}
	return nodes
}

// awaitUp waits for the count-th time that the link is up.
func (n *node) awaitUp(count int) {
	n.t.Helper()
	testkit.WaitFor(n.t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.up && n.ups >= count
	}, "the link to go up")
}

func (n *node) awaitDown(count int) {
	n.t.Helper()
	testkit.WaitFor(n.t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.downs >= count
	}, "the link to go down")
}

// do has the engine do commands, which must succeed.
func (n *node) do(list ...[]broker.Command) {
	n.t.Helper()
	if err := n.engine.Do(within(n.t, limit), slices.Concat(list...)); err != nil {
		n.t.Fatalf("Do: %v", err)
	}
}

func (n *node) fence() {
	n.t.Helper()
	if err := n.engine.Fence(within(n.t, limit)); err != nil {
		n.t.Fatalf("Fence: %v", err)
	}
}

// subscribe subscribes, and on a mesh waits until the senders' servers know.
func (n *node) subscribe(senders []*node, subjects ...broker.Subject) {
	n.t.Helper()
	n.do(subscribe(subjects...))
	if !n.engine.Mesh() {
		return
	}
	for _, from := range senders {
		for _, s := range subjects {
			n.spread(from, s)
		}
	}
}

// spread waits until a message of another node arrives.
func (n *node) spread(from *node, s broker.Subject) {
	n.t.Helper()
	mark := fmt.Appendf(nil, "%s%d", probe, probed.Add(1))
	testkit.WaitFor(n.t, func() bool {
		from.do([]broker.Command{{Op: broker.Publish, Subject: s, Message: mark}})
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.probes[string(mark)]
	}, "a subscription to spread")
}

// received returns what has come, without probes.
func (n *node) received() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	texts := []string{}
	for _, m := range n.messages {
		texts = append(texts, string(m))
	}
	return texts
}

// await waits until exactly these messages have come, in this order.
func (n *node) await(want ...string) {
	n.t.Helper()
	testkit.WaitFor(n.t, func() bool { return len(n.received()) >= len(want) }, fmt.Sprintf("%d messages", len(want)))
	if got := n.received(); !slices.Equal(got, want) {
		n.t.Errorf("received %.300q, want %.300q", got, want)
	}
}

// settled returns what has come once everything that was published before has: a
// last message of each sender to this node alone closes what went before it on
// lane 0, and the fence what went on other lanes.
func (n *node) settled(senders ...*node) []string {
	n.t.Helper()
	const id = broker.NodeID(0xF1A6)
	n.subscribe(senders, nodeSubject(id))
	for i, from := range senders {
		last := fmt.Sprintf("last of sender %d", i)
		from.do(publish(nodeSubject(id), last))
		testkit.WaitFor(n.t, func() bool { return slices.Contains(n.received(), last) }, last)
	}
	n.fence()
	testkit.WaitFor(n.t, n.rested, "the engine to rest")
	n.do(unsubscribe(nodeSubject(id)))
	return slices.DeleteFunc(n.received(), func(m string) bool {
		return len(m) > 15 && m[:15] == "last of sender "
	})
}
