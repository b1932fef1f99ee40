package cluster

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// What one node of a large cluster has to do for the others, without its own
// connections: BenchmarkScale tells CPU time and memory of a real node and a real
// hub to which a hundred others are played. PIPESOCKETD_SCALE_CHANNELS (2,000) is how
// many channels there are, each with a subscription at ten of the nodes.
//
//	PIPESOCKETD_SCALE_CHANNELS=1000000 go test -run '^$' -bench Scale -timeout 30m ./internal/cluster
func BenchmarkScale(b *testing.B) {
	s := newScale(b, 100, scaleChannels(b), 10)
	b.Run("state", s.benchmarkState)
	b.Run("beats", s.benchmarkBeats)
	for _, batch := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("events/batch=%d", batch), func(b *testing.B) { s.benchmarkEvents(b, batch) })
		b.Run(fmt.Sprintf("echoes/batch=%d", batch), func(b *testing.B) { s.benchmarkEchoes(b, batch) })
	}
	for _, perMessage := range []int{1, 100} {
		b.Run(fmt.Sprintf("changes/per message=%d", perMessage), func(b *testing.B) { s.benchmarkChanges(b, perMessage) })
	}
	for _, batch := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("publish/batch=%d", batch), func(b *testing.B) { s.benchmarkPublish(b, batch) })
	}
	b.Run("death", s.benchmarkDeath)
}

func scaleChannels(b *testing.B) int {
	b.Helper()
	text := os.Getenv("PIPESOCKETD_SCALE_CHANNELS")
	if text == "" {
		return 2000
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// scale is a node among others that are played.
type scale struct {
	nodes    int
	channels int
	spread   int // nodes with subscriptions of a channel

	node *Node
	hub  *hub.Hub
	wire *wire
	ids  []broker.NodeID // of the others
	all  view

	beats   uint64
	seqs    []uint64 // by other node
	numbers []uint64

	grown   float64 // bytes of memory for the state of the others
	took    time.Duration
	arrived int // bytes
}

// newScale starts a node, and lets it hear of the others and all they have.
func newScale(b *testing.B, nodes, channels, spread int) *scale {
	b.Helper()
	app := apps.Defaults()
	app.ID, app.Keys = "1", auth.Keys{{Key: "k", Secret: "s"}}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		b.Fatal(err)
	}
	s := &scale{nodes: nodes, channels: channels, spread: spread, wire: newWire()}
	s.node, err = New(Options{Engine: s.wire, Registry: registry, Name: "n0", Version: "v1", Lease: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	s.wire.node = s.node
	s.hub = hub.New(hub.Options{Registry: registry, Notices: s.node, Relay: s.node})
	s.node.Attach(s.hub)
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // ended in a cleanup
	var running sync.WaitGroup
	running.Go(func() { _ = s.node.Run(ctx) })
	b.Cleanup(func() {
		cancel()
		running.Wait()
	})
	<-s.wire.dressed
	for i := range nodes - 1 {
		s.ids = append(s.ids, broker.NodeID(i+1))
	}
	s.all = viewOf(append([]broker.NodeID{s.node.id}, s.ids...))
	s.seqs, s.numbers = make([]uint64, len(s.ids)), make([]uint64, len(s.ids))
	s.tell(b)
	return s
}

// tell answers the questions of the node for the state of the others.
func (s *scale) tell(b *testing.B) {
	b.Helper()
	before, began := live(), time.Now()
	for i := range s.ids {
		s.hear(s.beat(i))
	}
	for range s.ids {
		q := <-s.wire.questions
		s.answer(q)
	}
	s.flush()
	s.took = time.Since(began)
	s.grown = float64(live()) - float64(before)
}

// live is what a collection leaves.
func live() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// hear gives the node a message.
func (s *scale) hear(messages ...[]byte) {
	for _, m := range messages {
		s.node.Receive(m)
	}
	s.node.Rest()
}

// flush returns when everything has been worked off.
func (s *scale) flush() {
	done := make(chan struct{})
	s.node.inbox.do(func(*worker) { close(done) })
	<-done
}

func (s *scale) beat(i int) []byte {
	beat := broker.Beat{
		Count: s.beats + 1, Seq: s.seqs[i], Heard: s.all.digest, Nodes: s.nodes, View: s.all.digest, Name: fmt.Sprintf("node-%d", i), Version: "v1",
		Connections: 100_000, Numbers: []uint64{s.numbers[i]},
	}
	return beat.Append(nil, s.ids[i])
}

func channelOf(i int) string { return fmt.Sprintf("channel-%08d", i) }

// has reports whether another node has subscriptions of a channel: the channel's
// nodes follow one another.
func (s *scale) has(other, channel int) bool {
	return (other-channel%len(s.ids)+len(s.ids))%len(s.ids) < s.spread
}

// answer sends the whole state of a node in parts, as nodes do.
func (s *scale) answer(q question) {
	other := int(q.to) - 1
	part := broker.Snapshot{Request: q.request}
	size := 0
	send := func() {
		m := part.Append(nil, q.to)
		s.arrived += len(m)
		s.hear(m)
		part.Shares, size = part.Shares[:0], 0
		part.Part++
	}
	for c := range s.channels {
		if !s.has(other, c) {
			continue
		}
		share := shareOf(channelOf(c), 1)
		part.Shares = append(part.Shares, share)
		if size += shareSize(&share); size > partBytes {
			send()
		}
	}
	part.End = true
	send()
}

func shareOf(channel string, connections int) hub.Share {
	return hub.Share{
		ShareKey:    hub.ShareKey{Kind: hub.ShareOfChannel, App: "1", Channel: protocol.ChannelName(channel)},
		Connections: connections,
	}
}

// benchmarkState tells what was measured at the beginning.
func (s *scale) benchmarkState(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(0, "ns/op")
	}
	shares := float64(s.channels * s.spread)
	b.ReportMetric(s.grown/float64(s.channels), "B/channel")
	b.ReportMetric(s.grown/shares, "B/share")
	b.ReportMetric(float64(s.took.Nanoseconds())/shares, "ns/share")
	b.ReportMetric(float64(s.arrived)/shares, "wire-B/share")
	b.ReportMetric(s.grown/(1<<20), "MiB")
}

// One operation is a second of being there: a beat of every other node.
func (s *scale) benchmarkBeats(b *testing.B) {
	b.ReportAllocs()
	size := len(s.beat(0))
	for b.Loop() {
		s.beats++
		for i := range s.ids {
			s.hear(s.beat(i))
		}
	}
	s.flush()
	b.ReportMetric(float64(size), "wire-B/beat")
}

// One operation is an event of another node for a channel without subscribers here:
// what the cluster adds to delivering.
func (s *scale) benchmarkEvents(b *testing.B, batch int) {
	frame := protocol.Event{Name: "e", Channel: "channel-00000001", Data: protocol.PayloadOfText(strings.Repeat("x", 128))}.Encode()
	b.ReportAllocs()
	var messages [][]byte
	for i := 0; b.Loop(); i++ {
		s.numbers[0]++
		e := broker.Event{
			Place:   broker.Place{Number: s.numbers[0], After: s.seqs[0]},
			Relayed: hub.Relayed{App: "1", Channel: "channel-00000001", Frame: frame},
		}
		if messages = append(messages, e.Append(nil, s.ids[0])); len(messages) == batch {
			s.hear(messages...)
			messages = messages[:0]
		}
	}
	s.hear(messages...)
	s.flush()
}

// One operation is an event of the node itself that comes back from the engine.
func (s *scale) benchmarkEchoes(b *testing.B, batch int) {
	frame := protocol.Event{Name: "e", Channel: "channel-00000001", Data: protocol.PayloadOfText(strings.Repeat("x", 128))}.Encode()
	e := broker.Event{Place: broker.Place{Number: 1}, Relayed: hub.Relayed{App: "1", Channel: "channel-00000001", Frame: frame}}
	own := e.Append(nil, s.node.id)
	var messages [][]byte
	for b.Loop() {
		if messages = append(messages, own); len(messages) == batch {
			s.hear(messages...)
			messages = messages[:0]
		}
	}
	s.flush()
}

// One operation is a channel that comes at another node, or goes.
func (s *scale) benchmarkChanges(b *testing.B, perMessage int) {
	b.ReportAllocs()
	var state broker.State
	bytes, ops := 0, 0
	for i := 0; b.Loop(); i++ {
		ops++
		state.Shares = append(state.Shares, shareOf(fmt.Sprintf("other-%08d", i/2), 1-i%2))
		if len(state.Shares) < perMessage {
			continue
		}
		s.seqs[0]++
		state.Seq = s.seqs[0]
		m := state.Append(nil, s.ids[0])
		bytes += len(m)
		s.hear(m)
		state.Shares = state.Shares[:0]
	}
	s.flush()
	b.ReportMetric(float64(bytes)/float64(max(ops, 1)), "wire-B/op")
}

// One operation is an event of this node until the engine has it.
func (s *scale) benchmarkPublish(b *testing.B, batch int) {
	frame := protocol.Event{Name: "e", Channel: "channel-00000001", Data: protocol.PayloadOfText(strings.Repeat("x", 128))}.Encode()
	b.ReportAllocs()
	published := 0
	for b.Loop() {
		s.node.Publish(hub.Relayed{App: "1", Channel: "channel-00000001", Frame: frame})
		if published++; published%batch == 0 {
			s.node.Await(hub.Told)
		}
	}
	s.node.Await(hub.Told)
	b.ReportMetric(float64(s.wire.eventBytes.Load())/float64(max(s.wire.events.Load(), 1)), "wire-B/op")
}

// One operation is the death of another node with all it has, which is told again.
func (s *scale) benchmarkDeath(b *testing.B) {
	last := len(s.ids) - 1
	shares := 0
	for c := range s.channels {
		if s.has(last, c) {
			shares++
		}
	}
	var spent time.Duration
	for b.Loop() {
		began := time.Now()
		s.hear(broker.AppendBye(nil, s.ids[last]))
		s.flush()
		spent += time.Since(began)
		b.StopTimer()
		s.beats++
		s.hear(s.beat(last))
		s.answer(<-s.wire.questions)
		s.flush()
		b.StartTimer()
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*max(shares, 1)), "ns/share")
}

// wire is an engine with one node. What that asks others comes out of questions.
type wire struct {
	node      *Node
	questions chan question
	dressed   chan struct{} // closed when everything is subscribed
	once      sync.Once

	events, eventBytes atomic.Int64
}

type question struct {
	to      broker.NodeID
	request uint64
}

func newWire() *wire {
	return &wire{questions: make(chan question, maxPeers), dressed: make(chan struct{})}
}

// Run implements broker.Engine.
func (w *wire) Run(ctx context.Context, r broker.Receiver) error {
	r.Up()
	<-ctx.Done()
	return nil
}

// Do implements broker.Engine: to all is to the node itself, and questions are kept.
func (w *wire) Do(_ context.Context, commands []broker.Command) error {
	for _, c := range commands {
		h, body, err := broker.Open(c.Message)
		if c.Op != broker.Publish || err != nil {
			continue
		}
		switch h.Kind {
		case broker.KindEvent:
			w.events.Add(1)
			w.eventBytes.Add(int64(len(c.Message)))
		case broker.KindBeat:
			w.node.Receive(append([]byte(nil), c.Message...))
			w.node.Rest()
			w.once.Do(func() { close(w.dressed) })
		case broker.KindSnapshotRequest:
			if r, err := broker.ReadSnapshotRequest(body); err == nil {
				w.questions <- question{c.Subject.Node, r.Request}
			}
		}
	}
	return nil
}

func (*wire) Fence(context.Context) error  { return nil }
func (*wire) Reconnect(error)              {}
func (*wire) Lanes() int                   { return 1 }
func (*wire) Lane(broker.Subject) int      { return 0 }
func (*wire) Mesh() bool                   { return false }
func (*wire) Describe() broker.Description { return broker.Description{Engine: "wire"} }
