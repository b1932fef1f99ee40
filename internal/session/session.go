package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
	"github.com/pipesocket/pipesocketd/internal/wheel"
)

// ErrIdle is returned by [Socket.Next] when nothing more has come.
var ErrIdle = errors.New("nothing has come")

// Socket is the read side of one connection, and its end.
type Socket interface {
	// Next returns the content of the client's next data message, which must be
	// read before the next call. Control frames are answered and reported to
	// [Session.ControlReceived] meanwhile. It waits for the message, or, if the
	// socket is served by a loop, returns ErrIdle where no message has begun.
	Next() (content io.Reader, binary bool, err error)

	// Await waits until there is something for Next to look at.
	Await()

	// IsProtocolError reports whether an error of Next or of reading a content
	// means that the client broke the WebSocket protocol, rather than that the
	// connection is gone.
	IsProtocolError(error) bool

	// Drain ends our side of the connection and then reads and throws away what
	// the client still sends, until it closes its side, the connection is aborted,
	// or limit bytes were read. Next is of no use afterwards.
	Drain(limit int64)

	// CloseNow frees what the read side holds. The outbox has ended before.
	CloseNow()
}

// Options are what a session does with its client, the same for every session of
// a server.
type Options struct {
	Hub   *hub.Hub
	Wheel *wheel.Wheel // for all deadlines
	Log   *slog.Logger

	ErrorBeforeClose          bool // error frame before every application close, not only below version 6
	SubscriptionErrorFrames   bool // pusher:subscription_error with refused subscriptions
	InternalSubscriptionError bool // pusher_internal:subscription_error first
	MessagesPerSecond         int  // inbound, slowed down beyond; 0: unlimited
}

// How long a peer has for the close handshake, and how long a slow consumer has
// to take what the kernel holds for it before the close frame.
const (
	closeGrace     = 5 * time.Second
	slowCloseGrace = time.Minute
)

// Session is one client connection. Close may be called concurrently by anyone;
// the rest belongs to whichever goroutine serves the session.
type Session struct {
	// set by New, immutable
	o       *Options
	socket  Socket
	out     *Outbox
	version int
	app     *apps.App // settings at the time of connecting
	deflate bool      // compression was agreed
	started time.Time

	attached atomic.Pointer[hub.Attachment] // nil until the hub has admitted the session
	seen     atomic.Int64                   // nanoseconds after started of the client's last sign of life

	unfinished atomic.Int64 // nanoseconds after started at which a message was first waited for to end; 0: none

	// owned by the serving goroutine
	turn     *hub.Turn
	messages ratelimit.Bucket

	mu        sync.Mutex // may be taken under the hub's locks, and is held over none of its calls
	deadlines deadlines
	detaching sync.WaitGroup // the goroutine that Close starts
}

var _ hub.Subscriber = (*Session)(nil)

// New returns a session, of which out is the write side and socket the read side.
// The protocol version is one that is served.
// With deflate, compression was agreed with the peer.
func New(o *Options, app *apps.App, version int, deflate bool, out *Outbox, socket Socket) *Session {
	return &Session{o: o, socket: socket, out: out, version: version, app: app, deflate: deflate, started: time.Now()}
}

// Start has the hub admit the connection. The result is why the hub refused it,
// nil if it did not; then [Session.Serve] has to be called.
func (s *Session) Start() (refusal *protocol.CloseError) {
	attachment, err := s.o.Hub.Attach(s.app, s)
	if err != nil {
		reason := closeReason(err)
		s.Close(reason)
		DiscardUntilClosed(s.socket)
		s.finish()
		return &reason
	}
	s.attached.Store(attachment)
	if s.out.Closing() { // a Close before that line could not detach it
		attachment.Detach(nil)
	}
	attachment.Reply(protocol.ConnectionEstablished(attachment.SocketID(), int(s.app.ActivityTimeout/time.Second)))
	s.startDeadlines()
	if s.o.Log.Enabled(context.Background(), slog.LevelDebug) {
		s.o.Log.Debug("connection opened", "app", s.app.ID, "socket_id", attachment.SocketID(), "protocol", s.version)
	}
	return nil
}

// Serve carries out the client's messages, until nothing more has come (true) or
// the connection has ended (false): then it is closed, and the hub has forgotten
// it. The turn is that of the calling goroutine; before anything that waits, it
// is told to.
func (s *Session) Serve(turn *hub.Turn) (more bool) {
	s.turn = turn
	err := s.readLoop()
	if errors.Is(err, ErrIdle) {
		s.turn = nil
		return true
	}
	attachment := s.attached.Load()
	attachment.Detach(s.turn)
	s.finish()
	if s.o.Log.Enabled(context.Background(), slog.LevelDebug) {
		s.o.Log.Debug("connection closed", "app", s.app.ID, "socket_id", attachment.SocketID(),
			"after", time.Since(s.started).String(), "error", err)
	}
	return false
}

// Deflates implements [hub.Subscriber].
func (s *Session) Deflates() bool { return s.deflate }

// Outlet implements [hub.Subscriber].
func (s *Session) Outlet() hub.Outlet { return s.out }

// Close implements [hub.Subscriber]: it sends the close frame, after the error
// frame that the version or the reason wants, and gives the peer a while to
// answer. To the hub the connection is gone at once; the reader ends when the
// peer has answered.
func (s *Session) Close(e protocol.CloseError) {
	grace, discard := closeGrace, false
	if e == protocol.CloseOverCapacity {
		// What a slow consumer has waiting it will not get; the close frame can
		// only follow what the kernel holds for it already.
		grace, discard = slowCloseGrace, true
	}
	last := ClosingFrames(e, s.o.ErrorBeforeClose || e.NeedsErrorFrame(s.version))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deadlines.over || !s.out.Close(last, discard) {
		return
	}
	s.abortInLocked(grace)
	if attachment := s.attached.Load(); attachment != nil {
		s.detaching.Go(func() { attachment.Detach(nil) }) // not here: the hub's locks may be held
	}
}

// Abort drops the connection without a close handshake.
func (s *Session) Abort() { s.out.Abort() }

// ClosingFrames returns what ends a connection for a reason: a pusher:error
// frame if asked for, and the close frame right behind it.
func ClosingFrames(e protocol.CloseError, errorFrame bool) protocol.Wire {
	var last protocol.Wire
	if errorFrame && e.IsAppCode() {
		last = append(last, protocol.ErrorFrame(e.Code, e.Reason)...)
	}
	return append(last, protocol.CloseFrame(e)...)
}

// Refuse ends a connection that never becomes a session, and returns when it is
// closed.
func Refuse(out *Outbox, socket Socket, e protocol.CloseError, errorFrame bool) {
	deadline := time.AfterFunc(closeGrace, out.Abort)
	defer deadline.Stop()
	out.Close(ClosingFrames(e, errorFrame), false)
	DiscardUntilClosed(socket)
	if gone := out.Gone(); gone != nil {
		<-gone
	}
	out.End()
	socket.CloseNow()
}

// DiscardUntilClosed reads on, so that the peer's close frame is seen, until the
// connection ends.
func DiscardUntilClosed(socket Socket) {
	for {
		content, _, err := socket.Next()
		switch {
		case err == nil:
			_, err = io.Copy(io.Discard, content)
		case errors.Is(err, ErrIdle):
			socket.Await()
			continue
		}
		if err != nil {
			return
		}
	}
}

// finish ends what is left of the connection.
func (s *Session) finish() {
	s.awaitLast()
	s.mu.Lock()
	s.deadlines.over = true
	closed := s.deadlines.closing
	s.o.Wheel.Stop(&s.deadlines.timer)
	s.mu.Unlock()
	s.reportBug()
	s.out.End()
	s.socket.CloseNow()
	if closed {
		s.turn.BeforeWait()
		s.detaching.Wait()
	}
}

// awaitLast lets the last frames leave, if there are any, for a while.
func (s *Session) awaitLast() {
	if !s.out.Closing() {
		return
	}
	gone := s.out.Gone()
	if gone == nil {
		return
	}
	s.abortIn(closeGrace)
	s.turn.BeforeWait()
	<-gone
}

// closeReason returns what the peer may see of an error.
func closeReason(err error) protocol.CloseError {
	if e, ok := errors.AsType[protocol.CloseError](err); ok {
		return e
	}
	return protocol.CloseServerError
}
