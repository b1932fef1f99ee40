package cluster

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// publisher publishes numbers on a channel until it is stopped, one each
// 5 ms.
func publisher(x *testNode, channel string) (stop func() (published int)) {
	done, ended := make(chan struct{}), make(chan int)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			select {
			case <-done:
				ended <- i
				return
			case <-tick.C:
				x.publish(channel, fmt.Sprint(i))
			}
		}
	}()
	return func() int { close(done); return <-ended }
}

// wantAll says that the events of a publisher came, each once and in order.
func wantAll(t *testing.T, what string, got []string, channel string, published int) {
	t.Helper()
	var all []string
	for i := range published {
		all = append(all, fmt.Sprintf("%s %d", channel, i))
	}
	if !slices.Equal(got, all) {
		t.Errorf("%s: got %d events, want %d; first difference %q", what, len(got), len(all), difference(got, all))
	}
}

func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("at %d: got %s, want %s", i, got[i], want[i])
		}
	}
	return fmt.Sprintf("lengths %d and %d", len(got), len(want))
}

func TestNothingIsLostWhen(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(n *nest, sender, receiver *testNode)
	}{
		{"the sender is cut off for a while", func(_ *nest, sender, _ *testNode) {
			sender.engine.Cut()
			pass(2 * time.Second)
			sender.engine.Heal()
		}},
		{"the receiver is cut off for a while", func(_ *nest, _, receiver *testNode) {
			receiver.engine.Cut()
			pass(2 * time.Second)
			receiver.engine.Heal()
		}},
		{"the receiver is cut off until it is given up", func(_ *nest, _, receiver *testNode) {
			receiver.engine.Cut()
			pass(12 * time.Second)
			receiver.engine.Heal()
		}},
		{"both are cut off for different times", func(_ *nest, sender, receiver *testNode) {
			sender.engine.Cut()
			pass(300 * time.Millisecond)
			receiver.engine.Cut()
			pass(time.Second)
			sender.engine.Heal()
			pass(2 * time.Second)
			receiver.engine.Heal()
		}},
		{"the engine stops and starts empty", func(n *nest, _, _ *testNode) {
			n.network.Stop()
			pass(3 * time.Second)
			n.network.Start()
		}},
		{"the link goes down in the middle of a batch", func(_ *nest, sender, _ *testNode) {
			for i := range 20 {
				sender.engine.FailAfter(3 + i%5)
				pass(50 * time.Millisecond)
			}
			sender.engine.FailAfter(-1)
		}},
		{"the sender's link hangs", func(_ *nest, sender, _ *testNode) {
			sender.engine.Hang()
			pass(8 * time.Second)
			sender.engine.Heal()
		}},
		{"the receiver's link hangs", func(_ *nest, _, receiver *testNode) {
			receiver.engine.Hang()
			pass(8 * time.Second)
			receiver.engine.Heal()
		}},
		{"the engine is slow", func(n *nest, _, _ *testNode) {
			n.network.SetDelay(500 * time.Millisecond)
			pass(5 * time.Second)
			n.network.SetDelay(0)
		}},
	} {
		for _, lanes := range []int{1, 7} {
			t.Run(fmt.Sprintf("%s, %d lanes", c.name, lanes), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					n := newNest(t, memory.Options{Lanes: lanes, Delay: 100 * time.Microsecond})
					nodes := n.startAll(3)
					nodes[1].join("a")
					nodes[1].node.Await(hub.Told)
					stop := publisher(nodes[0], "a")
					pass(500 * time.Millisecond)
					c.fault(n, nodes[0], nodes[1])
					pass(5 * time.Second)
					published := stop()
					pass(2 * time.Second)
					wantAll(t, "the receiver", nodes[1].took(), "a", published)
					want(t, "dropped", nodes[0].counter("dropped_total")+nodes[1].counter("dropped_total"), 0)
					want(t, "recoveries that failed", nodes[1].counter("recoveries_failed_total"), 0)
				})
			})
		}
	}
}

func TestAMeshThatFallsApartForAWhileLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Mesh: true, Delay: 100 * time.Microsecond, MeshDelay: time.Millisecond})
		nodes := n.startAll(3)
		nodes[1].join("a")
		nodes[1].node.Await(hub.Told)
		stop := publisher(nodes[0], "a")
		pass(500 * time.Millisecond)
		n.network.Split([]*memory.Engine{nodes[1].engine})
		pass(3500 * time.Millisecond)
		n.network.Split()
		pass(5 * time.Second)
		published := stop()
		pass(2 * time.Second)
		wantAll(t, "the receiver", nodes[1].took(), "a", published)
		want(t, "links", nodes[1].engine.Links(), 1)
	})
}

func TestWhatWaitsForALinkIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		n.change = func(o *Options) { o.ReplayEvents = 100 }
		nodes := n.startAll(2)
		nodes[1].join("a")
		nodes[1].node.Await(hub.Told)
		nodes[0].engine.Cut()
		synctest.Wait()
		for i := range 150 {
			nodes[0].publish("a", fmt.Sprint(i))
		}
		nodes[0].engine.Heal()
		pass(time.Second)
		got := nodes[1].took()
		want(t, "delivered", len(got), 100)
		want(t, "the first", got[0], "a 50")
		want(t, "counted", nodes[0].counter("dropped_total", "replay_overflow"), 50)
		wantChannels(t, nodes[1], "a")
	})
}

func TestWhatWaitsForALinkGetsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		nodes[1].join("a")
		nodes[1].node.Await(hub.Told)
		nodes[0].engine.Cut()
		synctest.Wait()
		nodes[0].publish("a", "old")
		pass(70 * time.Second)
		nodes[0].publish("a", "new")
		nodes[0].engine.Heal()
		pass(3 * time.Second)
		wantList(t, "delivered", nodes[1].took(), "a new")
		want(t, "counted", nodes[0].counter("dropped_total", "replay_overflow"), 1)
	})
}

func TestWhatWaitsForASlowEngineIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		n.change = func(o *Options) { o.ReplayBytes = 100_000 }
		nodes := n.startAll(2)
		nodes[1].join("a")
		nodes[1].node.Await(hub.Told)
		n.network.SetDelay(time.Second)
		for i := range 10_000 {
			nodes[0].publish("a", fmt.Sprint(i))
		}
		dropped := nodes[0].counter("dropped_total", "queue_full")
		pass(30 * time.Second)
		got := nodes[1].took()
		want(t, "delivered and dropped", len(got)+int(dropped), 10_000)
		if dropped == 0 {
			t.Error("nothing was dropped")
		}
		want(t, "the last", got[len(got)-1], "a 9999")
		wantChannels(t, nodes[1], "a")
	})
}

func TestWhatIsNoLongerKeptIsAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		n.change = func(o *Options) { o.ReplayEvents = 10 }
		nodes := n.startAll(2)
		nodes[1].join("a")
		nodes[1].join("b")
		nodes[1].node.Await(hub.Told)
		pass(3 * time.Second)
		nodes[1].engine.Cut()
		synctest.Wait()
		for i := range 25 {
			nodes[0].publish("a", fmt.Sprint(i))
			synctest.Wait()
		}
		nodes[1].engine.Heal()
		pass(3 * time.Second)
		got := nodes[1].took()
		want(t, "delivered", len(got), 10)
		want(t, "the first", got[0], "a 15")
		want(t, "counted", nodes[1].counter("dropped_total", "recovery"), 15)
		wantChannels(t, nodes[1], "a", "b")
	})
}

func wantChannels(t *testing.T, x *testNode, channels ...string) {
	t.Helper()
	x.mu.Lock()
	defer x.mu.Unlock()
	var got []string
	for _, c := range x.gaps {
		got = append(got, string(c))
	}
	slices.Sort(got)
	wantList(t, "channels with a gap", slices.Compact(got), channels...)
}

func TestTerminationsAndFillsAreRecoveredToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		pass(2 * time.Second)
		nodes[1].engine.Cut()
		synctest.Wait()
		nodes[0].mu.Lock()
		nodes[0].relay.Terminate("1", "u")
		nodes[0].mu.Unlock()
		nodes[0].fill("cache-c", "v", 5)
		pass(time.Second)
		nodes[1].engine.Heal()
		pass(2 * time.Second)
		nodes[1].mu.Lock()
		defer nodes[1].mu.Unlock()
		wantList(t, "ended", nodes[1].terminated, "u")
		want(t, "filled", string(nodes[1].fills["cache-c"].Fill.Data), `"v"`)
	})
}

func TestANewNodeGetsCacheContentsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(3)
		for i := range 20 {
			nodes[i%3].fill(fmt.Sprint("cache-", i), "v", 1)
		}
		synctest.Wait()
		late := n.start()
		n.settle()
		late.mu.Lock()
		defer late.mu.Unlock()
		want(t, "contents", len(late.fills), 20)
	})
}

// A node that has served alone, and whose first link fails before it has caught up, asks on
// the next one for all that it has missed.
func TestALinkThatFailsAtOnceMakesNobodyForgetWhatWasMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plan{lanes: 1, faults: true, steps: []planStep{
			{op: "stop", pause: 100 * time.Millisecond},
			{op: "join", pause: 9 * time.Second},
			{op: "connect", node: 2},
			{op: "fail", node: 3, what: 3, pause: time.Millisecond},
			{op: "connect", node: 3, pause: 3 * time.Second},
			{op: "start", node: 3, what: 2},
			{op: "publish", node: 1, pause: 10 * time.Millisecond},
			{op: "cut"},
		}}
		p.run(t)
	})
}
