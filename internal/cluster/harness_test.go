package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// nest is a cluster in one bubble.
type nest struct {
	t       *testing.T
	network *memory.Network
	log     *webhookLog
	delay   time.Duration // of webhooks
	change  func(*Options)
	nodes   []*testNode
}

// testNode is one node of it.
type testNode struct {
	*fakeHub

	t        *testing.T
	node     *Node
	engine   *memory.Engine
	webhooks *fakeWebhooks
	registry *prometheus.Registry
	cancel   context.CancelFunc
	ended    chan struct{}
}

func newNest(t *testing.T, o memory.Options) *nest {
	return &nest{t: t, network: memory.New(o), log: newWebhookLog()}
}

// start starts a node, which is stopped at the end of the bubble at the latest.
func (n *nest) start() *testNode {
	n.t.Helper()
	x := &testNode{
		t: n.t, engine: n.network.Engine(), registry: prometheus.NewRegistry(), ended: make(chan struct{}),
		webhooks: &fakeWebhooks{delay: n.delay, log: n.log, held: make(map[hub.Edge]*time.Timer)},
	}
	o := Options{
		Engine: x.engine, Webhooks: x.webhooks, Name: fmt.Sprintf("n%d", len(n.nodes)), Version: "v1",
		Metrics: x.registry, GapNotice: true, GraceDelay: n.delay,
	}
	if n.change != nil {
		n.change(&o)
	}
	node, err := New(o)
	if err != nil {
		n.t.Fatal(err)
	}
	x.node, x.webhooks.node = node, node
	x.fakeHub = newFakeHub(node, node)
	node.Attach(x.fakeHub)
	ctx, cancel := context.WithCancel(n.t.Context())
	x.cancel = cancel
	go func() {
		defer close(x.ended)
		if err := node.Run(ctx); err != nil {
			n.t.Errorf("run: %v", err)
		}
	}()
	n.t.Cleanup(x.stop)
	n.nodes = append(n.nodes, x)
	return x
}

// startAll starts several nodes and waits until each is home of its channels.
func (n *nest) startAll(count int) []*testNode {
	n.t.Helper()
	for range count {
		n.start()
	}
	n.settle()
	return n.nodes
}

// settle waits until all nodes that run agree.
func (n *nest) settle() {
	n.t.Helper()
	eventually(n.t, 30*time.Second, "all nodes agree on who is alive", func() bool {
		for _, x := range n.nodes {
			if s := x.node.Status(); x.runs() && (!s.Settled || len(s.Nodes) != n.running()) {
				return false
			}
		}
		return true
	})
}

func (n *nest) running() int {
	count := 0
	for _, x := range n.nodes {
		if x.runs() {
			count++
		}
	}
	return count
}

// stop ends a node as a process ends that is told to: its connections are gone
// first.
func (x *testNode) stop() {
	x.cancel()
	<-x.ended
	x.webhooks.Withdraw(func(hub.Edge) bool { return true }) // the process is gone
}

// kill ends a node without a word to anybody.
func (x *testNode) kill() {
	x.webhooks.dead.Store(true)
	x.engine.Cut()
	synctest.Wait()
	x.stop()
}

func (x *testNode) runs() bool {
	select {
	case <-x.ended:
		return false
	default:
		return true
	}
}

// counter returns the sum of a metric over its labels that are given as "value".
func (x *testNode) counter(name string, labels ...string) float64 {
	families, err := x.registry.Gather()
	if err != nil {
		x.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != "pipesocketd_cluster_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if has(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func has(m *dto.Metric, labels []string) bool {
	for _, want := range labels {
		if !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == want }) {
			return false
		}
	}
	return true
}

// eventually lets time pass until the condition holds, in a bubble.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); ; {
		synctest.Wait()
		if holds() {
			return
		}
		if time.Since(start) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		pass(10 * time.Millisecond)
	}
}

// pass lets time pass, in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantList(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
