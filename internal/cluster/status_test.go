package cluster

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

func TestReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		n.network.Stop()
		x := n.start()
		pass(1500 * time.Millisecond)
		wantList(t, "before there is a link", x.node.Ready(),
			"cluster: not connected to memory (since 1s)", "cluster: waiting for the state of other nodes")
		n.network.Start()
		pass(100 * time.Millisecond)
		wantList(t, "while others may answer", x.node.Ready(), "cluster: waiting for the state of other nodes")
		pass(2 * time.Second)
		wantList(t, "then", x.node.Ready())
		x.engine.Cut()
		pass(2500 * time.Millisecond)
		wantList(t, "without a link", x.node.Ready(), "cluster: not connected to memory (since 2s)")
	})
}

func TestANodeThatHasLostMostOthersOnAMeshIsNotReady(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Mesh: true})
		nodes := n.startAll(3)
		n.network.Split([]*memory.Engine{nodes[0].engine})
		pass(10 * time.Second)
		want(t, "reasons of the one", fmt.Sprint(nodes[0].node.Ready()), "[cluster: most other nodes are not heard of (since 3s)]")
		want(t, "reasons of the two", len(nodes[1].node.Ready()), 0)
		n.network.Split()
		n.settle()
		want(t, "reasons when all are back", len(nodes[0].node.Ready()), 0)
		nodes[1].kill()
		nodes[2].kill()
		pass(10 * time.Second)
		want(t, "reasons of the one that is left", len(nodes[0].node.Ready()), 1)
		pass(maxMinority)
		want(t, "reasons of the one that has waited", len(nodes[0].node.Ready()), 0)
	})
}

func TestANodeIsReadyAsSoonAsItKnowsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Delay: 5 * time.Millisecond})
		n.startAll(2)
		x := n.start()
		eventually(t, 200*time.Millisecond, "it is ready", func() bool { return len(x.node.Ready()) == 0 })
	})
}

func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Delay: 3 * time.Millisecond})
		nodes := n.startAll(2)
		nodes[1].change(hub.ShareKey{Kind: hub.ShareOfApp, App: "1"}, func(s *hub.Share) { s.Connections = 7 })
		pass(3 * time.Second)
		s := nodes[0].node.Status()
		want(t, "nodes", len(s.Nodes), 2)
		self, other := s.Nodes[0], s.Nodes[1]
		want(t, "itself", self.ID, nodes[0].node.ID().String())
		want(t, "the way to the engine and back", self.LagMS, 3)
		want(t, "the other", other, NodeStatus{
			ID: nodes[1].node.ID().String(), Name: "n1", Version: "v1", Started: other.Started, Connections: 7, State: Alive,
		})
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		want(t, "link", string(fields["link"]), `"up"`)
		nodes[1].engine.Cut()
		pass(3 * time.Second)
		want(t, "its state", nodes[0].node.Status().Nodes[1].State, Suspect)
		want(t, "why", nodes[1].node.Status().Cause, "the link was cut")
	})
}

func TestMetricsAreRegisteredOnce(t *testing.T) {
	o := Options{Engine: memory.New(memory.Options{}).Engine(), Metrics: prometheus.NewRegistry()}
	if _, err := New(o); err != nil {
		t.Fatal(err)
	}
	if _, err := New(o); err == nil {
		t.Error("a second node has the same metrics")
	}
	if _, err := New(Options{}); err == nil {
		t.Error("there is a node without an engine")
	}
}

func TestHomesMoveNoMoreThanTheyMust(t *testing.T) {
	var all []hub.Edge
	for i := range 3000 {
		all = append(all, hub.Edge{App: "1", Channel: channelKey("room-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))).Channel})
	}
	three := viewOf([]broker.NodeID{11, 22, 33})
	four := viewOf([]broker.NodeID{44, 33, 22, 11})
	count := make(map[broker.NodeID]int)
	for _, e := range all {
		before, after := three.home(e.App, e.Channel), four.home(e.App, e.Channel)
		count[before]++
		if before != after && after != 44 {
			t.Errorf("%s moves from %d to %d", e.Channel, before, after)
		}
	}
	for id, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("node %d is home of %d of %d channels", id, n, len(all))
		}
	}
	if !slices.Equal(four.without(44).nodes, three.nodes) || four.without(44).digest != three.digest {
		t.Error("a view without a node is not the view of the others")
	}
	// Nodes of different releases have to agree.
	want(t, "the home of a channel", three.home("1", "my-channel"), 22)
	want(t, "the digest of a view", three.digest, 2006107134024905633)
}
