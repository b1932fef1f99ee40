package hub

import (
	"cmp"
	"slices"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// ChannelInfo is the size of one channel.
type ChannelInfo struct {
	Name          protocol.ChannelName
	Subscriptions int // connections
	Users         int // distinct users, on presence channels only
}

func (c *channel) infoLocked() ChannelInfo {
	return ChannelInfo{Name: c.name, Subscriptions: c.subscriptionsLocked(), Users: c.members.count()}
}

// Channel returns the counts of one channel, zero if it is not occupied.
func (h *Hub) Channel(app *apps.App, name protocol.ChannelName) ChannelInfo {
	s := h.tenant(app).shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.channels[name]; c != nil {
		return c.infoLocked()
	}
	return ChannelInfo{Name: name}
}

// Channels returns the occupied channels whose names begin with prefix, by
// name. Server-to-user channels are left out (§7.5).
func (h *Hub) Channels(app *apps.App, prefix string) []ChannelInfo {
	t := h.tenant(app)
	var found []ChannelInfo
	for i := range t.shards {
		found = t.shards[i].appendOccupied(found, prefix)
	}
	slices.SortFunc(found, func(a, b ChannelInfo) int { return cmp.Compare(a.Name, b.Name) })
	return found
}

func (s *shard) appendOccupied(found []ChannelInfo, prefix string) []ChannelInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, c := range s.channels {
		if c.subscriptionsLocked() > 0 && strings.HasPrefix(string(name), prefix) && !c.kind.Has(protocol.ToUser) {
			found = append(found, c.infoLocked())
		}
	}
	return found
}

// Users returns the distinct users of a presence channel, by id.
func (h *Hub) Users(app *apps.App, name protocol.ChannelName) []string {
	s := h.tenant(app).shard(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channels[name]
	if c == nil {
		return nil
	}
	ids := c.members.ids()
	slices.Sort(ids)
	return ids
}
