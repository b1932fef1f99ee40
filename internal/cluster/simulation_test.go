package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Random schedules of clients and faults on real hubs: when the faults are over,
// all nodes, all clients and webhooks know the same, which is the truth; and what
// clients have been told on the way makes sense.
func TestSimulation(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plan := drawPlan(rt)
		if !t.Run("", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { plan.run(t) })
		}) {
			rt.Fatalf("failed with %+v", plan)
		}
	})
}

// plan is what happens in one simulation.
type plan struct {
	lanes  int
	mesh   bool
	delay  time.Duration // of the network
	grace  time.Duration // of webhooks
	faults bool
	steps  []planStep
}

type planStep struct {
	op    string
	node  int
	what  int // a channel, a client, a user
	pause time.Duration
}

func drawPlan(rt *rapid.T) plan {
	p := plan{
		lanes:  rapid.SampledFrom([]int{1, 5}).Draw(rt, "lanes"),
		mesh:   rapid.Bool().Draw(rt, "mesh"),
		delay:  time.Duration(rapid.SampledFrom([]int{0, 1, 20}).Draw(rt, "delay")) * time.Millisecond,
		grace:  time.Duration(rapid.SampledFrom([]int{0, 1000, 3000}).Draw(rt, "grace")) * time.Millisecond,
		faults: rapid.Bool().Draw(rt, "faults"),
	}
	ops := []string{"connect", "connect", "connect", "connect", "detach", "detach", "publish", "publish", "publish", "join", "leave"}
	if p.faults {
		ops = append(ops, "cut", "heal", "heal", "stop", "start", "start", "kill", "fail", "hang", "split", "unite")
	}
	step := rapid.Custom(func(rt *rapid.T) planStep {
		return planStep{
			op:    rapid.SampledFrom(ops).Draw(rt, "op"),
			node:  rapid.IntRange(0, 3).Draw(rt, "node"),
			what:  rapid.IntRange(0, 5).Draw(rt, "what"),
			pause: time.Duration(rapid.SampledFrom([]int{0, 1, 10, 100, 700, 3000, 9000}).Draw(rt, "pause")) * time.Millisecond,
		}
	})
	p.steps = rapid.SliceOfN(step, 5, 60).Draw(rt, "steps")
	return p
}

var simulated = []protocol.ChannelName{"presence-a", "presence-b", "c", "d", "presence-e", "f"}

// simulation is a plan that is being run.
type simulation struct {
	plan

	t        *testing.T
	network  *memory.Network
	log      *webhookLog
	registry *apps.Registry
	app      *apps.App
	nodes    []*hubNode
	clients  []*simClient
	sent     map[string]int // by node and channel: how many events were published
	broken   bool           // the engine
}

// hubNode is a node with a real hub.
type hubNode struct {
	name     string
	started  time.Time
	node     *Node
	hub      *hub.Hub
	engine   *memory.Engine
	webhooks *fakeWebhooks
	stop     func()
	gone     bool
	killed   bool
	broken   bool      // its link
	healed   time.Time // when that ended
	lonely   bool      // it ended while there were other faults: nobody may know what it knew
}

func (p plan) run(t *testing.T) {
	app := apps.Defaults()
	app.ID, app.Keys, app.MaxPresenceMembers = "1", auth.Keys{{Key: "k", Secret: "s"}}, 1000
	app.Webhooks = []apps.Endpoint{{Events: []string{"channel_occupied", "channel_vacated", "member_added", "member_removed"}}}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	s := &simulation{
		plan: p, t: t, registry: registry, app: &app, sent: make(map[string]int),
		log:     newWebhookLog(),
		network: memory.New(memory.Options{Lanes: p.lanes, Mesh: p.mesh, Delay: p.delay, MeshDelay: p.delay}),
	}
	for range 3 {
		s.join()
	}
	s.settle()
	for _, step := range p.steps {
		s.do(step)
		pass(step.pause)
	}
	s.repair()
	s.settle()
	pass(10*time.Second + s.grace)
	s.check()
	for _, x := range s.nodes {
		x.stop()
	}
}

// join starts another node.
func (s *simulation) join() {
	x := &hubNode{name: fmt.Sprint("n", len(s.nodes)), engine: s.network.Engine(), started: time.Now()}
	x.webhooks = &fakeWebhooks{delay: s.grace, log: s.log, held: make(map[hub.Edge]*time.Timer)}
	node, err := New(Options{Engine: x.engine, Webhooks: x.webhooks, Registry: s.registry, Name: x.name, ReplayAge: time.Hour, GraceDelay: s.grace})
	if err != nil {
		s.t.Fatal(err)
	}
	x.node, x.webhooks.node = node, node
	x.hub = hub.New(hub.Options{Registry: s.registry, Notices: node, Relay: node})
	node.Attach(x.hub)
	nodeContext, stopNode := context.WithCancel(s.t.Context())
	hubContext, stopHub := context.WithCancel(s.t.Context())
	var nodeEnd, hubEnd sync.WaitGroup
	nodeEnd.Go(func() { _ = node.Run(nodeContext) })
	hubEnd.Go(func() { _ = x.hub.Run(hubContext) })
	x.stop = sync.OnceFunc(func() {
		stopNode()
		nodeEnd.Wait()
		stopHub()
		hubEnd.Wait()
		x.webhooks.Withdraw(func(hub.Edge) bool { return true })
		x.gone = true
	})
	s.nodes = append(s.nodes, x)
	pass(0)
}

// of returns a node that runs, nil if there would be too few others.
func (s *simulation) of(n int) *hubNode {
	running := s.running()
	return running[n%len(running)]
}

func (s *simulation) running() []*hubNode {
	return slices.DeleteFunc(slices.Clone(s.nodes), func(x *hubNode) bool { return x.gone })
}

func (s *simulation) do(step planStep) {
	x := s.of(step.node)
	switch step.op {
	case "connect":
		if !x.serves() {
			return
		}
		s.connect(x, fmt.Sprint("u", step.what%4), simulated[step.what])
	case "detach":
		if open := s.open(); len(open) > 0 {
			open[step.what%len(open)].detach()
		}
	case "publish":
		if x.serves() {
			s.publish(x, simulated[step.what])
		}
	case "join":
		if len(s.running()) < 5 {
			s.join()
		}
	case "leave":
		if len(s.running()) > 2 && (!s.faults || x.node.link.Load().up) {
			s.end(x)
		}
	case "kill":
		if len(s.running()) > 2 {
			x.webhooks.dead.Store(true)
			x.engine.Cut()
			x.killed = true
			synctest.Wait()
			s.end(x)
		}
	case "cut":
		x.broken = true
		x.engine.Cut()
	case "hang":
		x.broken = true
		x.engine.Hang()
	case "heal":
		x.heal()
	case "fail":
		x.broken = true
		x.engine.FailAfter(step.what)
	case "stop":
		s.broken = true
		s.network.Stop()
	case "start":
		s.network.Start()
	case "split":
		if s.mesh {
			s.broken = true
			s.network.Split([]*memory.Engine{x.engine})
		}
	case "unite":
		s.network.Split()
	}
}

// end ends a node as a process ends: its connections first.
func (s *simulation) end(x *hubNode) {
	x.lonely = s.broken || slices.ContainsFunc(s.running(), (*hubNode).unwell)
	for _, c := range s.open() {
		if c.node == x {
			if x.killed {
				c.gone = true
				continue
			}
			c.detach()
		}
	}
	synctest.Wait()
	x.stop()
}

// serves reports whether clients and backends are sent to the node yet.
func (x *hubNode) serves() bool {
	return x.node.serving.Load() || time.Since(x.started) >= 6*time.Second
}

func (x *hubNode) heal() {
	if x.broken {
		x.broken, x.healed = false, time.Now()
	}
	x.engine.Heal()
}

// unwell reports whether its link is broken, or was a moment ago: what it has begun to send on a link
// that hung is not given up yet.
func (x *hubNode) unwell() bool { return x.broken || time.Since(x.healed) < 6*time.Second }

// repair ends all faults.
func (s *simulation) repair() {
	s.network.Start()
	s.network.Split()
	for _, x := range s.running() {
		x.engine.FailAfter(-1)
		x.engine.Heal()
	}
}

func (s *simulation) settle() {
	s.t.Helper()
	eventually(s.t, time.Minute+maxMinority, "all nodes agree on who is alive", func() bool {
		for _, x := range s.running() {
			if status := x.node.Status(); !status.Settled || len(status.Nodes) != len(s.running()) {
				return false
			}
		}
		return true
	})
}

func (s *simulation) open() []*simClient {
	return slices.DeleteFunc(slices.Clone(s.clients), func(c *simClient) bool { return c.gone })
}

func (s *simulation) publish(x *hubNode, channel protocol.ChannelName) {
	from := x.name + " " + string(channel)
	s.sent[from]++
	x.hub.Publish(s.app, hub.Publication{
		Channel: channel, Event: x.name, Data: protocol.PayloadOfText(strconv.Itoa(s.sent[from])),
	})
}

func (s *simulation) check() {
	s.t.Helper()
	truth := s.truth()
	for _, x := range s.running() {
		if got := describe(s.app, x.hub); got != truth {
			s.t.Errorf("%s sees %s, truth is %s", x.name, got, truth)
		}
	}
	for _, c := range s.clients {
		c.check()
	}
	s.checkWebhooks()
}

// truth is what the clients that are open make up.
func (s *simulation) truth() string {
	count, users := make(map[protocol.ChannelName]int), make(map[protocol.ChannelName]map[string]bool)
	for _, c := range s.open() {
		count[c.channel]++
		if users[c.channel] == nil {
			users[c.channel] = make(map[string]bool)
		}
		if c.channel.Kind().Has(protocol.Presence) {
			users[c.channel][c.user] = true
		}
	}
	var all []string
	for _, channel := range slices.Sorted(maps.Keys(count)) {
		all = append(all, fmt.Sprint(channel, count[channel], slices.Sorted(maps.Keys(users[channel]))))
	}
	return strings.Join(all, " ")
}

// describe is the same as a hub sees it.
func describe(app *apps.App, h *hub.Hub) string {
	var all []string
	for _, c := range h.Channels(app, "") {
		all = append(all, fmt.Sprint(c.Name, c.Subscriptions, h.Users(app, c.Name)))
	}
	return strings.Join(all, " ")
}

func (s *simulation) named(name string) *hubNode {
	return s.nodes[slices.IndexFunc(s.nodes, func(x *hubNode) bool { return x.name == name })]
}

func (s *simulation) checkWebhooks() {
	on := make(map[hub.Edge]bool)
	for e := range s.running()[0].hub.AllOn() {
		on[e] = true
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for e, told := range s.log.on {
		if told && !on[e] && !s.named(s.log.by[e]).lonely {
			s.t.Errorf("webhooks believe that %v is on", e)
		}
	}
	for e := range on {
		if by := s.log.by[e]; !s.log.on[e] && (by == "" || !s.named(by).lonely) {
			s.t.Errorf("webhooks do not know that %v is on", e)
		}
	}
	if !s.faults && len(s.log.odd) > 0 {
		s.t.Errorf("webhooks were told twice, without faults: %q", s.log.odd)
	}
}
