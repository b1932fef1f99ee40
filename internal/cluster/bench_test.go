package cluster

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// sinkHub counts what it is given.
type sinkHub struct {
	share     hub.Share
	delivered atomic.Int64
	applied   atomic.Int64
	wanted    int64
	done      chan struct{} // gets one when delivered and applied together reach wanted
}

func (h *sinkHub) Share(k hub.ShareKey) hub.Share {
	s := h.share
	s.ShareKey = k
	return s
}

func (h *sinkHub) count(n *atomic.Int64) {
	if n.Add(1) == h.wanted {
		h.done <- struct{}{}
	}
}

func (h *sinkHub) Shares() iter.Seq[hub.Share]                  { return func(func(hub.Share) bool) {} }
func (h *sinkHub) Apply(hub.Node, hub.Share)                    { h.count(&h.applied) }
func (h *sinkHub) Retain(hub.Node, func(hub.ShareKey) bool)     {}
func (h *sinkHub) Forget(hub.Node)                              {}
func (h *sinkHub) Deliver(*hub.Turn, hub.Node, hub.Relayed)     { h.count(&h.delivered) }
func (h *sinkHub) Terminated(apps.ID, string)                   {}
func (h *sinkHub) Fills() iter.Seq[hub.Relayed]                 { return func(func(hub.Relayed) bool) {} }
func (h *sinkHub) Gap(func(apps.ID, protocol.ChannelName) bool) {}
func (h *sinkHub) On(hub.Edge) bool                             { return false }
func (h *sinkHub) AllOn() iter.Seq[hub.Edge]                    { return func(func(hub.Edge) bool) {} }

// benchNodes starts nodes that know each other, on one server without delay.
func benchNodes(tb testing.TB, n int) ([]*Node, []*sinkHub) {
	network := memory.New(memory.Options{})
	var nodes []*Node
	var hubs []*sinkHub
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	var running sync.WaitGroup
	tb.Cleanup(func() { cancel(); running.Wait() })
	for range n {
		node, err := New(Options{Engine: network.Engine()})
		if err != nil {
			tb.Fatal(err)
		}
		h := &sinkHub{done: make(chan struct{}, 1)}
		node.Attach(h)
		running.Go(func() { _ = node.Run(ctx) })
		nodes, hubs = append(nodes, node), append(hubs, h)
	}
	deadline := time.Now().Add(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !nodes[0].Status().Settled || len(nodes[0].Status().Nodes) < n {
		if <-tick.C; time.Now().After(deadline) {
			tb.Fatal("the nodes do not agree")
		}
	}
	return nodes, hubs
}

func relayed(channel string) hub.Relayed {
	return hub.Relayed{App: "1", Channel: protocol.ChannelName(channel), Frame: frameOf(channel, strings.Repeat("x", 256))}
}

// The hub's side: under a shard's lock.
func BenchmarkPublish(b *testing.B) {
	node, err := New(Options{Engine: memory.New(memory.Options{}).Engine()})
	if err != nil {
		b.Fatal(err)
	}
	r := relayed("private-room-1234")
	b.ReportAllocs()
	for b.Loop() { // without a link: the queue is full, and each event takes an old one's place
		node.Publish(r)
	}
}

func BenchmarkChanged(b *testing.B) {
	for _, channels := range []int{1, 100_000} {
		b.Run(fmt.Sprint("channels=", channels), func(b *testing.B) {
			node, err := New(Options{Engine: memory.New(memory.Options{}).Engine()})
			if err != nil {
				b.Fatal(err)
			}
			keys := make([]hub.ShareKey, channels)
			for i := range keys {
				keys[i] = channelKey(fmt.Sprint("private-room-", i))
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				node.Changed(keys[i%channels])
			}
		})
	}
}

// From one node over the engine in memory to two others: the CPU of all three per event.
func BenchmarkRelay(b *testing.B) {
	nodes, hubs := benchNodes(b, 3)
	r := relayed("private-room-1234")
	for _, n := range nodes[1:] {
		n.Interest(r.App, r.Channel, true)
		n.Await(hub.Told)
	}
	const burst = 1000
	b.ReportAllocs()
	for b.Loop() {
		for _, h := range hubs[1:] {
			h.delivered.Store(0)
			h.wanted = burst
		}
		for range burst {
			nodes[0].Publish(r)
		}
		<-hubs[1].done
		<-hubs[2].done
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst), "ns/event")
}

// A change of a share from one node to two others.
func BenchmarkState(b *testing.B) {
	nodes, hubs := benchNodes(b, 3)
	hubs[0].share = hub.Share{Connections: 3}
	const burst = 1000
	keys := make([]hub.ShareKey, burst)
	for i := range keys {
		keys[i] = channelKey(fmt.Sprint("private-room-", i))
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, h := range hubs[1:] {
			h.applied.Store(0)
			h.wanted = burst
		}
		for _, k := range keys {
			nodes[0].Changed(k)
		}
		<-hubs[1].done
		<-hubs[2].done
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*burst), "ns/share")
}

// One barrier, alone.
func BenchmarkAwait(b *testing.B) {
	nodes, _ := benchNodes(b, 3)
	for _, c := range []struct {
		name    string
		barrier hub.Barrier
	}{{"told", hub.Told}, {"heard", hub.Heard}, {"both", hub.Told | hub.Heard}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				nodes[0].Changed(channelKey("a"))
				nodes[0].Await(c.barrier)
			}
		})
	}
}

// A beat that comes in, from one of a hundred nodes.
func BenchmarkBeat(b *testing.B) {
	node, err := New(Options{Engine: memory.New(memory.Options{}).Engine()})
	if err != nil {
		b.Fatal(err)
	}
	node.Attach(&sinkHub{done: make(chan struct{}, 1)})
	w := newWorker(node)
	const peers = 100
	beat := broker.Beat{Name: "node", Version: "v1", Nodes: peers, Numbers: make([]uint64, 128)}
	var buf []byte
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		beat.Count = 1 + i/peers
		buf = beat.Append(buf[:0], broker.NodeID(1+i%peers))
		w.message(buf)
	}
}

// A beat that goes out, with a hundred thousand channels: it does not depend on them.
func BenchmarkBeatOut(b *testing.B) {
	for _, channels := range []int{0, 100_000} {
		b.Run(fmt.Sprint("channels=", channels), func(b *testing.B) {
			node, err := New(Options{Engine: memory.New(memory.Options{}).Engine()})
			if err != nil {
				b.Fatal(err)
			}
			w := newWriter(node)
			w.numbers, w.ring.evicted = make([]uint64, 1), make([]uint64, 1)
			for i := range channels {
				node.Interest("1", protocol.ChannelName(fmt.Sprint("private-room-", i)), true)
			}
			b.ReportAllocs()
			for b.Loop() {
				w.batch.reset()
				w.encodeBeat(false)
			}
		})
	}
}

// Telling webhooks' filter of an edge, among a hundred nodes.
func BenchmarkEmit(b *testing.B) {
	node, err := New(Options{Engine: memory.New(memory.Options{}).Engine()})
	if err != nil {
		b.Fatal(err)
	}
	ids := []broker.NodeID{node.ID()}
	for i := range 99 {
		ids = append(ids, broker.NodeID(mix(uint64(i))))
	}
	node.filter.replace(func(h *homes) *homes { return h.changed(viewOf(ids)).settled() })
	n := hub.Notice{App: &apps.App{ID: "1"}, Name: hub.ChannelOccupied, Channel: "private-room-1234"}
	b.ReportAllocs()
	for b.Loop() {
		node.Emit(n)
	}
}

// What must not allocate, since it happens under the hub's locks.
func TestAllocations(t *testing.T) {
	node, err := New(Options{Engine: memory.New(memory.Options{}).Engine(), ReplayEvents: 1000})
	if err != nil {
		t.Fatal(err)
	}
	r, key := relayed("a"), channelKey("a")
	for range 3000 {
		node.Publish(r)
	}
	for name, f := range map[string]func(){
		"an event":                        func() { node.Publish(r) },
		"a change of what changed before": func() { node.Changed(key) },
		"interest that is as before":      func() { node.Interest("1", "a", true) },
	} {
		if n := testing.AllocsPerRun(1000, f); n > 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
