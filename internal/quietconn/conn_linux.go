package quietconn

import (
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"unsafe"
)

// conn is a socket with calls of its own. Both directions may be used at the same
// time, and each by several goroutines.
type conn struct {
	net.Conn
	in, out half
}

// half is one direction.
type half struct {
	mu    sync.Mutex // held while it is used, waiting included
	raw   syscall.RawConn
	call  func(fd uintptr) (done bool) // made once, so that no use of it allocates; uses the fields below
	buf   []byte
	n     int
	errno syscall.Errno
}

// New returns c with quicker calls, or c itself if it is no socket of the system. What
// is returned does what c did, and closes it.
func New(c net.Conn) net.Conn {
	s, ok := c.(syscall.Conn)
	if !ok {
		return c
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return c
	}
	q := &conn{Conn: c}
	q.in.raw, q.out.raw = raw, raw
	q.in.call = func(fd uintptr) bool { return q.in.do(syscall.SYS_READ, fd) != syscall.EAGAIN }
	q.out.call = func(fd uintptr) bool { return q.out.do(syscall.SYS_WRITE, fd) != syscall.EAGAIN }
	return q
}

func (h *half) do(number, fd uintptr) syscall.Errno {
	data := unsafe.Pointer(unsafe.SliceData(h.buf)) //nolint:gosec // the call's own argument; h.buf keeps it alive
	for {
		n, _, errno := syscall.RawSyscall(number, fd, uintptr(data), uintptr(len(h.buf)))
		if errno != syscall.EINTR {
			h.n, h.errno = int(n), errno
			return errno
		}
	}
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return c.Conn.Read(b)
	}
	h := &c.in
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buf = b
	err := h.raw.Read(h.call)
	h.buf = nil
	switch {
	case err != nil:
		return 0, err
	case h.errno != 0:
		return 0, c.failure("read", h.errno)
	case h.n == 0:
		return 0, io.EOF
	}
	return h.n, nil
}

// Write implements net.Conn. It waits for a socket that is full.
func (c *conn) Write(b []byte) (n int, err error) {
	h := &c.out
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.buf = nil }()
	for n < len(b) {
		h.buf = b[n:]
		if err := h.raw.Write(h.call); err != nil {
			return n, err
		}
		if h.errno != 0 {
			return n, c.failure("write", h.errno)
		}
		n += h.n
	}
	return n, nil
}

// failure returns the error that net itself would.
func (c *conn) failure(op string, errno syscall.Errno) error {
	return &net.OpError{
		Op: op, Net: c.RemoteAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(),
		Err: os.NewSyscallError(op, errno),
	}
}
