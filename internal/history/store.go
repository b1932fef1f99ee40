package history

import (
	"context"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// store is a database of events. Only page may be called concurrently with the
// other methods, which Run calls one by one.
type store interface {
	// remote reports whether the database may be away for a while.
	remote() bool
	// open makes the database ready. After an error it may be called again; once it
	// has succeeded it is not.
	open(ctx context.Context) error
	// write keeps all events of the batch or none. After an error it is called again
	// with the same batch, until it succeeds: none is kept twice.
	write(ctx context.Context, b *batch) error
	// page returns up to s.limit+1 events of the span.
	page(ctx context.Context, s *span) ([]row, error)
	// trim deletes some of the events that are past their time or beyond their room,
	// oldest first, and returns what it did for each app that the store knows.
	trim(ctx context.Context, now time.Time, limits limitsOf) ([]trimmed, error)
	// close lets go of the database; opened or not.
	close() error
}

// limitsOf returns the bounds of an app's history; false if they have to be taken
// from the database, because the app is gone or has no history any more.
type limitsOf func(apps.ID) (limits, bool)

// limits are the bounds of one app's history; 0 is none.
type limits struct{ maxAgeMS, maxBytes int64 }

func limitsFrom(h *apps.History) limits {
	return limits{h.MaxAge.Milliseconds(), h.MaxBytes}
}

// expired returns the time before which events are past theirs.
func (l limits) cutoff(now time.Time) int64 {
	if l.maxAgeMS == 0 {
		return 0
	}
	return now.UnixMilli() - l.maxAgeMS
}

// excess returns how many bytes have to go.
func (l limits) excess(bytes int64) int64 {
	if l.maxBytes == 0 {
		return 0
	}
	return max(0, bytes-l.maxBytes)
}

// trimmed is what a trim did for one app.
type trimmed struct {
	app     apps.ID
	deleted int
	bytes   int64 // that are left
	more    bool  // to delete
}

// trimRows is how many events one trim deletes per app: about twice what a
// transaction writes, so that deleting keeps up with writing.
const trimRows = 8192

// event is a decoded record.
type event struct {
	app      *apps.App
	channel  protocol.ChannelName
	timeMS   int64
	name     string
	data     protocol.Payload
	socketID protocol.SocketID
	userID   string
}

// rowBytes is about what a row takes besides its texts: the numbers, and its
// entry in the index.
const rowBytes = 64

func (e *event) size() int64 {
	return int64(rowBytes + len(e.name) + len(e.data) + len(e.socketID) + len(e.userID))
}

// batch is what one transaction writes.
type batch struct {
	number uint64 // of the batch, counted by Run from 1
	events []event
}

// row is an event as it was stored.
type row struct {
	id       int64
	timeMS   int64
	name     string
	data     protocol.Payload
	socketID protocol.SocketID
	userID   string
}

func (r *row) position() position { return position{r.timeMS, r.id} }
