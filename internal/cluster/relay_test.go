package cluster

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

func TestEventsGetToNodesWithSubscribers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(3)
		nodes[1].join("a")
		nodes[2].join("b")
		nodes[1].node.Await(hub.Told)
		nodes[2].node.Await(hub.Told)
		for i := range 5 {
			nodes[0].publish("a", fmt.Sprint(i))
		}
		wantList(t, "node 1", nodes[1].took(), "a 0", "a 1", "a 2", "a 3", "a 4")
		wantList(t, "node 2", nodes[2].took())
		wantList(t, "the sender", nodes[0].took())
	})
}

func TestSharesGetToAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(3)
		nodes[0].join("a")
		nodes[1].join("a")
		nodes[1].enter("presence-x", "u")
		synctest.Wait()
		for i, x := range nodes {
			want(t, fmt.Sprint("node ", i), x.sees(), "a/=2 presence-x/u=0")
		}
		late := n.start()
		n.settle()
		want(t, "a node that comes later", late.sees(), "a/=2 presence-x/u=0")
		nodes[1].leave("a")
		nodes[1].exit("presence-x", "u")
		synctest.Wait()
		want(t, "after they have left", late.sees(), "a/=1")
	})
}
