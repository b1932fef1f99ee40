package cluster

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// tellings counts what webhooks were told since the last call.
func (n *nest) tellings() map[string]int {
	count := make(map[string]int)
	for _, text := range n.log.take() {
		count[text]++
	}
	return count
}

// wantAlternating says that no edge was told to be what it was.
func (n *nest) wantAlternating() {
	n.t.Helper()
	n.log.mu.Lock()
	defer n.log.mu.Unlock()
	if len(n.log.odd) > 0 {
		n.t.Errorf("told twice: %q", n.log.odd)
	}
}

// wantTruth says that webhooks were told the truth about all edges.
func (n *nest) wantTruth(x *testNode) {
	n.t.Helper()
	synctest.Wait()
	on := slices.Collect(x.AllOn())
	n.log.mu.Lock()
	defer n.log.mu.Unlock()
	told := 0
	for e, is := range n.log.on {
		if is {
			told++
			if !slices.Contains(on, e) {
				n.t.Errorf("%v was told to be on, and is off", e)
			}
		}
	}
	if told != len(on) {
		n.t.Errorf("%d edges were told to be on, %d are", told, len(on))
	}
}

func TestWebhooksHearOfEachEdgeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Delay: time.Millisecond})
		nodes := n.startAll(3)
		for i := range 60 {
			for _, x := range nodes {
				x.join(fmt.Sprint("c", i))
				x.enter("presence-x", fmt.Sprint(i))
			}
		}
		pass(time.Second)
		told := n.tellings()
		want(t, "edges", len(told), 120)
		for text, times := range told {
			want(t, text, times, 1)
		}
		for i := range 60 {
			for _, x := range nodes {
				x.leave(fmt.Sprint("c", i))
				x.exit("presence-x", fmt.Sprint(i))
			}
		}
		pass(time.Second)
		want(t, "edges", len(n.tellings()), 120)
		n.wantAlternating()
		n.wantTruth(nodes[0])
	})
}

func TestNodesThatComeAndGoTellNothing(t *testing.T) {
	for _, delay := range []time.Duration{0, 3 * time.Second} {
		t.Run(fmt.Sprint("delay ", delay), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNest(t, memory.Options{Delay: time.Millisecond})
				n.delay = delay
				nodes := n.startAll(2)
				for i := range 50 {
					nodes[i%2].join(fmt.Sprint("c", i))
				}
				pass(time.Second)
				n.tellings()
				for range 3 {
					n.start()
					n.settle()
				}
				n.nodes[2].stop()
				n.nodes[3].stop()
				n.settle()
				pass(10 * time.Second)
				wantList(t, "told", n.log.take())
				n.wantTruth(nodes[0])
			})
		})
	}
}

func TestEdgesWhileNodesComeAndGoAlternate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Delay: time.Millisecond})
		n.delay = 500 * time.Millisecond
		nodes := n.startAll(2)
		done := make(chan struct{})
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			tick := time.NewTicker(17 * time.Millisecond)
			defer tick.Stop()
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				channel := fmt.Sprint("c", i%41)
				if x := nodes[i%2]; x.Share(channelKey(channel)).Connections > 0 {
					x.leave(channel)
				} else {
					x.join(channel)
				}
			}
		}()
		for range 4 {
			pass(1300 * time.Millisecond)
			late := n.start()
			pass(1700 * time.Millisecond)
			late.stop()
		}
		close(done)
		<-ended
		n.settle()
		pass(5 * time.Second)
		n.wantAlternating()
		n.wantTruth(nodes[0])
	})
}

func TestTheDeathOfANodeIsToldByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Delay: time.Millisecond})
		nodes := n.startAll(3)
		for i := range 30 {
			nodes[2].join(fmt.Sprint("c", i))
			nodes[2].enter("presence-x", fmt.Sprint(i))
			nodes[i%2].join(fmt.Sprint("d", i))
		}
		pass(time.Second)
		n.tellings()
		nodes[2].kill()
		died := time.Now()
		eventually(t, 10*time.Second, "all edges of the dead node are off", func() bool {
			n.log.mu.Lock()
			defer n.log.mu.Unlock()
			return len(n.log.all) == 60
		})
		t.Logf("told after %v", time.Since(died))
		pass(10 * time.Second)
		n.wantAlternating()
		n.wantTruth(nodes[0])
		want(t, "edges", len(n.tellings()), 60)
	})
}

func TestAPartitionLosesNoEdge(t *testing.T) {
	for name, split := range map[string]func(*nest, *testNode) (heal func()){
		"of a node and the engine": func(_ *nest, x *testNode) func() { x.engine.Cut(); return x.engine.Heal },
		"of servers of a mesh": func(n *nest, x *testNode) func() {
			n.network.Split([]*memory.Engine{x.engine})
			return func() { n.network.Split() }
		},
	} {
		for _, length := range []time.Duration{2 * time.Second, 15 * time.Second} {
			t.Run(fmt.Sprint(name, " for ", length), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNest(t, memory.Options{Delay: time.Millisecond, Mesh: name == "of servers of a mesh"})
					nodes := n.startAll(3)
					for i := range 30 {
						nodes[i%3].join(fmt.Sprint("c", i))
					}
					pass(time.Second)
					heal := split(n, nodes[0])
					synctest.Wait()
					for i := range 30 {
						nodes[i%3].leave(fmt.Sprint("c", i))
						nodes[(i+1)%3].join(fmt.Sprint("d", i))
					}
					pass(length)
					heal()
					n.settle()
					pass(5 * time.Second)
					n.wantTruth(nodes[0])
					n.wantTruth(nodes[1])
					n.log.mu.Lock()
					defer n.log.mu.Unlock()
					for i := range 30 {
						if text := fmt.Sprintf("c%d off", i); !slices.Contains(n.log.all, text) {
							t.Errorf("never told: %s", text)
						}
					}
				})
			})
		}
	}
}

func TestNodesThatSeeDifferentThingsDoNotContradictEachOtherForEver(t *testing.T) {
	for _, mesh := range []bool{false, true} {
		t.Run(fmt.Sprint("mesh ", mesh), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNest(t, memory.Options{Mesh: mesh, Delay: time.Millisecond})
				nodes := n.startAll(3)
				for i := range 30 {
					nodes[2].join(fmt.Sprint("c", i))
				}
				pass(time.Second)
				n.tellings()
				deaf, mute := nodes[0].engine, nodes[2].node.ID()
				n.network.Tamper(func(to *memory.Engine, message []byte) [][]byte {
					if h, _, err := broker.Open(message); to == deaf && err == nil && h.Origin == mute {
						return nil
					}
					return [][]byte{message}
				})
				pass(time.Minute)
				for text, times := range n.tellings() {
					if times > 5 {
						t.Errorf("%s: told %d times in a minute", text, times)
					}
				}
				n.network.Tamper(nil)
				n.settle()
				pass(5 * time.Second)
				n.wantTruth(nodes[0])
			})
		})
	}
}

func TestOneNodeTellsOfNoticesThatAreNoEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(3)
		for _, name := range []hub.NoticeName{hub.CacheMissed, hub.SubscriptionCount} {
			through := 0
			for _, x := range nodes {
				counted := &countingWebhooks{}
				x.node.filter.webhooks = counted
				x.node.Emit(hub.Notice{App: x.app, Name: name, Channel: "cache-x"})
				through += counted.notices
			}
			want(t, string(name), through, 1)
		}
		counted := &countingWebhooks{}
		nodes[1].node.filter.webhooks = counted
		nodes[1].node.Emit(hub.Notice{App: nodes[1].app, Name: hub.ClientEventSent, Channel: "cache-x"})
		want(t, "client_event", counted.notices, 1)
	})
}

// countingWebhooks counts notices.
type countingWebhooks struct {
	noWebhooks

	notices int
}

func (c *countingWebhooks) Emit(hub.Notice) { c.notices++ }

func TestWhatAnEarlierProcessHasTold(t *testing.T) {
	t.Run("is taken up by the first node", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNest(t, memory.Options{})
			x := n.startAll(1)[0]
			want(t, "restored", x.webhooks.restored, 1)
			want(t, "forgotten", x.webhooks.forgot, 0)
		})
	})
	t.Run("is dropped where other nodes know better", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNest(t, memory.Options{})
			n.startAll(1)
			x := n.start()
			n.settle()
			want(t, "restored", x.webhooks.restored, 0)
			want(t, "forgotten", x.webhooks.forgot, 1)
		})
	})
	t.Run("goes off unless somebody is back", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			n := newNest(t, memory.Options{})
			n.delay = 3 * time.Second
			x := n.start()
			x.webhooks.earlier = []hub.Edge{{App: "1", Channel: "gone"}, {App: "1", Channel: "back"}}
			n.log.on[x.webhooks.earlier[0]], n.log.on[x.webhooks.earlier[1]] = true, true
			x.join("back")
			n.settle()
			pass(time.Second)
			wantList(t, "within the delay", n.log.take())
			pass(3 * time.Second)
			wantList(t, "after it", n.log.take(), "gone off")
			x.leave("back")
			pass(4 * time.Second)
			wantList(t, "when it goes", n.log.take(), "back off")
		})
	})
}
