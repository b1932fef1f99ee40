package hub

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// P-061 and §2.5, under load: whatever joins, leaves and is kicked meanwhile,
// each subscriber sees each publisher's events in order and without a gap
// between its joining and its leaving.
func TestOrderUnderConcurrency(t *testing.T) {
	const publishers, each, readers, rounds = 4, 300, 6, 40
	f := newFixture(t, nil)
	lame := f.connect() // before anybody publishes, so that there is something it cannot take
	lame.mustSubscribe("private-a")
	lame.mu.Lock()
	lame.slow = true
	lame.mu.Unlock()
	var work sync.WaitGroup
	for p := range publishers {
		work.Go(func() {
			sender := f.connect()
			sender.mustSubscribe("private-a")
			for i := range each {
				if p%2 == 0 {
					f.publish("private-a", fmt.Sprintf("client-%d", p), fmt.Sprint(i))
				} else if refusal := sender.clientEvent("private-a", fmt.Sprintf("client-%d", p), fmt.Sprint(i)); refusal != nil {
					t.Errorf("client event: %v", refusal)
				}
			}
		})
	}
	staying := f.connect()
	staying.mustSubscribe("private-a")
	var comers []*client
	for range readers {
		c := f.connect()
		comers = append(comers, c)
		work.Go(func() {
			for range rounds {
				c.mustSubscribe("private-a")
				if refusal := c.a.Unsubscribe(nil, "private-a"); refusal != nil {
					t.Errorf("unsubscribe: %v", refusal)
				}
			}
		})
	}
	work.Wait()
	f.hub.drains.wait()

	if code := lame.closedWith(); code != 4100 {
		t.Errorf("P-060: the subscriber that takes nothing was closed with %d", code)
	}
	checkRuns(t, staying.frames, true)
	for _, c := range comers {
		checkRuns(t, c.frames, false)
	}
}

// checkRuns checks one subscriber's frames: within one subscription each
// publisher's numbers follow one another.
func checkRuns(t *testing.T, frames []testkit.Frame, again bool) {
	t.Helper()
	var next map[string]int
	for _, f := range frames {
		if f.Event == protocol.EventSubscriptionSucceeded {
			if next != nil && again {
				t.Fatal("subscribed twice")
			}
			next = make(map[string]int)
			continue
		}
		if next == nil {
			t.Fatalf("P-097: %s before subscription_succeeded", f.Event)
		}
		var i int
		if _, err := fmt.Sscan(f.Data, &i); err != nil {
			t.Fatal(err)
		}
		if want, seen := next[f.Event]; seen && i != want {
			t.Fatalf("%s: got %d, want %d", f.Event, i, want)
		}
		next[f.Event] = i + 1
	}
}

// A model of one channel in a few lines: what each client must have been sent
// after a sequence of operations, compared with what it was sent.
func TestDeliveryEqualsModel(t *testing.T) { // P-106, P-112, P-129, P-135, P-136
	kinds := []string{"public", "private-a", "presence-a", "cache-a", "presence-cache-a", "private-encrypted-cache-a"}
	rapid.Check(t, func(rt *rapid.T) {
		channel := rapid.SampledFrom(kinds).Draw(rt, "channel")
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 40).Draw(rt, "steps")
		t.Run("", func(t *testing.T) {
			inBubble(t, func(t *testing.T) { runAgainstModel(t, channel, steps) })
		})
		if t.Failed() {
			rt.Fatalf("differs from the model")
		}
	})
}

type step struct {
	kind   string
	client int
}

func drawStep(rt *rapid.T) step {
	return step{
		kind:   rapid.SampledFrom([]string{"subscribe", "unsubscribe", "publish", "exclude", "client"}).Draw(rt, "kind"),
		client: rapid.IntRange(0, 3).Draw(rt, "client"),
	}
}

// model is what a channel has to do, written for clarity only.
type model struct {
	channel protocol.ChannelName
	users   [4]string
	order   []int // subscribed clients, by time
	members []string
	cached  string
	want    [4][]string
}

func runAgainstModel(t *testing.T, channel string, steps []step) {
	f := newFixture(t, nil)
	m := &model{channel: protocol.ChannelName(channel), users: [4]string{"a", "b", "b", "c"}}
	var clients [4]*client
	for i := range clients {
		clients[i] = f.connect()
	}
	for n, s := range steps {
		c := clients[s.client]
		data := fmt.Sprint(n)
		switch s.kind {
		case "subscribe":
			if c.subscribe(channel, m.users[s.client]) == nil {
				m.subscribe(s.client)
			}
		case "unsubscribe":
			if c.a.Unsubscribe(nil, channel) == nil {
				m.unsubscribe(s.client)
			}
		case "publish":
			f.publish(channel, "e", data)
			m.publish(-1, "e", data, true)
		case "exclude":
			f.hub.Publish(f.app, Publication{
				Channel: m.channel, Event: "e", Data: protocol.PayloadOfText(data), Except: c.a.SocketID(),
			})
			m.publish(s.client, "e", data, true)
		case "client":
			if c.clientEvent(channel, "client-e", data) == nil {
				m.publish(s.client, "client-e", data, false)
			}
		}
		for i, c := range clients {
			if got := c.events(); !slices.Equal(got, m.want[i]) {
				t.Fatalf("step %d %+v: client %d got %q, want %q", n, s, i, got, m.want[i])
			}
			m.want[i] = nil
		}
	}
	if m.channel.Kind().Has(protocol.Presence) {
		checkAlternation(t, f.noted(m.channel))
	}
}

func (m *model) send(to int, event, data string) { m.want[to] = append(m.want[to], event+" "+data) }

func (m *model) publish(except int, event, data string, cache bool) {
	if cache && m.channel.Kind().Has(protocol.Cached) {
		m.cached = event + " " + data
	}
	for _, to := range m.order {
		if to != except {
			m.send(to, event, data)
		}
	}
}

func (m *model) connections(user string) int {
	n := 0
	for _, c := range m.order {
		if m.users[c] == user {
			n++
		}
	}
	return n
}

func (m *model) subscribe(c int) {
	kind, user := m.channel.Kind(), m.users[c]
	success := "{}"
	if kind.Has(protocol.Presence) {
		if m.connections(user) == 0 {
			m.members = append(m.members, user)
			m.publish(-1, protocol.EventMemberAdded,
				fmt.Sprintf(`{"user_id":%q,"user_info":{"name":%q}}`, user, user), false)
		}
		var ids, hash []string
		for _, id := range m.members {
			ids = append(ids, fmt.Sprintf("%q", id))
			hash = append(hash, fmt.Sprintf(`%q:{"name":%q}`, id, id))
		}
		success = fmt.Sprintf(`{"presence":{"count":%d,"ids":[%s],"hash":{%s}}}`,
			len(ids), strings.Join(ids, ","), strings.Join(hash, ","))
	}
	m.order = append(m.order, c)
	m.send(c, protocol.EventSubscriptionSucceeded, success)
	if kind.Has(protocol.Cached) {
		if m.cached == "" {
			m.send(c, protocol.EventCacheMiss, "{}")
		} else {
			m.want[c] = append(m.want[c], m.cached)
		}
	}
}

func (m *model) unsubscribe(c int) {
	m.order = slices.DeleteFunc(m.order, func(other int) bool { return other == c })
	if user := m.users[c]; m.channel.Kind().Has(protocol.Presence) && m.connections(user) == 0 {
		m.members = slices.DeleteFunc(m.members, func(other string) bool { return other == user })
		m.publish(-1, protocol.EventMemberRemoved, fmt.Sprintf(`{"user_id":%q}`, user), false)
	}
}

// checkAlternation checks that edges of a channel and of each user alternate,
// beginning with the rising one.
func checkAlternation(t *testing.T, notices []string) {
	t.Helper()
	up := make(map[string]bool)
	for i, n := range notices {
		name, user, _ := strings.Cut(n, " ")
		rising := name == string(ChannelOccupied) || name == string(MemberAdded)
		if !rising && name != string(ChannelVacated) && name != string(MemberRemoved) {
			continue
		}
		if up[user] == rising {
			t.Fatalf("notice %d of %v does not alternate", i, notices)
		}
		up[user] = rising
	}
}
