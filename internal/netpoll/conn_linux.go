package netpoll

import (
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
)

// Conn is one socket of a [Poller]. Reading belongs to whoever its handler runs
// for; writing to one goroutine at a time. Close must be the last call of both.
// Shutdown and the Watch methods may be called concurrently with everything but
// Close. The zero Conn is not open.
type Conn struct {
	loop       *loop
	fd         int32
	index      int32
	generation int32

	mu       sync.Mutex // guards interest and its setting in the kernel
	interest uint32
}

// CanAdopt reports whether conn is a plain socket, which alone can be adopted.
func CanAdopt(conn net.Conn) bool {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

// Adopt takes over the socket of a TCP or Unix connection and closes conn. It
// watches nothing yet. It fails for want of a second descriptor, which it needs
// for a moment; after an error conn is as it was.
func (p *Poller) Adopt(c *Conn, conn net.Conn, h Handler) error {
	fd, err := duplicate(conn.(syscall.Conn))
	if err != nil {
		return err
	}
	_ = conn.Close() // of the original descriptor: the connection stays open
	c.loop = p.loops[int(p.next.Add(1))%len(p.loops)]
	c.fd = int32(fd) // descriptors are small
	c.index, c.generation = c.loop.register(h)
	return nil
}

// duplicate returns a second descriptor of the same socket. It is non-blocking
// like the first, since that belongs to the socket.
func duplicate(conn syscall.Conn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	const atLeast = 3 // never a standard stream
	if cerr := raw.Control(func(original uintptr) { fd, err = fcntl(original, syscall.F_DUPFD_CLOEXEC, atLeast) }); cerr != nil {
		return -1, cerr
	}
	return fd, err
}

// Read returns what is there. The result is 0 and nil if nothing is: watch for
// reading and come back.
func (c *Conn) Read(b []byte) (int, error) {
	n, errno := read(c.fd, b)
	switch {
	case errno == syscall.EAGAIN:
		return 0, nil
	case errno != 0:
		return 0, errno
	case n == 0 && len(b) > 0:
		return 0, io.EOF
	}
	return n, nil
}

// Write returns how much of b the socket took, which may be nothing. An error
// means that it takes no more at all.
func (c *Conn) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, errno := write(c.fd, b)
	if errno == syscall.EAGAIN {
		return 0, nil
	}
	if errno != 0 {
		return 0, errno
	}
	return n, nil
}

// WatchRead begins or stops to watch for something to read. Beginning fails only
// for want of kernel memory or beyond fs.epoll.max_user_watches.
func (c *Conn) WatchRead(on bool) error { return c.watch(syscall.EPOLLIN|syscall.EPOLLRDHUP, on) }

// WatchWrite begins or stops to watch for room to write, and fails like
// [Conn.WatchRead].
func (c *Conn) WatchWrite(on bool) error { return c.watch(syscall.EPOLLOUT, on) }

// watch changes what the kernel reports. A socket that nothing is wanted of is
// taken out of the set, since its failure would be reported without end.
func (c *Conn) watch(events uint32, on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	before, after := c.interest, c.interest&^events
	if on {
		after |= events
	}
	if before == after {
		return nil
	}
	op := syscall.EPOLL_CTL_MOD
	switch {
	case before == 0:
		op = syscall.EPOLL_CTL_ADD
	case after == 0:
		op = syscall.EPOLL_CTL_DEL
	}
	e := syscall.EpollEvent{Events: after, Fd: c.index, Pad: c.generation}
	if err := syscall.EpollCtl(c.loop.fd, op, int(c.fd), &e); err != nil {
		return fmt.Errorf("watch a socket: %w", err)
	}
	c.interest = after
	return nil
}

// Shutdown ends the connection in both directions at once: reading returns
// io.EOF, and a watched socket is ready.
func (c *Conn) Shutdown() { _ = syscall.Shutdown(int(c.fd), syscall.SHUT_RDWR) } // fails only if it has ended

// CloseWrite ends our side of the connection.
func (c *Conn) CloseWrite() { _ = syscall.Shutdown(int(c.fd), syscall.SHUT_WR) } // fails only if it has ended

// Close frees the descriptor. No other method may be called any more.
func (c *Conn) Close() {
	_ = c.watch(^uint32(0), false) // closing takes it out of the set anyway
	c.loop.unregister(c.index)
	_ = syscall.Close(int(c.fd)) // nothing could be done about an error
}
