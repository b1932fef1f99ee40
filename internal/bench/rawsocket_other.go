//go:build !linux

package bench

import "net"

// rawSocket writes to a socket.
type rawSocket struct{ conn *net.TCPConn }

func newRawSocket(conn *net.TCPConn) (*rawSocket, error) { return &rawSocket{conn: conn}, nil }

func (s *rawSocket) write(b []byte) (int, error) { return s.conn.Write(b) }
