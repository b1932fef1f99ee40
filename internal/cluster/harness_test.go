package cluster

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fakeHub keeps what a hub would, and no connections. Its lock plays the part of the hub's
// locks: methods of the relay are called with it held.
type fakeHub struct {
	mu         sync.Mutex
	relay      hub.Relay
	notices    hub.NoticeSink
	app        *apps.App
	own        map[hub.ShareKey]hub.Share
	far        map[hub.Node]map[hub.ShareKey]hub.Share
	fills      map[protocol.ChannelName]hub.Relayed
	events     []string // "channel text", in the order of delivery
	terminated []string // users
	gaps       []protocol.ChannelName
	channels   map[protocol.ChannelName]int // that are occupied here
}

func newFakeHub(relay hub.Relay, notices hub.NoticeSink) *fakeHub {
	return &fakeHub{
		relay: relay, notices: notices, app: &apps.App{ID: "1"},
		own: make(map[hub.ShareKey]hub.Share), far: make(map[hub.Node]map[hub.ShareKey]hub.Share),
		fills: make(map[protocol.ChannelName]hub.Relayed), channels: make(map[protocol.ChannelName]int),
	}
}

func channelKey(channel string) hub.ShareKey {
	return hub.ShareKey{Kind: hub.ShareOfChannel, App: "1", Channel: protocol.ChannelName(channel)}
}

func memberKey(channel, user string) hub.ShareKey {
	return hub.ShareKey{Kind: hub.ShareOfMember, App: "1", Channel: protocol.ChannelName(channel), UserID: user}
}

// change makes f's change of an own share, with all that follows from it.
func (h *fakeHub) change(k hub.ShareKey, f func(*hub.Share)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.onLocked(edgeOfKey(k))
	before := h.own[k]
	s := before
	s.ShareKey = k
	f(&s)
	h.own[k] = s
	if s.Zero() {
		delete(h.own, k)
	}
	if k.Kind == hub.ShareOfChannel && (before.Connections > 0) != (s.Connections > 0) {
		h.relay.Interest(k.App, k.Channel, s.Connections > 0)
	}
	h.noticeLocked(k, was)
	h.relay.Changed(k)
}

func edgeOfKey(k hub.ShareKey) hub.Edge {
	return hub.Edge{App: k.App, Channel: k.Channel, UserID: k.UserID, Member: k.Kind == hub.ShareOfMember}
}

func (h *fakeHub) noticeLocked(k hub.ShareKey, was bool) {
	if k.Kind != hub.ShareOfChannel && k.Kind != hub.ShareOfMember {
		return
	}
	e := edgeOfKey(k)
	if is := h.onLocked(e); is != was {
		h.notices.Emit((&filter{}).notice(e, is))
	}
}

func (h *fakeHub) onLocked(e hub.Edge) bool {
	k := hub.ShareKey{Kind: hub.ShareOfChannel, App: e.App, Channel: e.Channel}
	if e.Member {
		k.Kind, k.UserID = hub.ShareOfMember, e.UserID
	}
	if s := h.own[k]; s.Connections > 0 || s.Present {
		return true
	}
	for _, shares := range h.far {
		if s := shares[k]; s.Connections > 0 || s.Present {
			return true
		}
	}
	return false
}

func (h *fakeHub) join(channel string) {
	h.change(channelKey(channel), func(s *hub.Share) { s.Connections++ })
}

func (h *fakeHub) leave(channel string) {
	h.change(channelKey(channel), func(s *hub.Share) { s.Connections-- })
}

func (h *fakeHub) enter(channel, user string) {
	h.change(memberKey(channel, user), func(s *hub.Share) { s.Present, s.Info = true, `{"n":1}` })
}

func (h *fakeHub) exit(channel, user string) {
	h.change(memberKey(channel, user), func(s *hub.Share) { s.Present = false })
}

func (h *fakeHub) publish(channel, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.relay.Publish(hub.Relayed{App: "1", Channel: protocol.ChannelName(channel), Frame: frameOf(channel, text)})
}

func (h *fakeHub) fill(channel, text string, count uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := hub.Relayed{App: "1", Channel: protocol.ChannelName(channel), Frame: frameOf(channel, text), Fill: &hub.CacheFill{
		Event: "e", Data: protocol.PayloadOfText(text), TTL: time.Minute, Stamp: hub.Stamp{Count: count, Node: 7},
	}}
	h.fills[r.Channel] = r
	h.relay.Publish(r)
}

func frameOf(channel, text string) protocol.Wire {
	return protocol.Event{Name: "e", Channel: protocol.ChannelName(channel), Data: protocol.PayloadOfText(text)}.Encode()
}

func (h *fakeHub) Share(k hub.ShareKey) hub.Share {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.own[k]
	s.ShareKey = k
	return s
}

func (h *fakeHub) Shares() iter.Seq[hub.Share] {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Values(slices.Collect(maps.Values(h.own)))
}

func (h *fakeHub) Apply(n hub.Node, s hub.Share) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.applyLocked(n, s)
}

func (h *fakeHub) applyLocked(n hub.Node, s hub.Share) {
	was := h.onLocked(edgeOfKey(s.ShareKey))
	if h.far[n] == nil {
		h.far[n] = make(map[hub.ShareKey]hub.Share)
	}
	h.far[n][s.ShareKey] = s
	if s.Zero() {
		delete(h.far[n], s.ShareKey)
	}
	h.noticeLocked(s.ShareKey, was)
}

func (h *fakeHub) Retain(n hub.Node, keep func(hub.ShareKey) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, k := range slices.Collect(maps.Keys(h.far[n])) {
		if !keep(k) {
			h.applyLocked(n, hub.Share{ShareKey: k})
		}
	}
}

func (h *fakeHub) Forget(n hub.Node) {
	h.Retain(n, func(hub.ShareKey) bool { return false })
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.far, n)
}

func (h *fakeHub) Deliver(_ *hub.Turn, _ hub.Node, r hub.Relayed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.Fill != nil {
		if old, ok := h.fills[r.Channel]; !ok || old.Fill.Stamp.Before(r.Fill.Stamp) {
			h.fills[r.Channel] = r
		}
	}
	if s := h.own[channelKey(string(r.Channel))]; len(r.Frame) == 0 || s.Connections == 0 {
		return
	}
	f, err := testkit.ParseFrames(r.Frame)
	if err != nil {
		panic(err)
	}
	h.events = append(h.events, fmt.Sprintf("%s %s", r.Channel, f[0].Data))
}

func (h *fakeHub) Terminated(_ apps.ID, user string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.terminated = append(h.terminated, user)
}

func (h *fakeHub) Fills() iter.Seq[hub.Relayed] {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Values(slices.Collect(maps.Values(h.fills)))
}

func (h *fakeHub) Gap(lost func(apps.ID, protocol.ChannelName) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, s := range h.own {
		if k.Kind == hub.ShareOfChannel && s.Connections > 0 && lost(k.App, k.Channel) {
			h.gaps = append(h.gaps, k.Channel)
		}
	}
}

func (h *fakeHub) On(e hub.Edge) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.onLocked(e)
}

func (h *fakeHub) AllOn() iter.Seq[hub.Edge] {
	h.mu.Lock()
	defer h.mu.Unlock()
	on := make(map[hub.Edge]struct{})
	for _, shares := range append(slices.Collect(maps.Values(h.far)), h.own) {
		for k, s := range shares {
			if k.Kind <= hub.ShareOfMember && (s.Connections > 0 || s.Present) {
				on[edgeOfKey(k)] = struct{}{}
			}
		}
	}
	return maps.Keys(on)
}

// took returns what was delivered since the last call, once nothing is on its way.
func (h *fakeHub) took() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	events := h.events
	h.events = nil
	return events
}

// sees returns the merged truth, as "key connections" or "key info", sorted.
func (h *fakeHub) sees() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	sums := make(map[hub.ShareKey]int)
	for _, shares := range append(slices.Collect(maps.Values(h.far)), h.own) {
		for k, s := range shares {
			sums[k] += s.Connections
		}
	}
	var all []string
	for k, n := range sums {
		all = append(all, fmt.Sprintf("%s/%s=%d", k.Channel, k.UserID, n))
	}
	sort.Strings(all)
	return strings.Join(all, " ")
}

// fakeWebhooks notes what webhooks are told, and holds falls for a delay.
type fakeWebhooks struct {
	delay time.Duration
	log   *webhookLog
	node  *Node

	mu       sync.Mutex
	held     map[hub.Edge]*time.Timer
	restored int
	forgot   int
	earlier  []hub.Edge // told by an earlier process

	dead  atomic.Bool // the process was killed, so nothing is told any more
	fatal atomic.Bool // the process is killed as soon as it has told the next thing
}

// webhookLog is what the receiver of webhooks gets from all nodes.
type webhookLog struct {
	mu  sync.Mutex
	all []string
	on  map[hub.Edge]bool
	by  map[hub.Edge]string // who has told that
	odd []string            // tellings that do not alternate
}

func newWebhookLog() *webhookLog {
	return &webhookLog{on: make(map[hub.Edge]bool), by: make(map[hub.Edge]string)}
}

func (l *webhookLog) told(name string, e hub.Edge, on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := fmt.Sprintf("%s %s", e.Channel, mark(on))
	if e.Member {
		text = fmt.Sprintf("%s/%s %s", e.Channel, e.UserID, mark(on))
	}
	l.all = append(l.all, text)
	if l.on[e] == on {
		l.odd = append(l.odd, name+": "+text)
	}
	l.on[e], l.by[e] = on, name
}

func mark(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (l *webhookLog) take() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.all
	l.all = nil
	return all
}

func (w *fakeWebhooks) Wants(hub.Notice) bool { return true }

func (w *fakeWebhooks) Emit(n hub.Notice) {
	e, rises, edge := edgeOf(n)
	if !edge {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if rises {
		if t := w.held[e]; t != nil {
			t.Stop()
			delete(w.held, e)
			return
		}
		w.tellLocked(e, true)
		return
	}
	if w.delay == 0 {
		w.tellLocked(e, false)
		return
	}
	w.holdLocked(e)
}

func (w *fakeWebhooks) holdLocked(e hub.Edge) {
	if w.held[e] != nil {
		return
	}
	var t *time.Timer
	t = time.AfterFunc(w.delay, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.held[e] == t {
			delete(w.held, e)
			w.tellLocked(e, false)
		}
	})
	w.held[e] = t
}

func (w *fakeWebhooks) tellLocked(e hub.Edge, on bool) {
	if w.node.OnTold(e, on) {
		w.deliver(e, on)
	}
}

func (w *fakeWebhooks) Tell(n hub.Notice) {
	e, on, _ := edgeOf(n)
	w.deliver(e, on)
}

func (w *fakeWebhooks) deliver(e hub.Edge, on bool) {
	if w.dead.Load() {
		return
	}
	w.log.told(w.node.options.Name, e, on)
	if w.fatal.Load() {
		w.dead.Store(true)
		w.node.options.Engine.(*memory.Engine).Cut()
	}
}

func (w *fakeWebhooks) Withdraw(moved func(hub.Edge) bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for e, t := range w.held {
		if moved(e) {
			t.Stop()
			delete(w.held, e)
		}
	}
}

func (w *fakeWebhooks) RestoreEdges() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.restored++
	for _, e := range w.earlier {
		w.node.OnTold(e, true) // it does not matter what that returns
		w.holdLocked(e)
	}
}

func (w *fakeWebhooks) ForgetTold(hub.Edge) {}

func (w *fakeWebhooks) ForgetAllTold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.forgot++
}

// nest is a cluster in one bubble.
type nest struct {
	t       *testing.T
	network *memory.Network
	log     *webhookLog
	delay   time.Duration // of webhooks
	change  func(*Options)
	nodes   []*testNode
}

// testNode is one node of it.
type testNode struct {
	*fakeHub

	t        *testing.T
	node     *Node
	engine   *memory.Engine
	webhooks *fakeWebhooks
	registry *prometheus.Registry
	cancel   context.CancelFunc
	ended    chan struct{}
}

func newNest(t *testing.T, o memory.Options) *nest {
	return &nest{t: t, network: memory.New(o), log: newWebhookLog()}
}

// start starts a node, which is stopped at the end of the bubble at the latest.
func (n *nest) start() *testNode {
	n.t.Helper()
	x := &testNode{
		t: n.t, engine: n.network.Engine(), registry: prometheus.NewRegistry(), ended: make(chan struct{}),
		webhooks: &fakeWebhooks{delay: n.delay, log: n.log, held: make(map[hub.Edge]*time.Timer)},
	}
	o := Options{
		Engine: x.engine, Webhooks: x.webhooks, Name: fmt.Sprintf("n%d", len(n.nodes)), Version: "v1",
		Metrics: x.registry, GapNotice: true, GraceDelay: n.delay,
	}
	if n.change != nil {
		n.change(&o)
	}
	node, err := New(o)
	if err != nil {
		n.t.Fatal(err)
	}
	x.node, x.webhooks.node = node, node
	x.fakeHub = newFakeHub(node, node)
	node.Attach(x.fakeHub)
	ctx, cancel := context.WithCancel(n.t.Context())
	x.cancel = cancel
	go func() {
		defer close(x.ended)
		if err := node.Run(ctx); err != nil {
			n.t.Errorf("run: %v", err)
		}
	}()
	n.t.Cleanup(x.stop)
	n.nodes = append(n.nodes, x)
	return x
}

// startAll starts several nodes and waits until each is home of its channels.
func (n *nest) startAll(count int) []*testNode {
	n.t.Helper()
	for range count {
		n.start()
	}
	n.settle()
	return n.nodes
}

// settle waits until all nodes that run agree.
func (n *nest) settle() {
	n.t.Helper()
	eventually(n.t, 30*time.Second, "all nodes agree on who is alive", func() bool {
		for _, x := range n.nodes {
			if s := x.node.Status(); x.runs() && (!s.Settled || len(s.Nodes) != n.running()) {
				return false
			}
		}
		return true
	})
}

func (n *nest) running() int {
	count := 0
	for _, x := range n.nodes {
		if x.runs() {
			count++
		}
	}
	return count
}

// stop ends a node as a process ends that is told to: its connections are gone
// first.
func (x *testNode) stop() {
	x.cancel()
	<-x.ended
	x.webhooks.Withdraw(func(hub.Edge) bool { return true }) // the process is gone
}

// kill ends a node without a word to anybody.
func (x *testNode) kill() {
	x.webhooks.dead.Store(true)
	x.engine.Cut()
	synctest.Wait()
	x.stop()
}

func (x *testNode) runs() bool {
	select {
	case <-x.ended:
		return false
	default:
		return true
	}
}

// counter returns the sum of a metric over its labels that are given as "value".
func (x *testNode) counter(name string, labels ...string) float64 {
	families, err := x.registry.Gather()
	if err != nil {
		x.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != "pipesocketd_cluster_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			if has(m, labels) {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return sum
}

func has(m *dto.Metric, labels []string) bool {
	for _, want := range labels {
		if !slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetValue() == want }) {
			return false
		}
	}
	return true
}

// eventually lets time pass until the condition holds, in a bubble.
func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); ; {
		synctest.Wait()
		if holds() {
			return
		}
		if time.Since(start) > limit {
			t.Fatalf("not within %v: %s", limit, what)
		}
		pass(10 * time.Millisecond)
	}
}

// pass lets time pass, in a bubble.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantList(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
