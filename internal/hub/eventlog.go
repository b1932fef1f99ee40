package hub

import (
	"context"
	"errors"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Accepted is an event of a backend or of a client that was put in order on its
// channel, whether anybody was there to get it or not.
type Accepted struct {
	App     *apps.App
	Channel protocol.ChannelName

	// Frame is the event as it goes out, for [protocol.ReadEvent]. It is shared and
	// must not be changed, but may be kept.
	Frame protocol.Wire

	// SocketID is the connection that sent a client event, or that a backend's
	// event leaves out; "" for none.
	SocketID protocol.SocketID
}

// EventLog keeps events of the channels that [apps.History] selects. Append is
// called under a shard's lock, in the order of the events on a channel; it must
// not block and must not call back into the hub.
type EventLog interface {
	Append(Accepted)
}

// SharedEventLog is an [EventLog] that other nodes read. Settle returns when they can
// read what was appended before, or when that takes too long. It is called without locks.
type SharedEventLog interface {
	EventLog
	Settle()
}

// keeps reports whether events of the channel go to the log.
func (h *Hub) keeps(app *apps.App, name protocol.ChannelName) bool {
	return h.events != nil && app.History.Selects(name)
}

// HistoryQuery asks for events of one channel that were accepted in a span of
// time.
type HistoryQuery struct {
	App         apps.ID
	Channel     protocol.ChannelName
	From, To    time.Time // at or after From, before To; zero: unbounded
	OldestFirst bool      // otherwise the newest comes first
	Limit       int       // of events, at least 1
	Cursor      string    // Next of the page before, "" for the first page
}

// HistoryPage is a part of the answer to a query.
type HistoryPage struct {
	Events []PastEvent
	Next   string // the cursor of the next page; "" if this was the last
}

// PastEvent is an event as a history log has kept it.
type PastEvent struct {
	ID       string // unique within the app
	Time     time.Time
	Name     string
	Data     protocol.Payload
	SocketID protocol.SocketID // as in [Accepted]
	UserID   string            // the sender of a client event on a presence channel, else ""
}

// History looks back at what an [EventLog] has kept.
type History interface {
	// Page returns the events that follow the query's cursor: all that were
	// accepted before the call and are not past their time. The error wraps
	// ErrHistoryCursor or ErrHistoryUnavailable.
	Page(context.Context, HistoryQuery) (HistoryPage, error)
}

// Errors of [History].
var (
	ErrHistoryCursor      = errors.New("not a cursor of this history")
	ErrHistoryUnavailable = errors.New("history is not available")
)
