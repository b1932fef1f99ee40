package cluster

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

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
