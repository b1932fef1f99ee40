package netpoll

import (
	"errors"
	"net"
	"sync"
	"time"
)

// Underlay is the net.Conn below a TLS connection that a loop may serve later. It
// begins as an ordinary connection, over which the handshake is made. When
// [Poller.AdoptUnder] has moved it to a socket of a loop, the same TLS connection
// goes on above it, but nothing waits any more: reading ends in [ErrNothing] where
// nothing has come, which TLS takes for a passing condition, and writing keeps
// what the kernel does not take until [Underlay.Flush].
//
// Moving must not overlap with any other call. Feed and Read belong to the
// goroutine that reads; the rest may be called concurrently.
type Underlay struct {
	conn   net.Conn // nil once it is moved
	socket *Conn    // nil before

	// the reader's
	input []byte
	end   error

	mu   sync.Mutex
	held []byte // taken by Write, not yet by the kernel
}

// heldLimit bounds what Write keeps. A writer that waits while something is held
// needs one record of 16 KiB, cut into small ones with up to 40 bytes more each;
// the rest is for replies of TLS to a peer that asks for them and takes none.
const heldLimit = 32 << 10

var errUntaken = errors.New("peer does not take what it asks for")

// ErrNothing is returned by [Underlay.Read] when nothing has come.
var ErrNothing net.Error = nothing{}

type nothing struct{}

func (nothing) Error() string   { return "nothing has come" }
func (nothing) Timeout() bool   { return true }
func (nothing) Temporary() bool { return true }

// NewUnderlay returns conn, a plain socket, in a form that TLS can be put above.
func NewUnderlay(conn net.Conn) *Underlay { return &Underlay{conn: conn} }

// Under returns a listener for TLS above l, whose connections can be served by
// loops. On systems without loops they are those of l.
func Under(l net.Listener) net.Listener { return underListener{l} }

type underListener struct{ net.Listener }

// Accept implements net.Listener.
func (l underListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil || !CanAdopt(conn) {
		return conn, err
	}
	return NewUnderlay(conn), nil
}

// AdoptUnder is [Poller.Adopt] for the socket below TLS: c and u are one
// connection from then on.
func (p *Poller) AdoptUnder(c *Conn, u *Underlay, h Handler) error {
	if err := p.Adopt(c, u.conn, h); err != nil {
		return err
	}
	u.conn, u.socket = nil, c
	return nil
}

// Feed gives what has been read from the socket to Read, and with end how the
// connection has ended behind it. All of what was fed before must have been
// read, as [ErrNothing] tells. The bytes are used until then.
func (u *Underlay) Feed(b []byte, end error) { u.input, u.end = b, end }

// Read implements net.Conn.
func (u *Underlay) Read(b []byte) (int, error) {
	if u.conn != nil {
		return u.conn.Read(b)
	}
	if len(u.input) == 0 && len(b) > 0 {
		u.input = nil
		if u.end != nil {
			return 0, u.end
		}
		return 0, ErrNothing
	}
	n := copy(b, u.input)
	u.input = u.input[n:]
	return n, nil
}

// Write implements net.Conn.
func (u *Underlay) Write(b []byte) (n int, err error) {
	if u.conn != nil {
		return u.conn.Write(b)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.held) == 0 {
		if n, err = u.socket.Write(b); err != nil {
			return n, err
		}
	}
	if len(u.held)+len(b)-n > heldLimit {
		return n, errUntaken
	}
	u.held = append(u.held, b[n:]...)
	return len(b), nil
}

// Flush writes what the socket takes now of what is held, and reports whether
// nothing is left.
func (u *Underlay) Flush() (empty bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.held) == 0 {
		return true, nil
	}
	n, err := u.socket.Write(u.held)
	u.held = u.held[n:]
	if len(u.held) > 0 {
		return false, err
	}
	u.held = nil
	return true, err
}

// Held reports whether something that Write has taken has not left yet.
func (u *Underlay) Held() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return len(u.held) > 0
}

// Close implements net.Conn. A moved connection it only ends: the descriptor is
// freed by [Conn.Close].
func (u *Underlay) Close() error {
	if u.conn != nil {
		return u.conn.Close()
	}
	u.socket.Shutdown()
	return nil
}

// LocalAddr implements net.Conn. A moved connection has no addresses.
func (u *Underlay) LocalAddr() net.Addr {
	if u.conn != nil {
		return u.conn.LocalAddr()
	}
	return nil
}

// RemoteAddr implements net.Conn. A moved connection has no addresses.
func (u *Underlay) RemoteAddr() net.Addr {
	if u.conn != nil {
		return u.conn.RemoteAddr()
	}
	return nil
}

// SetDeadline implements net.Conn. A moved connection needs none: nothing waits.
func (u *Underlay) SetDeadline(t time.Time) error {
	if u.conn != nil {
		return u.conn.SetDeadline(t)
	}
	return nil
}

// SetReadDeadline implements net.Conn.
func (u *Underlay) SetReadDeadline(t time.Time) error {
	if u.conn != nil {
		return u.conn.SetReadDeadline(t)
	}
	return nil
}

// SetWriteDeadline implements net.Conn.
func (u *Underlay) SetWriteDeadline(t time.Time) error {
	if u.conn != nil {
		return u.conn.SetWriteDeadline(t)
	}
	return nil
}
