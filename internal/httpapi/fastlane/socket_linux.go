package fastlane

import (
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// socket reads and writes without telling the scheduler of each system call.
// Go's sockets are non-blocking, so none of the calls can wait; announcing them
// as if they might makes the runtime look for threads that are stuck, which
// costs a fifteenth of a trigger. It is used by one goroutine.
type socket struct {
	conn *net.TCPConn
	raw  syscall.RawConn

	// Made once, so that no call allocates. They use the fields below.
	read, write func(fd uintptr) (done bool)
	buf         []byte
	n           int
	errno       syscall.Errno
}

// newSocket returns the quickest way to read from and write to a connection.
func newSocket(conn *net.TCPConn) io.ReadWriter {
	raw, err := conn.SyscallConn()
	if err != nil {
		return conn
	}
	s := &socket{conn: conn, raw: raw}
	s.read = func(fd uintptr) bool { return s.call(syscall.SYS_READ, fd) != syscall.EAGAIN }
	s.write = func(fd uintptr) bool { _ = s.call(syscall.SYS_WRITE, fd); return true }
	return s
}

func (s *socket) call(number, fd uintptr) syscall.Errno {
	data := unsafe.Pointer(unsafe.SliceData(s.buf)) //nolint:gosec // the call's own argument; s.buf keeps it alive
	for {
		n, _, errno := syscall.RawSyscall(number, fd, uintptr(data), uintptr(len(s.buf)))
		if errno != syscall.EINTR {
			s.n, s.errno = int(n), errno
			return errno
		}
	}
}

// Read implements io.Reader. b must not be empty.
func (s *socket) Read(b []byte) (int, error) {
	s.buf = b
	err := s.raw.Read(s.read)
	s.buf = nil
	switch {
	case err != nil:
		return 0, err
	case s.errno != 0:
		return 0, s.failure("read")
	case s.n == 0:
		return 0, io.EOF
	}
	return s.n, nil
}

// Write implements io.Writer. It waits for a socket that is full.
func (s *socket) Write(b []byte) (int, error) {
	s.buf = b
	err := s.raw.Write(s.write)
	s.buf = nil
	switch {
	case err != nil:
		return 0, err
	case s.errno == syscall.EAGAIN:
		return s.conn.Write(b)
	case s.errno != 0:
		return 0, s.failure("write")
	case s.n < len(b):
		n, err := s.conn.Write(b[s.n:])
		return s.n + n, err
	}
	return s.n, nil
}

// failure returns the error that net itself would.
func (s *socket) failure(op string) error {
	return &net.OpError{
		Op: op, Net: "tcp", Source: s.conn.LocalAddr(), Addr: s.conn.RemoteAddr(),
		Err: os.NewSyscallError(op, s.errno),
	}
}
