//go:build unix

package session

import (
	"io"
	"net"
	"syscall"
)

// directWriter writes to a socket without ever waiting for it: the runtime keeps
// sockets non-blocking, so one system call takes what fits. Not for concurrent
// use; while it is in use nothing else may write to the connection, or its lock
// inside the runtime would be waited for.
type directWriter struct {
	raw     syscall.RawConn
	attempt func(fd uintptr) bool // made once, so that a write allocates nothing

	// one write's arguments and results
	buf   []byte
	n     int
	errno syscall.Errno
}

// newDirectWriter returns nil for connections that are not plain sockets.
func newDirectWriter(conn net.Conn) *directWriter {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return nil
	}
	w := &directWriter{raw: raw}
	w.attempt = func(fd uintptr) bool {
		for {
			w.n, w.errno = writeNow(fd, w.buf)
			if w.errno != syscall.EINTR {
				return true // done, whatever the outcome: never wait here
			}
		}
	}
	return w
}

// write returns how much of b the socket took. An error means that the socket
// is dead; a full socket is n < len(b) and no error.
func (w *directWriter) write(b []byte) (n int, err error) {
	w.buf = b
	err = w.raw.Write(w.attempt)
	w.buf = nil
	switch {
	case err != nil:
		return 0, err
	case w.errno == syscall.EAGAIN:
		return 0, nil
	case w.errno != 0:
		return 0, w.errno
	case w.n == 0 && len(b) > 0:
		return 0, io.ErrUnexpectedEOF
	}
	return w.n, nil
}
