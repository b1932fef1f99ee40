package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
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
		a.a.Detach()
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

// check compares every node and every connection with what is true.
func (p *property) check(watchers []*client) {
	subscriptions, users, online := make(map[string]int), make(map[string][]string), p.signedIn()
	for _, a := range p.actors {
		for channel := range a.on {
			subscriptions[channel]++
			if protocol.ChannelName(channel).Kind().Has(protocol.Presence) && !slices.Contains(users[channel], a.user) {
				users[channel] = append(users[channel], a.user)
			}
		}
	}
	for _, x := range p.all {
		for _, channel := range propertyChannels {
			slices.Sort(users[channel])
			p.checkChannel(x, channel, subscriptions[channel], users[channel])
		}
		if got := x.online(); !slices.Equal(got, online) {
			p.t.Errorf("node %d: online %v, want %v", x.n, got, online)
		}
	}
	for i, w := range watchers {
		p.checkWatcher(i, w, online)
	}
	for _, a := range p.actors {
		p.checkActor(a, users)
	}
}

func (p *property) signedIn() []string {
	online := map[string]bool{"watcher-0": true, "watcher-1": true, "watcher-2": true}
	for _, a := range p.actors {
		if a.signedIn {
			online[a.user] = true
		}
	}
	return slices.Sorted(maps.Keys(online))
}

func (p *property) checkChannel(x *node, channel string, subscriptions int, users []string) {
	name := protocol.ChannelName(channel)
	info := x.hub.Channel(x.app, name)
	if info.Subscriptions != subscriptions || info.Users != len(users) {
		p.t.Errorf("node %d, %s: %+v, want %d subscriptions of %v", x.n, channel, info, subscriptions, users)
	}
	if got := x.hub.Users(x.app, name); !slices.Equal(got, users) {
		p.t.Errorf("node %d, %s: users %v, want %v", x.n, channel, got, users)
	}
	if on := x.hub.On(Edge{App: x.app.ID, Channel: name}); on != (subscriptions > 0) {
		p.t.Errorf("node %d, %s: occupied %v with %d subscriptions", x.n, channel, on, subscriptions)
	}
	first := p.all[0]
	for _, user := range users {
		if got, want := x.memberInfo(name, user), first.memberInfo(name, user); got != want {
			p.t.Errorf("node %d, %s: info of %s is %s, node 0 has %s", x.n, channel, user, got, want)
		}
	}
	got, _ := x.hub.Cached(x.app, name)
	if want, _ := first.hub.Cached(x.app, name); got.Event != want.Event || string(got.Data) != string(want.Data) {
		p.t.Errorf("node %d, %s: cached %s %s, node 0 has %s %s", x.n, channel, got.Event, got.Data, want.Event, want.Data)
	}
	checkNotices(p.t, x.noted(name))
}

func (x *node) memberInfo(name protocol.ChannelName, user string) string {
	s := x.hub.tenant(x.app).shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[name]; c != nil && c.members.find(user) != nil {
		return c.members.roll.textOf(c.members.find(user)).Info()
	}
	return "nothing"
}

// checkNotices checks that edges alternate, that users come after their channel
// is occupied, and that they are gone before it is vacated.
func checkNotices(t *testing.T, notices []string) {
	t.Helper()
	checkAlternation(t, notices)
	occupied, members := false, 0
	for i, n := range notices {
		name := NoticeName(n)
		if len(n) > len(MemberAdded) && n[:len(MemberAdded)] == string(MemberAdded) {
			name = MemberAdded
		} else if len(n) > len(MemberRemoved) && n[:len(MemberRemoved)] == string(MemberRemoved) {
			name = MemberRemoved
		}
		switch name {
		case ChannelOccupied:
			occupied = true
		case ChannelVacated:
			occupied = false
			if members > 0 {
				t.Fatalf("notice %d of %v: vacated with %d members", i, notices, members)
			}
		case MemberAdded:
			members++
			if !occupied {
				t.Fatalf("notice %d of %v: on a channel that is not occupied", i, notices)
			}
		case MemberRemoved:
			members--
		}
	}
}

// checkWatcher plays a client that watches users.
func (p *property) checkWatcher(i int, w *client, online []string) {
	state := make(map[string]bool)
	for _, f := range w.take() {
		if f.Event != protocol.EventWatchlistEvents {
			continue
		}
		var told struct {
			Events []struct {
				Name    string   `json:"name"`
				UserIDs []string `json:"user_ids"`
			} `json:"events"`
		}
		if err := json.Unmarshal([]byte(f.Data), &told); err != nil {
			p.t.Fatal(err)
		}
		for _, e := range told.Events {
			for _, id := range e.UserIDs {
				was, known := state[id]
				if now := e.Name == "online"; known && was == now {
					p.t.Errorf("watcher %d is told twice that %s is %s", i, id, e.Name)
				}
				state[id] = e.Name == "online"
			}
		}
	}
	for id, on := range state {
		if on != slices.Contains(online, id) {
			p.t.Errorf("watcher %d believes that %s is online: %v", i, id, on)
		}
	}
}

// checkActor checks what one connection was sent.
func (p *property) checkActor(a *actor, users map[string][]string) {
	byChannel := make(map[string][]testkit.Frame)
	for _, f := range a.take() {
		byChannel[f.Channel] = append(byChannel[f.Channel], f)
	}
	for _, channel := range propertyChannels {
		frames := byChannel[channel]
		if protocol.ChannelName(channel).Kind().Has(protocol.Presence) {
			if got := followMembers(p.t, memberFrames(frames)); a.on[channel] != nil && !slices.Equal(got, users[channel]) {
				p.t.Errorf("%s on %s believes in %v, members are %v", a.name, channel, got, users[channel])
			}
		}
		p.checkEvents(a, channel, frames)
	}
}

func memberFrames(frames []testkit.Frame) []testkit.Frame {
	return slices.DeleteFunc(slices.Clone(frames), func(f testkit.Frame) bool {
		return f.Event != protocol.EventSubscriptionSucceeded && f.Event != protocol.EventMemberAdded &&
			f.Event != protocol.EventMemberRemoved
	})
}

// checkEvents checks that each publisher's events come in order and without a gap,
// after the success, and none is missing of what was published since then.
func (p *property) checkEvents(a *actor, channel string, frames []testkit.Frame) {
	var first, next map[string]int
	for _, f := range frames {
		switch {
		case f.Event == protocol.EventSubscriptionSucceeded:
			first, next = make(map[string]int), make(map[string]int)
			continue
		case next == nil:
			p.t.Errorf("%s: %s on %s before the success", a.name, f.Event, channel)
			return
		case p.next[channel+f.Event] == nil: // of the server, or of a client
			continue
		}
		var i int
		if _, err := fmt.Sscan(f.Data, &i); err != nil {
			p.t.Fatal(err)
		}
		want, seen := next[f.Event]
		if seen && i != want {
			p.t.Errorf("%s on %s: %s sent %d, want %d", a.name, channel, f.Event, i, want)
		}
		if !seen {
			first[f.Event] = i
		}
		next[f.Event] = i + 1
	}
	for publisher, from := range a.on[channel] {
		end := int(p.next[channel+publisher].Load())
		if from == end {
			continue
		}
		if start, seen := first[publisher]; !seen || start > from || next[publisher] != end {
			p.t.Errorf("%s on %s: of %s got %d to %d, want %d to %d", a.name, channel, publisher, start, next[publisher], from, end)
		}
	}
}

// leave ends everything, and checks that nothing is left of it.
func (p *property) leave(watchers []*client) {
	for _, a := range p.actors {
		a.a.Detach()
	}
	for _, w := range watchers {
		w.a.Detach()
	}
	p.settle()
	time.Sleep(p.all[0].app.CacheTTL + 2*sweepEvery)
	for _, x := range p.all {
		checkEmpty(p.t, x)
	}
}

func checkEmpty(t *testing.T, x *node) {
	t.Helper()
	if n := x.channelsKept(); n > 0 {
		t.Errorf("node %d keeps %d channels", x.n, n)
	}
	tenant := x.hub.tenant(x.app)
	tenant.usersMu.Lock()
	defer tenant.usersMu.Unlock()
	tenant.socketsMu.Lock()
	defer tenant.socketsMu.Unlock()
	if n := len(tenant.users) + len(tenant.farUsers); n > 0 {
		t.Errorf("node %d keeps %d users", x.n, n)
	}
	if n := len(tenant.farApps) + tenant.farCount + tenant.counted + tenant.reserved; n > 0 {
		t.Errorf("node %d counts connections: %+v", x.n, tenant.farApps)
	}
}
