package hub

import (
	"iter"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Terminated closes every connection to this node that is signed in as the user:
// another node was asked to.
func (h *Hub) Terminated(app apps.ID, userID string) {
	if t := h.known(app); t != nil {
		t.terminate(userID, nil)
	}
}

// Fills returns what is on cache channels, for a node that has just begun:
// [Hub.Deliver] takes it, and the later event wins there as anywhere.
func (h *Hub) Fills() iter.Seq[Relayed] {
	return func(yield func(Relayed) bool) {
		var fills []Relayed
		for _, t := range h.allTenants() {
			for i := range t.shards {
				fills = t.shards[i].appendFills(fills[:0], time.Now())
				for _, f := range fills {
					if !yield(f) {
						return
					}
				}
			}
		}
	}
}

func (s *shard) appendFills(fills []Relayed, now time.Time) []Relayed {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.channels {
		if c.cached == nil || c.cachedLocked(now) == nil || c.far == nil {
			continue
		}
		fills = append(fills, Relayed{App: c.tenant.id, Channel: c.name, Fill: &CacheFill{
			Event: c.cached.Event, Data: c.cached.Data, TTL: c.cached.Expires.Sub(now), Stamp: c.far.filled,
		}})
	}
	return fills
}

// gapEvent tells subscribers that events may have been lost on their channel.
const gapEvent = "pipesocket:gap"

// Gap tells the subscribers of this node's channels that events may have been lost,
// where of is true.
func (h *Hub) Gap(of func(apps.ID, protocol.ChannelName) bool) {
	var names []protocol.ChannelName
	for _, t := range h.allTenants() {
		for i := range t.shards {
			names = t.shards[i].appendSubscribed(names[:0])
			for _, name := range names {
				if of(t.id, name) {
					t.tellGap(name)
				}
			}
		}
	}
}

func (s *shard) appendSubscribed(names []protocol.ChannelName) []protocol.ChannelName {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, c := range s.channels {
		if c.roster.n > 0 {
			names = append(names, name)
		}
	}
	return names
}

func (t *tenant) tellGap(name protocol.ChannelName) {
	frame := protocol.Event{Name: gapEvent, Channel: name, Data: protocol.PayloadOfText("{}")}.Encode()
	t.arrive(nil, &arrival{Relayed: Relayed{Channel: name, Frame: frame}})
}
