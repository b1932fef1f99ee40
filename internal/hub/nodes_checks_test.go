package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

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
		a.a.Detach(nil)
	}
	for _, w := range watchers {
		w.a.Detach(nil)
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
