package cluster

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// kindOf returns the kind of a message.
func kindOf(message []byte) broker.Kind {
	h, _, err := broker.Open(message)
	if err != nil {
		return 0
	}
	return h.Kind
}

// lose loses the messages of a kind that come to a node, as many as given.
func lose(x *testNode, kind broker.Kind, times int) func(*memory.Engine, []byte) [][]byte {
	return func(to *memory.Engine, message []byte) [][]byte {
		if to == x.engine && kindOf(message) == kind && times > 0 {
			times--
			return nil
		}
		return [][]byte{message}
	}
}

func TestStateThatWasLostIsMadeUpFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		kind  broker.Kind
		times int
	}{
		{"a change", broker.KindState, 1},
		{"several changes", broker.KindState, 5},
		{"a change and the question for the rest", broker.KindSnapshotRequest, 1},
		{"a change and a part of the answer", broker.KindSnapshot, 1},
		{"a change and beats", broker.KindBeat, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNest(t, memory.Options{Delay: time.Millisecond})
				nodes := n.startAll(2)
				for i := range 1500 { // several parts
					nodes[0].join(fmt.Sprint("c", i))
				}
				pass(time.Second)
				first := true
				also := lose(nodes[1], c.kind, c.times)
				if c.kind == broker.KindSnapshotRequest {
					also = lose(nodes[0], c.kind, c.times)
				}
				n.network.Tamper(func(to *memory.Engine, message []byte) [][]byte {
					if to == nodes[1].engine && kindOf(message) == broker.KindState && first {
						first = false
						return nil
					}
					return also(to, message)
				})
				nodes[0].leave("c7")
				synctest.Wait()
				for i := range 10 {
					nodes[0].join(fmt.Sprint("d", i))
					pass(200 * time.Millisecond)
				}
				pass(8 * time.Second)
				want(t, "both see the same", nodes[1].sees() == nodes[0].sees(), true)
				want(t, "the other is in step", stateOf(nodes[1], nodes[0]), Alive)
			})
		})
	}
}

func TestASnapshotAndChangesMeanwhileAgree(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{Delay: 2 * time.Millisecond})
		nodes := n.startAll(2)
		for i := range 4000 {
			nodes[0].join(fmt.Sprint("c", i))
		}
		pass(time.Second)
		late := n.start()
		random := rand.New(rand.NewPCG(1, 2))
		for range 500 {
			nodes[0].change(channelKey(fmt.Sprint("c", random.IntN(5000))), func(s *hub.Share) { s.Connections = random.IntN(3) })
			pass(200 * time.Microsecond)
		}
		n.settle()
		pass(time.Second)
		want(t, "the late node sees the same", late.sees() == nodes[0].sees(), true)
		want(t, "questions", late.counter("snapshot_requests_total"), 2)
	})
}

func TestMessagesThatComeTwiceChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		n.network.Tamper(func(_ *memory.Engine, message []byte) [][]byte { return [][]byte{message, message} })
		nodes := n.startAll(3)
		nodes[1].join("a")
		nodes[1].node.Await(hub.Told)
		nodes[1].engine.Cut()
		synctest.Wait()
		nodes[0].publish("a", "0")
		nodes[0].join("b")
		pass(time.Second)
		nodes[1].engine.Heal()
		pass(time.Second)
		nodes[0].publish("a", "1")
		nodes[0].leave("b")
		n.settle()
		wantList(t, "events", nodes[1].took(), "a 0", "a 1")
		want(t, "what it sees", nodes[1].sees(), "a/=1")
		n.wantAlternating()
	})
}

func TestControlMessagesThatAreLostAreMissedForAWhileOnly(t *testing.T) {
	for _, mesh := range []bool{false, true} {
		t.Run(fmt.Sprint("mesh ", mesh), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNest(t, memory.Options{Mesh: mesh, Delay: time.Millisecond})
				nodes := n.startAll(3)
				random := rand.New(rand.NewPCG(3, 4))
				n.network.Tamper(func(_ *memory.Engine, message []byte) [][]byte {
					switch kind := kindOf(message); {
					case kind == broker.KindEvent, random.IntN(3) > 0:
						return [][]byte{message}
					default:
						return nil
					}
				})
				for i := range 200 {
					x := nodes[i%3]
					x.join(fmt.Sprint("c", i%50))
					x.node.Await(hub.Told)
					if i%7 == 0 {
						x.leave(fmt.Sprint("c", i%50))
					}
					pass(50 * time.Millisecond)
				}
				n.network.Tamper(nil)
				pass(3 * time.Second)
				n.settle()
				pass(3 * time.Second)
				for i, x := range nodes {
					want(t, fmt.Sprint("node ", i, " sees the same"), x.sees() == nodes[0].sees(), true)
				}
				n.wantTruth(nodes[0])
			})
		})
	}
}

func TestMessagesOfOtherReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		nodes[1].join("a")
		nodes[1].node.Await(hub.Told)
		receive := func(message []byte) {
			nodes[0].node.Receive(message)
			nodes[0].node.Rest()
			synctest.Wait()
		}
		other := nodes[1].node.ID()
		bye := broker.AppendBye(nil, other)
		unknown := append([]byte{}, bye...)
		unknown[1] = 200
		receive(unknown)
		want(t, "unknown kinds", nodes[0].counter("ignored_total", string(ignoredKind)), 1)
		major := append([]byte{}, bye...)
		major[0] = broker.Version + 1
		receive(major)
		want(t, "other versions", nodes[0].counter("ignored_total", string(ignoredMajor)), 1)
		want(t, "status", nodes[0].node.Status().OtherReleases, true)
		receive([]byte{broker.Version, byte(broker.KindEvent), 1, 2})
		receive((&broker.Event{}).Append(nil, other))
		want(t, "malformed ones", nodes[0].counter("ignored_total", string(ignoredMalformed)), 2)
		want(t, "what it sees", nodes[0].sees(), "a/=1")
	})
}

func TestANodeThatLiesHarmsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		nodes := n.startAll(2)
		nodes[0].join("a")
		nodes[1].join("a")
		synctest.Wait()
		liar := broker.NodeID(7)
		huge := ^uint64(0)
		for _, m := range [][]byte{
			broker.AppendBye(nil, nodes[0].node.ID()), // in the name of the receiver
			(&broker.Beat{Count: huge, Seq: huge, Numbers: []uint64{huge, huge, huge}, Hello: true}).Append(nil, liar),
			(&broker.State{Seq: huge, Told: []broker.Told{{Edge: hub.Edge{App: "1", Channel: "a"}, Stamp: hub.Stamp{Count: huge}}}}).Append(nil, liar),
			(&broker.RecoverRequest{Request: huge, After: []uint64{huge, huge, huge}}).Append(nil, liar),
			(&broker.RecoverRequest{Request: 1}).Append(nil, liar),
			(&broker.SnapshotRequest{Request: huge}).Append(nil, liar),
			(&broker.Recovered{Request: 1, End: true, Lost: []uint64{huge, huge}}).Append(nil, liar),
			(&broker.Snapshot{Request: 1, End: true}).Append(nil, liar),
			(&broker.Marker{Number: huge}).Append(nil, liar),
			(&broker.Marker{Number: huge}).AppendAck(nil, liar),
			(&broker.Event{Place: broker.Place{Lane: 9000, Number: 1}, Relayed: hub.Relayed{App: "1", Channel: "a", Frame: frameOf("a", "x")}}).Append(nil, liar),
			(&broker.Event{Place: broker.Place{Number: 1, After: huge}, Relayed: hub.Relayed{App: "1", Channel: "a", Frame: frameOf("a", "x")}}).Append(nil, liar),
		} {
			for _, x := range nodes {
				x.node.Receive(m)
				x.node.Rest()
			}
			synctest.Wait()
		}
		pass(20 * time.Second)
		n.settle()
		nodes[0].publish("a", "1")
		wantList(t, "events", nodes[1].took(), "a x", "a 1")
		want(t, "what it sees", nodes[0].sees(), "a/=2")
		n.wantAlternating()
	})
}

func TestThousandsOfNodesAreTooMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNest(t, memory.Options{})
		x := n.startAll(1)[0]
		for i := range maxPeers + 10 {
			x.node.Receive((&broker.Beat{Count: 1}).Append(nil, broker.NodeID(i+1)))
			x.node.Rest()
		}
		synctest.Wait()
		want(t, "ignored", x.counter("ignored_total", string(ignoredTooManyNodes)), 10)
		eventually(t, 10*time.Second, "they are forgotten", func() bool { return len(x.node.Status().Nodes) == 1 })
	})
}
