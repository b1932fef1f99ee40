package ws

import (
	"crypto/tls"
	"net"

	"github.com/pipesocket/pipesocketd/internal/netpoll"
)

// secured is the TLS connection between a polled source and its socket. What the
// source has read from the socket is put below it, and what comes out above is
// the client's. TLS keeps what is not a whole record yet.
type secured struct {
	conn  *tls.Conn
	under *netpoll.Underlay
	ahead []byte // comes before what conn gives
	one   [1]byte
	err   error // how conn has ended
}

// socketBelow returns what a loop has to adopt to serve conn, and the TLS
// connection above it, nil if there is none. It reports false where a loop cannot
// serve conn.
func socketBelow(conn net.Conn) (secure *tls.Conn, under *netpoll.Underlay, ok bool) {
	secure, _ = conn.(*tls.Conn)
	if secure == nil {
		return nil, nil, netpoll.CanAdopt(conn)
	}
	under, ok = secure.NetConn().(*netpoll.Underlay)
	return secure, under, ok
}

// take returns what is there, 0 and nil if nothing is.
func (s *secured) take(b []byte) (n int, err error) {
	n = copy(b, s.ahead)
	s.ahead = s.ahead[n:]
	if n == len(b) {
		return n, nil
	}
	m, err := s.read(b[n:])
	if n+m > 0 {
		return n + m, nil // an error is kept for the next call
	}
	return 0, err
}

func (s *secured) read(b []byte) (n int, err error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err = s.conn.Read(b)
	if err != netpoll.ErrNothing { //nolint:errorlint // it comes as it is, and a time-out of the socket must not be taken for it
		s.err = err
	}
	return n, s.err
}

// idle reports whether take would return nothing. Then all of what was put below
// has been read: TLS keeps no record that it could give.
func (s *secured) idle() bool {
	if len(s.ahead) > 0 || s.err != nil {
		return false
	}
	n, err := s.read(s.one[:])
	s.ahead = s.one[:n]
	return n == 0 && err == nil
}

// closeWrite says goodbye.
func (s *secured) closeWrite() { _ = s.conn.CloseWrite() } // the peer's loss
