package cluster

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

func TestANodeThatDiesIsForgottenAfterItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(3)
		nodes[2].join("a")
		nodes[2].enter("presence-x", "u")
		synctest.Wait()
		nodes[2].kill()
		died := time.Now()
		pass(4500 * time.Millisecond)
		want(t, "within the lease", nodes[0].sees(), "a/=1 presence-x/u=0")
		eventually(t, 5*time.Second, "it is forgotten", func() bool { return nodes[0].sees() == "" && nodes[1].sees() == "" })
		if took := time.Since(died); took > 8*time.Second {
			t.Errorf("forgotten after %v", took)
		}
		want(t, "nodes", len(nodes[0].node.Status().Nodes), 2)
	})
}

func TestANodeThatLeavesIsForgottenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(3)
		nodes[2].join("a")
		nodes[0].join("b")
		nodes[0].node.Await(hub.Told)
		nodes[2].publish("b", "last")
		nodes[2].stop()
		synctest.Wait()
		want(t, "what the others see", nodes[0].sees(), "b/=1")
		wantList(t, "what it has sent before", nodes[0].took(), "b last")
		want(t, "nodes", len(nodes[0].node.Status().Nodes), 2)
	})
}

func TestANodeThatIsCutOffServesAloneAndReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(3)
		for i, x := range nodes {
			x.join("a")
			x.enter("presence-x", fmt.Sprint(i))
		}
		synctest.Wait()
		nodes[0].engine.Cut()
		pass(3 * time.Second)
		want(t, "within the lease", nodes[0].sees(), "a/=3 presence-x/0=0 presence-x/1=0 presence-x/2=0")
		want(t, "reasons", len(nodes[0].node.Ready()), 1)
		pass(6 * time.Second)
		want(t, "alone", nodes[0].sees(), "a/=1 presence-x/0=0")
		want(t, "the others", nodes[1].sees(), "a/=2 presence-x/1=0 presence-x/2=0")
		nodes[0].join("b")
		nodes[1].join("c")
		nodes[0].exit("presence-x", "0")
		nodes[0].engine.Heal()
		n.settle()
		for i, x := range nodes {
			want(t, fmt.Sprint("together again, node ", i), x.sees(), "a/=3 b/=1 c/=1 presence-x/1=0 presence-x/2=0")
		}
		want(t, "reasons", len(nodes[0].node.Ready()), 0)
	})
}

func TestAnEngineThatRestartsEmptyCostsNoState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(3)
		for _, x := range nodes {
			for i := range 700 { // more than one lot of subscriptions
				x.join(fmt.Sprint("c", i))
			}
		}
		synctest.Wait()
		before := nodes[0].sees()
		n.network.Stop()
		pass(4 * time.Second)
		nodes[1].leave("c5")
		n.network.Start()
		n.settle()
		for _, x := range nodes {
			want(t, "subscriptions", x.engine.Subscriptions(), 702-len(x.gone()))
		}
		nodes[1].join("c5")
		synctest.Wait()
		for i, x := range nodes {
			want(t, fmt.Sprint("node ", i, " sees what was before"), x.sees() == before, true)
		}
	})
}

// gone returns the channels of the last test that the node is not on.
func (x *testNode) gone() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	var gone []string
	for i := range 700 {
		if _, ok := x.own[channelKey(fmt.Sprint("c", i))]; !ok {
			gone = append(gone, fmt.Sprint("c", i))
		}
	}
	return gone
}

func TestANodeThatWasStoppedJudgesNobodyForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		nodes[1].join("a")
		synctest.Wait()
		// As after SIGCONT: the worker has the tick, late, before anything that has
		// come meanwhile.
		heard := make(chan struct{})
		nodes[0].node.inbox.do(func(w *worker) {
			defer close(heard)
			for _, p := range w.peers {
				p.heard -= 20 * time.Second
			}
			w.linkSince -= 20 * time.Second
			w.tick(w.clock.now(), 20*time.Second)
		})
		<-heard
		want(t, "what it sees", nodes[0].sees(), "a/=1")
		want(t, "settled", nodes[0].node.Status().Settled, false)
		n.settle()
	})
}

// The messages that have waited while a process was stopped come before it knows of that.
func TestWhatComesFirstAfterAPauseProvesNothing(t *testing.T) {
	for _, mesh := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			n := newNest(t, memory.Options{Mesh: mesh})
			node := n.startAll(3)[0].node
			e := hub.Edge{App: "1", Channel: protocol.ChannelName(n.nodes[0].homeOf(1)[0])}
			pass(time.Second)
			want(t, "it is the home", node.filter.presides(e), true)
			heard := make(chan struct{})
			node.inbox.do(func(w *worker) {
				defer close(heard)
				for _, p := range w.peers {
					p.heard = w.clock.now()
				}
				w.ticked, w.echoed = w.ticked-20*time.Second, w.clock.now()
				w.renew()
			})
			<-heard
			want(t, "it may tell", node.filter.presides(e), false)
			pass(time.Second)
			want(t, "it may tell when ticks come again", node.filter.presides(e), true)
		})
	}
}

func TestAnOverloadedWorkerJudgesAfterWhatHasCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		nodes[1].join("a")
		synctest.Wait()
		nodes[0].node.inbox.do(func(*worker) { <-time.After(20 * time.Second) })
		pass(25 * time.Second)
		want(t, "what it sees", nodes[0].sees(), "a/=1")
	})
}

func TestALinkThatDeliversNothingIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		nodes[0].engine.Deafen()
		eventually(t, 6*time.Second, "the link is given up", func() bool { return nodes[0].counter("silent_links_total") == 1 })
		eventually(t, time.Second, "there is another link", func() bool { return nodes[0].engine.Links() == 2 })
		n.settle()
	})
}

func TestANodeThatRestartsIsAnotherOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		nodes[1].join("a")
		synctest.Wait()
		nodes[1].kill()
		again := n.start()
		again.join("b")
		eventually(t, 10*time.Second, "the old one is forgotten", func() bool { return nodes[0].sees() == "b/=1" })
		n.settle()
		want(t, "the new one", again.sees(), "b/=1")
	})
}
