//go:build !noembedded

package embedded

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// node is a running engine whose receiver keeps what comes.
type node struct {
	*Engine
	t    testing.TB
	addr string
	up   chan struct{}
	down chan error
	got  chan string
	stop func()

	// called for every message, before it is kept, if set before run
	receive func(string)
}

func (n *node) Receive(m []byte) {
	if n.receive != nil {
		n.receive(string(m))
		return
	}
	n.got <- string(m)
}

func (n *node) Up()               { n.up <- struct{}{} }
func (n *node) Down(reason error) { n.down <- reason }

func newNode(t testing.TB, o Options) *node {
	t.Helper()
	if o.Listen == "" {
		o.Listen = engines.AddressFor(t)
	}
	if o.Prefix == "" {
		o.Prefix = "test"
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &node{
		Engine: e, t: t, addr: o.Listen,
		up: make(chan struct{}, 1000), down: make(chan error, 1000), got: make(chan string, 1<<20),
	}
}

// run runs the engine until stop or the end of the test.
func (n *node) run() *node {
	n.t.Helper()
	n.stop = brokertest.Run(n.t, n, n)
	return n
}

// start runs an engine and waits until it is up.
func start(t testing.TB, o Options) *node {
	t.Helper()
	n := newNode(t, o).run()
	await(t, n.up, "the link to go up")
	return n
}

func await[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func (n *node) do(commands ...broker.Command) {
	n.t.Helper()
	if err := n.try(commands...); err != nil {
		n.t.Fatalf("Do: %v", err)
	}
}

func (n *node) try(commands ...broker.Command) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return n.Do(ctx, commands)
}

// talk checks that what any node publishes reaches every node. Links may go down for
// a moment meanwhile, as they do when two nodes have dialled each other at once.
func talk(t testing.TB, nodes ...*node) {
	t.Helper()
	s := room(fmt.Sprint("talk-", rand.Uint64()))
	for i, from := range nodes {
		for j, to := range nodes {
			mark := fmt.Sprintf("from %d to %d", i, j)
			testkit.WaitFor(t, func() bool {
				return to.try(sub(s)) == nil && from.try(pub(s, mark)) == nil && to.has(mark)
			}, mark)
		}
	}
	for _, n := range nodes {
		_ = n.try(broker.Command{Op: broker.Unsubscribe, Subject: s}) // if the link is down it is not subscribed
	}
}

// has reports whether a message is among those that wait, and drops those before it.
func (n *node) has(message string) bool {
	for {
		select {
		case got := <-n.got:
			if got == message {
				return true
			}
		default:
			return false
		}
	}
}

// meets waits until a node has exactly so many others.
func (n *node) meets(others int) {
	n.t.Helper()
	testkit.WaitFor(n.t, func() bool { return len(n.Describe().Servers) == others }, fmt.Sprintf("%d other nodes", others))
}

func room(name string) broker.Subject { return brokertest.Room(name) }

func sub(s broker.Subject) broker.Command { return broker.Command{Op: broker.Subscribe, Subject: s} }

func pub(s broker.Subject, text string) broker.Command {
	return broker.Command{Op: broker.Publish, Subject: s, Message: []byte(text)}
}

// lookupOf finds one address for every name.
func lookupOf(ip string) func(context.Context, string) ([]string, error) {
	return func(context.Context, string) ([]string, error) { return []string{ip}, nil }
}
