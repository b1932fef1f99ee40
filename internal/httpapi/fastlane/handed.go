package fastlane

import (
	"io"
	"net"
)

// handed is a connection on its way through net/http: what the fast lane has
// read and not answered comes first.
type handed struct {
	*net.TCPConn

	// Owned by the reader.
	held    []byte // still to be read, in the memory of buffers
	buffers *buffers
	failure error // of the read after held, nil: read on
}

// Read implements net.Conn.
func (c *handed) Read(p []byte) (int, error) {
	if len(c.held) > 0 {
		n := copy(p, c.held)
		if c.held = c.held[n:]; len(c.held) == 0 {
			c.buffers.release()
			c.buffers = nil
		}
		return n, nil
	}
	if err := c.failure; err != nil {
		c.failure = nil
		return 0, err
	}
	return c.TCPConn.Read(p)
}

// WriteTo implements io.WriterTo in the place of TCPConn's, which does not know
// of what is held.
func (c *handed) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{c})
}

// NetConn returns the TCP connection itself, or c as long as something is held.
func (c *handed) NetConn() net.Conn {
	if len(c.held) > 0 || c.failure != nil {
		return c
	}
	return c.TCPConn
}

// Unwrap returns the TCP connection of one that a [Listener] has accepted, and
// every other connection as it is. It is for a handler that has taken over the
// connection and what net/http had read of it; whether all of that came through
// net/http is looked after here.
func Unwrap(conn net.Conn) net.Conn {
	if c, ok := conn.(*handed); ok {
		return c.NetConn()
	}
	return conn
}
