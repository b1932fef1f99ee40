package hub

import (
	"slices"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// NoticeName is the name under which a notice is reported to webhooks (§8.2).
type NoticeName string

// Notices. On the wire "event" means a message to clients, so what feeds
// webhooks is called a notice.
const (
	ChannelOccupied   NoticeName = "channel_occupied"
	ChannelVacated    NoticeName = "channel_vacated"
	MemberAdded       NoticeName = "member_added"
	MemberRemoved     NoticeName = "member_removed"
	ClientEventSent   NoticeName = "client_event"
	CacheMissed       NoticeName = "cache_miss"
	SubscriptionCount NoticeName = "subscription_count"
)

// NoticeNames lists every notice.
var NoticeNames = []NoticeName{
	ChannelOccupied, ChannelVacated, MemberAdded, MemberRemoved, ClientEventSent, CacheMissed, SubscriptionCount,
}

// heardBy reports whether some webhook of the app takes notices of this name.
func (n NoticeName) heardBy(app *apps.App) bool {
	for i := range app.Webhooks {
		if slices.Contains(app.Webhooks[i].Events, string(n)) {
			return true
		}
	}
	return false
}

// Notice tells of one change of a channel, as it happened: edges strictly
// alternate per channel and per user, before any grace delay. Fields that a
// notice of its name does not have are empty.
type Notice struct {
	App     *apps.App
	Name    NoticeName
	Channel protocol.ChannelName

	UserID   string            // member_added, member_removed; client_event on presence channels
	Event    string            // client_event
	Data     protocol.Payload  // client_event; shared, not to be changed
	SocketID protocol.SocketID // client_event
	Count    int               // subscription_count
}

// Edge names what goes on and off in notices: a channel, or a user on a channel.
type Edge struct {
	App     apps.ID
	Channel protocol.ChannelName
	UserID  string
	Member  bool
}

// NoticeSink takes notices. Emit is called under a shard's lock, in the order
// in which things happened on a channel; it must not block and must not call
// back into the hub. Of client events only those come that a webhook of the app
// asks for.
type NoticeSink interface {
	Emit(Notice)
}

// DiscardNotices is the sink of a server without webhooks.
type DiscardNotices struct{}

// Emit implements [NoticeSink].
func (DiscardNotices) Emit(Notice) {}
