package session

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
)

// Socket is the read side of one connection, and its end.
type Socket interface {
	// Next waits for the client's next data message and returns its content,
	// which must be read before the next call. Control frames are answered and
	// reported to [Session.ControlReceived] meanwhile.
	Next() (content io.Reader, binary bool, err error)

	// IsProtocolError reports whether an error of Next or of reading a content
	// means that the client broke the WebSocket protocol, rather than that the
	// connection is gone.
	IsProtocolError(error) bool

	// Drain ends our side of the connection and then reads and throws away what
	// the client still sends, until it closes its side, the connection's read
	// deadline passes, or limit bytes were read. Next is of no use afterwards.
	Drain(limit int64)

	// CloseNow ends the connection at once.
	CloseNow()
}

// Options are what a session does with its client, the same for every session of
// a server.
type Options struct {
	Hub *hub.Hub
	Log *slog.Logger

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

// Session is one client connection. Deliver and Close may be called concurrently
// by anyone; the rest belongs to the goroutine of Serve.
type Session struct {
	// set by New, immutable
	o       *Options
	conn    net.Conn
	socket  Socket
	out     *Outbox
	version int
	app     *apps.App // settings at the time of connecting
	started time.Time

	attached atomic.Pointer[hub.Attachment] // nil until the hub has admitted the session

	closeMu   sync.Mutex     // held by Close, so that finish can wait for what it starts
	detaching sync.WaitGroup // the goroutine that Close starts

	seen atomic.Int64 // nanoseconds after started of the client's last sign of life

	messages ratelimit.Bucket

	timersMu sync.Mutex
	timers   timers
}

var _ hub.Subscriber = (*Session)(nil)

// New returns a session over conn, of which out is the write side and socket the
// read side. The protocol version is one that is served.
func New(o *Options, app *apps.App, version int, conn net.Conn, out *Outbox, socket Socket) *Session {
	return &Session{
		o: o, conn: conn, socket: socket, out: out, version: version, app: app, started: time.Now(),
	}
}

// Serve has the hub admit the connection and serves it until it ends. When it
// returns, the connection is closed and the hub has forgotten it. The result is
// why the hub refused the connection, nil if it did not.
func (s *Session) Serve() (refusal *protocol.CloseError) {
	defer s.finish()
	defer s.recoverPanic()
	attachment, err := s.o.Hub.Attach(s.app, s)
	if err != nil {
		reason := closeReason(err)
		s.Close(reason)
		DiscardUntilClosed(s.socket)
		return &reason
	}
	defer attachment.Detach()
	s.attached.Store(attachment)
	if s.out.Closing() { // a Close before that line could not detach it
		attachment.Detach()
	}
	attachment.Reply(protocol.ConnectionEstablished(attachment.SocketID(), int(s.app.ActivityTimeout/time.Second)))
	s.startTimers()
	debug := s.o.Log.Enabled(context.Background(), slog.LevelDebug)
	if debug {
		s.o.Log.Debug("connection opened", "app", s.app.ID, "socket_id", attachment.SocketID(), "protocol", s.version)
	}
	err = s.readLoop(attachment)
	if debug {
		s.o.Log.Debug("connection closed", "app", s.app.ID, "socket_id", attachment.SocketID(),
			"after", time.Since(s.started).String(), "error", err)
	}
	return nil
}

// Deliver implements [hub.Subscriber].
func (s *Session) Deliver(w protocol.Wire) error { return s.out.Deliver(w) }

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
	s.closeMu.Lock()
	defer s.closeMu.Unlock()
	if !s.out.Close(last, discard, grace) {
		return
	}
	_ = s.conn.SetReadDeadline(time.Now().Add(grace)) // fails only on a dead socket
	if attachment := s.attached.Load(); attachment != nil {
		s.detaching.Go(attachment.Detach) // not here: the hub's locks may be held
	}
}

// Abort drops the connection without a close handshake.
func (s *Session) Abort() { drop(s.conn) }

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
func Refuse(conn net.Conn, out *Outbox, socket Socket, e protocol.CloseError, errorFrame bool) {
	out.Close(ClosingFrames(e, errorFrame), false, closeGrace)
	_ = conn.SetReadDeadline(time.Now().Add(closeGrace)) // fails only on a dead socket
	DiscardUntilClosed(socket)
	endConnection(out, socket)
}

// DiscardUntilClosed reads on, so that the peer's close frame is seen, until the
// connection ends or its read deadline passes.
func DiscardUntilClosed(socket Socket) {
	for {
		content, _, err := socket.Next()
		if err == nil {
			_, err = io.Copy(io.Discard, content)
		}
		if err != nil {
			return
		}
	}
}

// endConnection lets the last frames leave, if there are any, and ends both
// sides of a connection for good.
func endConnection(out *Outbox, socket Socket) {
	if out.Closing() {
		out.Wait()
	}
	out.End()
	socket.CloseNow()
}

// finish ends what Serve began.
func (s *Session) finish() {
	s.stopTimers()
	endConnection(s.out, s.socket)
	s.closeMu.Lock() // no Close is half-way, and none begins anything on an outbox that has ended
	defer s.closeMu.Unlock()
	s.detaching.Wait()
}

// closeReason returns what the peer may see of an error.
func closeReason(err error) protocol.CloseError {
	if e, ok := errors.AsType[protocol.CloseError](err); ok {
		return e
	}
	return protocol.CloseServerError
}
