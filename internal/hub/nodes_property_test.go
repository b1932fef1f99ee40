package hub

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// P-113 and §2.5 on three nodes, whatever the delays between them: what they make of it is what one
// node would.
func TestNodesAgree(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := scenario{
			seed:    rapid.Uint64().Draw(rt, "seed"),
			clients: rapid.SliceOfN(rapid.Custom(drawScript), 1, 7).Draw(rt, "clients"),
			forgets: rapid.SliceOfN(rapid.IntRange(0, 17), 0, 3).Draw(rt, "forgets"),
			leave:   rapid.Bool().Draw(rt, "leave"),
		}
		t.Run("", func(t *testing.T) {
			inBubble(t, func(t *testing.T) { s.run(t) })
		})
		if t.Failed() {
			rt.Fatalf("differs from the model")
		}
	})
}

// scenario is what several clients do at the same time.
type scenario struct {
	seed    uint64
	clients []script
	forgets []int // observer * 3 + forgotten; from 9 on, what is told is lost for a while
	leave   bool  // everybody detaches at the end
}

type script struct {
	node  int
	user  string
	steps []scriptStep
}

type scriptStep struct {
	kind    string
	channel string
	pause   time.Duration
}

var propertyChannels = []string{"presence-cache-a", "presence-b", "private-c", "cache-d"}

func drawScript(rt *rapid.T) script {
	return script{
		node:  rapid.IntRange(0, 2).Draw(rt, "node"),
		user:  rapid.SampledFrom([]string{"u", "v", "w"}).Draw(rt, "user"),
		steps: rapid.SliceOfN(rapid.Custom(drawScriptStep), 1, 12).Draw(rt, "steps"),
	}
}

func drawScriptStep(rt *rapid.T) scriptStep {
	kinds := []string{"subscribe", "subscribe", "subscribe", "unsubscribe", "publish", "publish", "client", "signin", "detach"}
	return scriptStep{
		kind:    rapid.SampledFrom(kinds).Draw(rt, "kind"),
		channel: rapid.SampledFrom(propertyChannels).Draw(rt, "channel"),
		pause:   time.Duration(rapid.IntRange(0, 4000).Draw(rt, "pause")) * time.Microsecond,
	}
}

// actor is a client of a scenario, and what has become of it.
type actor struct {
	*client
	script
	node *node
	name string

	on       map[string]map[string]int // by channel: the numbers each publisher will give next, when it succeeded
	signedIn bool
	gone     bool
}

// property is a running scenario.
type property struct {
	*nodes
	t      *testing.T
	actors []*actor
	next   map[string]*atomic.Int64 // by channel and publisher
}

func (s *scenario) run(t *testing.T) {
	p := &property{
		nodes: newNodes(t, 3, 3*time.Millisecond, s.seed, withWatchlists), t: t,
		next: make(map[string]*atomic.Int64),
	}
	watchers := p.watch()
	for i, script := range s.clients {
		x := p.all[script.node]
		a := &actor{
			client: x.connect(), script: script, node: x, name: fmt.Sprint("c", i), on: make(map[string]map[string]int),
		}
		p.actors = append(p.actors, a)
		for _, channel := range propertyChannels {
			p.next[channel+a.name] = new(atomic.Int64)
		}
	}
	var work sync.WaitGroup
	for _, a := range p.actors {
		work.Go(func() { p.play(a) })
	}
	work.Go(func() {
		for _, f := range s.forgets {
			time.Sleep(5 * time.Millisecond)
			if x, other := p.all[f/3%3], p.all[f%3]; x != other && f < 9 {
				x.forget(other)
			} else if x != other {
				x.miss(other)
			}
		}
	})
	work.Wait()
	p.settle()
	p.check(watchers)
	if s.leave {
		p.leave(watchers)
	}
}

// watch has somebody on each node who watches all users.
func (p *property) watch() []*client {
	var all []*client
	for i, x := range p.all {
		c := x.connect()
		mustSignin(p.t, c, fmt.Sprintf(`{"id":"watcher-%d","watchlist":["u","v","w"]}`, i))
		all = append(all, c)
	}
	return all
}

func (p *property) play(a *actor) {
	for i, s := range a.steps {
		time.Sleep(s.pause)
		p.step(a, i, s)
	}
}

func (p *property) step(a *actor, i int, s scriptStep) {
	switch s.kind {
	case "subscribe":
		p.subscribe(a, i, s.channel)
	case "unsubscribe":
		if a.a.Unsubscribe(nil, s.channel) == nil {
			delete(a.on, s.channel)
		}
	case "publish":
		n := p.next[s.channel+a.name].Add(1) - 1
		a.node.publish(s.channel, a.name, fmt.Sprint(n))
	case "client":
		if a.on[s.channel] == nil || !protocol.ChannelName(s.channel).Kind().NeedsAuth() {
			return
		}
		if refusal := a.clientEvent(s.channel, "client-"+a.name, `"x"`); refusal != nil {
			p.t.Errorf("client event: %v", refusal)
		}
	case "signin":
		if a.signin(fmt.Sprintf(`{"id":%q}`, a.user)) == nil && !a.gone {
			a.signedIn = true
		}
	case "detach":
		a.a.Detach(nil)
		a.gone, a.signedIn = true, false
		clear(a.on)
	}
}

func (p *property) subscribe(a *actor, i int, channel string) {
	data := fmt.Sprintf(`{"user_id":%q,"user_info":{"by":"%s.%d"}}`, a.user, a.name, i)
	r := SubscribeRequest{Channel: channel, ChannelData: &data}
	name := protocol.ChannelName(channel)
	if name.Kind().NeedsAuth() {
		r.Auth = auth.Token(pair, auth.ChannelText(a.a.SocketID(), name, r.ChannelData))
	}
	if a.a.Subscribe(nil, r) != nil || a.gone {
		return
	}
	from := make(map[string]int)
	for _, other := range p.actors {
		from[other.name] = int(p.next[channel+other.name].Load())
	}
	a.on[channel] = from
}
