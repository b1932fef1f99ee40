package cluster

import (
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// visit joins and leaves channels of their own, and stays until the delay is over.
func visit(nodes []*testNode, from, to int) {
	for i := from; i < to; i++ {
		nodes[i%len(nodes)].join(fmt.Sprint("visit", i))
	}
	pass(100 * time.Millisecond)
	for i := from; i < to; i++ {
		nodes[i%len(nodes)].leave(fmt.Sprint("visit", i))
	}
	pass(400 * time.Millisecond)
}

// wantVisits says that each visit was told to have begun once, and to have ended once.
func (n *nest) wantVisits(from, to int) {
	n.t.Helper()
	told := n.tellings()
	for i := from; i < to; i++ {
		for _, way := range []string{"on", "off"} {
			text := fmt.Sprintf("visit%d %s", i, way)
			want(n.t, text, told[text], 1)
		}
	}
	n.wantAlternating()
}

func TestWhatComesAndGoesWhileNobodyCanTellIsToldLater(t *testing.T) {
	for _, c := range []struct {
		name   string
		mesh   bool
		strike func(n *nest, nodes []*testNode) (heal func())
		at     []int // where visitors are
	}{
		{"the home is dead", false, func(_ *nest, nodes []*testNode) func() {
			nodes[2].kill()
			return func() {}
		}, []int{0, 1}},
		{"the home is dead, on a mesh", true, func(_ *nest, nodes []*testNode) func() {
			nodes[2].kill()
			return func() {}
		}, []int{0, 1}},
		{"the engine is away", false, func(n *nest, _ []*testNode) func() { n.network.Stop(); return n.network.Start }, []int{0, 1, 2}},
		{"a node is cut off", false, func(_ *nest, nodes []*testNode) func() {
			nodes[0].engine.Cut()
			return nodes[0].engine.Heal
		}, []int{0, 1, 2}},
		{"a node hears nothing", false, func(_ *nest, nodes []*testNode) func() {
			nodes[0].engine.Deafen()
			return nodes[0].engine.Heal
		}, []int{0, 1, 2}},
		{"a node is not heard", false, func(_ *nest, nodes []*testNode) func() {
			nodes[0].engine.Hang()
			return nodes[0].engine.Heal
		}, []int{0, 1, 2}},
		{"a node of a mesh is cut off", true, func(n *nest, nodes []*testNode) func() {
			n.network.Split([]*memory.Engine{nodes[0].engine})
			return func() { n.network.Split() }
		}, []int{0, 1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNest(t, memory.Options{Mesh: c.mesh, Delay: time.Millisecond})
				n.delay = 300 * time.Millisecond
				nodes := n.startAll(3)
				pass(time.Second)
				n.tellings()
				heal := c.strike(n, nodes)
				var at []*testNode
				for _, i := range c.at {
					at = append(at, nodes[i])
				}
				const lots, each = 20, 9
				for lot := range lots { // for 10 s: before the lease ends, and after it
					visit(at, lot*each, (lot+1)*each)
				}
				heal()
				n.settle()
				pass(10 * time.Second)
				n.wantVisits(0, lots*each)
				n.wantTruth(nodes[0])
			})
		})
	}
}

func TestAVisitThatEndsAsANodeBecomesHomeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Delay: time.Millisecond})
		n.delay = 300 * time.Millisecond
		x := n.startAll(1)[0]
		pass(time.Second)
		n.tellings()
		x.node.filter.until.Store(0)
		x.join("visit0")
		x.node.filter.until.Store(math.MaxInt64)
		x.leave("visit0")
		pass(10 * time.Second)
		n.wantVisits(0, 1)
	})
}

// Whether a node that dies has told what it was about to tell nobody knows: it is told again.
func TestAHomeThatDiesAsItTellsLeavesNothingUntold(t *testing.T) {
	for _, c := range []struct {
		name  string
		after time.Duration // the home dies; not above 0: when it has told the first thing
		lost  bool          // nobody can know that there was anything
	}{
		{"at once", time.Nanosecond, true},
		{"before anything is told", time.Millisecond + 500*time.Microsecond, false},
		{"when the first edge is told", 0, false},
		{"when all are told", 100 * time.Millisecond, false},
		{"when the first visit is told, and all are over", -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNest(t, memory.Options{Delay: time.Millisecond})
				n.delay = 300 * time.Millisecond
				nodes := n.startAll(3)
				pass(time.Second)
				n.tellings()
				visits := nodes[0].homeOf(3)
				at := nodes[0]
				if c.after < 0 {
					at = nodes[1]
				}
				tell := func() {}
				if c.after == 0 {
					tell = nodes[0].holdTellings()
				}
				for _, visit := range visits {
					at.join(visit)
				}
				if c.after < 0 {
					pass(500 * time.Microsecond) // so that it is over where it is not known yet to be told
					for _, visit := range visits {
						at.leave(visit)
					}
				}
				if c.after <= 0 {
					nodes[0].webhooks.fatal.Store(true)
					tell()
					pass(50 * time.Millisecond)
				}
				pass(c.after)
				nodes[0].kill()
				pass(20 * time.Second)
				n.wantTruth(nodes[1])
				told := n.tellings()
				for _, visit := range visits {
					rises, falls := told[visit+" on"], told[visit+" off"]
					if c.lost && rises+falls == 0 {
						continue
					}
					if rises < 1 || rises > 2 || falls != 1 {
						t.Errorf("%s was told %d times to be on, %d times to be off", visit, rises, falls)
					}
				}
			})
		})
	}
}

// holdTellings keeps a node from telling anything until the function that it returns has waited
// until the others know what that is about to be.
func (x *testNode) holdTellings() (release func()) {
	held := make(chan struct{})
	x.node.inbox.do(func(*worker) { <-held })
	return func() {
		pass(3 * time.Millisecond)
		close(held)
	}
}

// homeOf returns channels that this node is the home of.
func (x *testNode) homeOf(channels int) (names []string) {
	for i := 0; len(names) < channels; i++ {
		name := fmt.Sprint("visit", i)
		if x.node.filter.homes.Load().of(hub.Edge{App: "1", Channel: protocol.ChannelName(name)}) {
			names = append(names, name)
		}
	}
	return names
}

func TestWhatIsOwedIsBounded(t *testing.T) {
	dropped := 0
	told := newTold(1, newClock())
	told.changed, told.dropped = func(hub.Edge) {}, func(edges int) { dropped += edges }
	for i := range maxDebts + 5 {
		told.owe(hub.Edge{App: "1", Channel: "c", UserID: fmt.Sprint(i), Member: true}, true, 0, 0)
	}
	want(t, "dropped", dropped, 5)
	want(t, "owed", len(told.owing(false)), maxDebts)
	want(t, "all are to be compared", told.takeMissed(), true)
	want(t, "once", told.takeMissed(), false)
}

func TestFlappingIsOwedOnceAndFallsWithinTheDelayNotAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		told := newTold(1, newClock())
		told.changed = func(hub.Edge) {}
		e := hub.Edge{App: "1", Channel: "c"}
		owed := func() string { return fmt.Sprint(told.debts.turn(e)) }
		told.owe(e, true, time.Second, time.Second)
		want(t, "a rise", owed(), "1")
		told.owe(e, false, time.Second, time.Second)
		want(t, "and a fall", owed(), "2")
		told.owe(e, true, time.Second, time.Second)
		want(t, "that is taken back", owed(), "1")
		told.owe(e, false, time.Second, time.Second)
		pass(2 * time.Second)
		told.owe(e, true, time.Second, time.Second)
		want(t, "and one that is not", owed(), "3")
		for range 10 {
			told.owe(e, false, time.Second, time.Second)
			pass(2 * time.Second)
			told.owe(e, true, time.Second, time.Second)
		}
		want(t, "more of the same", owed(), "3")
	})
}

func TestANodeThatOwesImpossibleThingsHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Delay: time.Millisecond})
		nodes := n.startAll(2)
		nodes[0].join("a")
		pass(time.Second)
		n.tellings()
		for _, x := range nodes {
			m := broker.Owed{Edges: []broker.OwedEdge{
				{Edge: hub.Edge{App: "1", Channel: "a"}, Turn: 2},
				{Edge: hub.Edge{App: "1", Channel: "a"}, Turn: 1 << 40},
				{Edge: hub.Edge{App: "1", Channel: "b"}, Turn: 1 << 62},
				{Edge: hub.Edge{App: "1", Channel: "c"}, Turn: 1<<64 - 1},
			}}
			x.node.Receive(m.Append(nil, 99))
		}
		pass(10 * time.Second)
		wantList(t, "told", n.log.take())
		nodes[0].leave("a")
		nodes[1].join("b")
		pass(time.Second)
		want(t, "edges that come after it", len(n.log.take()), 2)
		n.wantAlternating()
	})
}
