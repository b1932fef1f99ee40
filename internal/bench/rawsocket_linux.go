package bench

import (
	"net"
	"syscall"
)

// rawSocket writes to a socket with bare system calls.
type rawSocket struct {
	conn *net.TCPConn
	fd   int // as long as conn is open
}

func newRawSocket(conn *net.TCPConn) (*rawSocket, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &rawSocket{conn: conn}
	err = raw.Control(func(fd uintptr) { s.fd = int(fd) })
	return s, err
}

// write returns how much the socket took.
func (s *rawSocket) write(b []byte) (int, error) {
	n, errno := writeNow(s.fd, b)
	if errno != 0 && errno != syscall.EAGAIN && errno != syscall.EINTR {
		return n, errno
	}
	return n, nil
}
