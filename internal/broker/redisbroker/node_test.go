package redisbroker

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// node is an engine that runs, with a receiver that keeps what comes.
type node struct {
	*Engine
	t    *testing.T
	hold sync.Mutex // held by a test: Receive waits

	mu      sync.Mutex
	got     []string
	ups     int
	reasons []error // of Down
}

func (n *node) Receive(m []byte) {
	n.hold.Lock()
	defer n.hold.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, string(m))
}

func (n *node) Up() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ups++
}

func (n *node) Down(reason error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reasons = append(n.reasons, reason)
}

// run starts an engine and ends it with the test.
func run(t *testing.T, o Options) *node {
	t.Helper()
	n := &node{Engine: engine(t, o), t: t}
	brokertest.Run(t, n, n)
	return n
}

// start is run, and waits for the link.
func start(t *testing.T, o Options) *node {
	t.Helper()
	n := run(t, o)
	n.awaitUp(1)
	return n
}

func (n *node) awaitUp(count int) {
	n.t.Helper()
	testkit.WaitFor(n.t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.ups >= count
	}, "the link to go up")
}

// awaitDown returns the reason why the link went down the count-th time.
func (n *node) awaitDown(count int) (reason string) {
	n.t.Helper()
	testkit.WaitFor(n.t, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(n.reasons) < count {
			return false
		}
		reason = n.reasons[count-1].Error()
		return true
	}, "the link to go down")
	return reason
}

func (n *node) downs() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.reasons)
}

func (n *node) do(op broker.Op, s broker.Subject, message string) error {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 10*time.Second)
	defer cancel()
	return n.Do(ctx, []broker.Command{{Op: op, Subject: s, Message: []byte(message)}})
}

// works checks that subscribing and publishing work. The link may go down and up
// before they do.
func (n *node) works(s broker.Subject, message string) {
	n.t.Helper()
	testkit.WaitFor(n.t, func() bool {
		if n.do(broker.Subscribe, s, "") != nil || n.do(broker.Publish, s, message) != nil || n.Fence(n.t.Context()) != nil {
			return false
		}
		n.mu.Lock()
		defer n.mu.Unlock()
		return slices.Contains(n.got, message)
	}, "a message to arrive")
}

func room(name string) broker.Subject { return brokertest.Room(name) }
