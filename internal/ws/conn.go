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

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/session"
)

// Buffer sizes of a connection. net/http's two of 4 KiB would stay for its whole
// life. Client frames are small; a control frame is at most 127 bytes, so with
// 160 each of the library's reaches the outbox as one write.
const (
	readBufferSize  = 512
	writeBufferSize = 160
)

// handshakeTimeout bounds the writing of the 101 response.
const handshakeTimeout = 10 * time.Second

// conn is the net.Conn that the WebSocket library gets: it reads from the
// network and writes to the outbox.
type conn struct {
	net.Conn
	early []byte // what the client sent before the handshake was over
	out   *session.Outbox

	// owned by the reader
	unread int // bytes since the last whole message or control frame
	budget int // what unread may be; 0 during the handshake: anything
}

// framingBytes is how much a message may take beyond twice its limit. An honest
// message needs 14 bytes for each of its fragments; without a bound, empty
// fragments would keep the library busy for ever without a message to count.
const framingBytes = 64 << 10

var errEndless = errors.New("message takes too many bytes for its size")

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	if c.budget > 0 && c.unread > c.budget {
		return 0, errEndless
	}
	if len(c.early) > 0 {
		n := copy(p, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	n, err := c.Conn.Read(p)
	c.unread += n
	return n, err
}

// Write implements net.Conn. The library writes nothing but control frames, each
// in one call, and reuses the bytes.
func (c *conn) Write(p []byte) (int, error) {
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
func (c *conn) Close() error { return nil }

// hijacker is the ResponseWriter that the library gets. It keeps the network
// connection for us and replaces net/http's buffers by small ones.
type hijacker struct {
	http.ResponseWriter
	backlogBytes int
	conn         *conn // set by Hijack
}

// Hijack implements http.Hijacker.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	network, buffered, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	_ = network.SetWriteDeadline(time.Now().Add(handshakeTimeout))
	if err := buffered.Flush(); err != nil { // the 101 response is still in there
		_ = network.Close()
		return nil, nil, err
	}
	_ = network.SetWriteDeadline(time.Time{})
	early, _ := buffered.Peek(buffered.Reader.Buffered()) // cannot fail: it is there
	h.conn = &conn{
		Conn:  network,
		early: append([]byte(nil), early...),
		out:   session.NewOutbox(network, h.backlogBytes),
	}
	return h.conn, bufio.NewReadWriter(
		bufio.NewReaderSize(h.conn, readBufferSize), bufio.NewWriterSize(h.conn, writeBufferSize)), nil
}

// socket is the read side of a connection, for the session.
type socket struct {
	*conn
	library *websocket.Conn
}

var _ session.Socket = (*socket)(nil)

// Next implements session.Socket. The context never ends: the library closes a
// connection whose context does, and deadlines are the session's.
func (s *socket) Next() (content io.Reader, binary bool, err error) {
	s.unread = 0
	kind, content, err := s.library.Reader(context.Background())
	return content, kind == websocket.MessageBinary, err
}

// IsProtocolError implements session.Socket.
func (*socket) IsProtocolError(err error) bool {
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

// Drain implements session.Socket.
func (s *socket) Drain(limit int64) {
	if half, ok := s.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // fails only on a dead socket
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(s.Conn, limit))
}

// CloseNow implements session.Socket.
func (s *socket) CloseNow() {
	_ = s.Conn.Close()       // a second close is harmless
	_ = s.library.CloseNow() // frees the library's buffers; its Close of conn does nothing
}
