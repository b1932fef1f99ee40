package cluster

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

func networks() map[string]memory.Options {
	return map[string]memory.Options{
		"one server":           {Delay: 3 * time.Millisecond},
		"one server, 7 lanes":  {Delay: 3 * time.Millisecond, Lanes: 7, LaneDelay: []time.Duration{0, time.Millisecond, 0, 5 * time.Millisecond}},
		"a mesh":               {Mesh: true, Delay: time.Millisecond, MeshDelay: 7 * time.Millisecond},
		"a mesh without delay": {Mesh: true},
	}
}

func TestAPublishRightAfterASubscriptionArrives(t *testing.T) {
	for name, o := range networks() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNest(t, o).startAll(3)
				for i := range 20 {
					channel := fmt.Sprint("c", i)
					nodes[i%3].join(channel)
					nodes[i%3].node.Await(hub.Told | hub.Heard)
					nodes[(i+1)%3].publish(channel, "first")
					nodes[(i+2)%3].publish(channel, "second")
				}
				pass(time.Second)
				for i, x := range nodes {
					if got, all := len(x.took()), 2*((20-i+2)/3); got != all {
						t.Errorf("node %d: got %d events, want %d", i, got, all)
					}
				}
				want(t, "awaits that failed", nodes[0].counter("await_timeouts_total"), 0)
			})
		})
	}
}

func TestWhatIsToldIsHeard(t *testing.T) {
	for name, o := range networks() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNest(t, o).startAll(3)
				for i := range 20 {
					user := fmt.Sprint("u", i)
					nodes[i%3].enter("presence-x", user)
					nodes[i%3].node.Await(hub.Told)
					nodes[(i+1)%3].node.Await(hub.Heard)
					edge := hub.Edge{App: "1", Channel: "presence-x", UserID: user, Member: true}
					want(t, user+" is known", nodes[(i+1)%3].On(edge), true)
				}
			})
		})
	}
}

func TestTwoWhoCountThemselvesSeeEachOther(t *testing.T) {
	for name, o := range networks() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				nodes := newNest(t, o).startAll(2)
				for i := range 20 {
					channel := fmt.Sprint("c", i)
					var sees [2]string
					var both sync.WaitGroup
					for j, x := range nodes {
						both.Go(func() {
							x.join(channel)
							x.node.Await(hub.Told | hub.Heard)
							sees[j] = x.sees()
						})
					}
					both.Wait()
					one, other := fmt.Sprintf("%s/=1", channel), fmt.Sprintf("%s/=2", channel)
					if sees[0] == one && sees[1] == one {
						t.Fatalf("neither has seen the other: %q", sees)
					}
					if sees[0] != other && sees[1] != other {
						t.Fatalf("got %q", sees)
					}
					for _, x := range nodes {
						x.leave(channel)
						x.node.Await(hub.Told | hub.Heard)
					}
					pass(100 * time.Millisecond)
				}
			})
		})
	}
}

func TestAwait(t *testing.T) {
	took := func(x *testNode, b hub.Barrier) time.Duration {
		start := time.Now()
		x.node.Await(b)
		return time.Since(start)
	}
	within := func(t *testing.T, what string, d, least, most time.Duration) {
		t.Helper()
		if d < least || d > most {
			t.Errorf("%s: took %v, want %v to %v", what, d, least, most)
		}
	}
	for _, c := range []struct {
		name    string
		network memory.Options
		run     func(t *testing.T, n *nest, nodes []*testNode)
	}{
		{"costs nothing when there is nothing to tell", memory.Options{Delay: time.Millisecond}, func(t *testing.T, _ *nest, nodes []*testNode) {
			within(t, "told", took(nodes[0], hub.Told), 0, 0)
		}},
		{"costs nothing on a mesh when there is nothing to tell", memory.Options{Mesh: true, MeshDelay: time.Millisecond}, func(t *testing.T, _ *nest, nodes []*testNode) {
			nodes[0].publish("a", "x")
			within(t, "the first", took(nodes[0], hub.Told), 2*time.Millisecond, 3*time.Millisecond)
			within(t, "the second", took(nodes[0], hub.Told), 0, 0)
			within(t, "heard", took(nodes[0], hub.Heard), 0, 0)
		}},
		{"takes one way to the engine and back", memory.Options{Delay: 4 * time.Millisecond}, func(t *testing.T, _ *nest, nodes []*testNode) {
			nodes[0].publish("a", "x")
			within(t, "told", took(nodes[0], hub.Told), 4*time.Millisecond, 4*time.Millisecond)
		}},
		{"returns at once without a link", memory.Options{}, func(t *testing.T, _ *nest, nodes []*testNode) {
			nodes[0].engine.Cut()
			synctest.Wait()
			nodes[0].publish("a", "x")
			within(t, "both", took(nodes[0], hub.Told|hub.Heard), 0, 0)
		}},
		{"returns when the link is lost", memory.Options{Delay: 500 * time.Millisecond}, func(t *testing.T, _ *nest, nodes []*testNode) {
			nodes[0].publish("a", "x")
			time.AfterFunc(10*time.Millisecond, nodes[0].engine.Cut)
			within(t, "both", took(nodes[0], hub.Told|hub.Heard), 10*time.Millisecond, 10*time.Millisecond)
			want(t, "counted", nodes[0].counter("await_timeouts_total", "told", awaitLinkLost), 1)
		}},
		{"gives up after a second", memory.Options{}, func(t *testing.T, n *nest, nodes []*testNode) {
			n.network.SetDelay(1500 * time.Millisecond)
			nodes[0].publish("a", "x")
			within(t, "told", took(nodes[0], hub.Told), time.Second, time.Second)
			want(t, "counted", nodes[0].counter("await_timeouts_total", "told", awaitTimedOut), 1)
		}},
		{"does not wait long for a node that does not answer", memory.Options{Mesh: true}, func(t *testing.T, _ *nest, nodes []*testNode) {
			nodes[2].engine.Deafen()
			nodes[0].publish("a", "x")
			within(t, "the first", took(nodes[0], hub.Told), ackTimeout, ackTimeout)
			nodes[0].publish("a", "y")
			within(t, "the second", took(nodes[0], hub.Told), 0, 0)
			pass(time.Second)
			want(t, "state", stateOf(nodes[0], nodes[2]), Suspect)
			pass(6 * time.Second) // its link is given up, and it has another
			nodes[0].publish("a", "z")
			nodes[0].node.Await(hub.Told)
			pass(time.Second)
			want(t, "state", stateOf(nodes[0], nodes[2]), Alive)
		}},
		{"is one round for many", memory.Options{Mesh: true, MeshDelay: 5 * time.Millisecond}, func(t *testing.T, n *nest, nodes []*testNode) {
			before, _ := n.network.Published()
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() {
					nodes[0].join("a")
					nodes[0].node.Await(hub.Told)
				})
			}
			all.Wait()
			after, _ := n.network.Published()
			if sent := after - before; sent > 200 { // each alone would be a marker, two answers and a share
				t.Errorf("took %d messages", sent)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNest(t, c.network)
				nodes := n.startAll(3)
				pass(100 * time.Millisecond)
				c.run(t, n, nodes)
			})
		})
	}
}

func stateOf(of, x *testNode) NodeState {
	for _, s := range of.node.Status().Nodes {
		if s.ID == x.node.ID().String() {
			return s.State
		}
	}
	return ""
}
