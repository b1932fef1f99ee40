package ws

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/session"
)

// Buffer sizes of a connection. net/http's two of 4 KiB would stay for its whole
// life. What a loop has read is copied through the read buffer, which needs room
// for little more than a header; without a loop it is what one system call
// takes. A control frame is at most 127 bytes, so with 160 each of the library's
// reaches the outbox as one write.
const (
	polledReadBuffer = 64
	readBuffer       = 512
	writeBuffer      = 160
)

// handshakeTimeout bounds the writing of the 101 response.
const handshakeTimeout = 10 * time.Second

// connection is one WebSocket connection from the upgrade to its end. The
// goroutine that serves it owns all of it; with a loop that changes.
type connection struct {
	// set by accept, immutable
	handler *Handler
	out     *session.Outbox
	library *websocket.Conn
	session *session.Session // nil for a refused connection
	budget  int              // what unread may be; 0 during the handshake: anything
	deflate bool             // permessage-deflate was agreed

	// owned by the serving goroutine
	unfinished bool   // the session knows that the rest of a message is waited for
	frames     frames // of what the library has been given
	turn       *hub.Turn
	unread     int           // bytes since the last whole message or control frame
	in         *bufio.Reader // the library's

	source
}

// source is where a connection's bytes come from.
type source interface {
	// read waits for bytes. A source that is served by a loop does so only in the
	// middle of a message; elsewhere it returns a pause.
	read(p []byte) (int, error)

	// idle reports whether nothing has come that read would return at once. A
	// source that is not served by a loop is never idle: its goroutine waits.
	idle() bool

	// paused reports whether the last message was a pause, and forgets it.
	paused() bool

	// Await implements session.Socket.
	Await()

	// Drain implements session.Socket.
	Drain(limit int64)

	// free gives back what the source holds when the connection has ended.
	free()
}

var _ session.Socket = (*connection)(nil)

// Next implements session.Socket. The context never ends: the library closes a
// connection whose context does, and deadlines are the session's.
func (c *connection) Next() (content io.Reader, binary bool, err error) {
	c.unread = 0
	if c.idle() && c.in.Buffered() == 0 {
		return nil, false, session.ErrIdle
	}
	kind, content, err := c.library.Reader(context.Background())
	if err == nil && c.paused() {
		if _, err = io.Copy(io.Discard, content); err == nil {
			err = session.ErrIdle
		}
	}
	return content, kind == websocket.MessageBinary, err
}

// IsProtocolError implements session.Socket.
func (*connection) IsProtocolError(err error) bool {
	if websocket.CloseStatus(err) != -1 {
		return false
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return false
	}
	for _, gone := range []error{
		io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded,
		context.DeadlineExceeded, context.Canceled,
	} {
		if errors.Is(err, gone) {
			return false
		}
	}
	return true
}

// CloseNow implements session.Socket.
func (c *connection) CloseNow() {
	c.free()
	_ = c.library.CloseNow() // frees the library's buffers; its Close of libraryConn does nothing
}

// control tells the session of a control frame, which only the library sees.
func (c *connection) control() {
	c.unread = 0
	if c.session != nil {
		c.session.ControlReceived()
	}
}

// awaitsRest is called by the source before it waits. In the middle of a message
// that is what the client has to end in time.
func (c *connection) awaitsRest() {
	if c.session != nil && !c.unfinished && !c.frames.between() {
		c.unfinished = true
		c.session.Unfinished()
	}
}

// follow looks at what the library is given.
func (c *connection) follow(b []byte) {
	c.unread += len(b)
	if c.frames.feed(b) && c.unfinished {
		c.unfinished = false
		c.session.Finished()
	}
}

// libraryConn is the net.Conn that the WebSocket library gets: it reads from the
// source and writes to the outbox. Deadlines and addresses it has none.
type libraryConn connection

// framingBytes is how much a message may take beyond twice its limit. An honest
// message needs 14 bytes for each of its fragments; without a bound, empty
// fragments would keep the library busy for ever without a message to count.
const framingBytes = 64 << 10

var errEndless = errors.New("message takes too many bytes for its size")

// Read implements net.Conn.
func (c *libraryConn) Read(p []byte) (int, error) {
	if c.budget > 0 && c.unread > c.budget {
		return 0, errEndless
	}
	n, err := c.read(p)
	(*connection)(c).follow(p[:n])
	return n, err
}

// Write implements net.Conn. The library writes nothing but control frames, each
// in one call, and reuses the bytes.
func (c *libraryConn) Write(p []byte) (int, error) {
	if protocol.IsClose(p) && !utf8.Valid(protocol.Wire(p).CloseReason()) {
		// The library echoes the peer's close frame without looking at the reason.
		if err := c.out.DeliverCopy(protocol.CloseFrame(protocol.CloseInvalidUTF8)); err != nil {
			return 0, err
		}
		return len(p), nil
	}
	if err := c.out.DeliverCopy(p); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close implements net.Conn. The network connection is the session's to close,
// once what is in the outbox has left.
func (*libraryConn) Close() error { return nil }

// LocalAddr implements net.Conn.
func (*libraryConn) LocalAddr() net.Addr { return nil }

// RemoteAddr implements net.Conn.
func (*libraryConn) RemoteAddr() net.Addr { return nil }

// SetDeadline implements net.Conn.
func (*libraryConn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (*libraryConn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (*libraryConn) SetWriteDeadline(time.Time) error { return nil }

// hijacker is the ResponseWriter that the library gets. It keeps the network
// connection for us and replaces net/http's buffers by small ones.
type hijacker struct {
	http.ResponseWriter
	conn         *connection
	backlogBytes int
	hijacked     bool
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	network, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	_ = network.SetDeadline(time.Now().Add(handshakeTimeout)) // fails only on a dead socket
	if err := buffered.Flush(); err != nil {                  // the 101 response is still in there
		_ = network.Close()
		return nil, nil, err
	}
	_ = network.SetDeadline(time.Time{})
	early, _ := buffered.Peek(buffered.Reader.Buffered()) // cannot fail: it is there
	size := h.conn.open(network, append([]byte(nil), early...), h.backlogBytes)
	h.hijacked = true
	wrapped := (*libraryConn)(h.conn)
	h.conn.in = bufio.NewReaderSize(wrapped, size)
	return wrapped, bufio.NewReadWriter(h.conn.in, bufio.NewWriterSize(wrapped, writeBuffer)), nil
}

// open takes over the network connection and returns the size of the read buffer
// for it. early is what the client sent before the handshake was over.
func (c *connection) open(network net.Conn, early []byte, backlogBytes int) (bufferSize int) {
	if poller := c.handler.loopsFor(network); poller != nil {
		if c.openPolled(poller, network, early, backlogBytes) == nil {
			return polledReadBuffer
		}
	}
	c.source = &stream{of: c, network: network, early: early}
	c.out = session.NewOutbox(network, backlogBytes)
	return readBuffer
}
