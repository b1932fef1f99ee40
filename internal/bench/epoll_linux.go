package bench

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"
)

func newEngine(f *fleet, portable bool) (engine, error) {
	if portable {
		return newPortable(f), nil
	}
	return newEpoll(f)
}

// epoll is the engine of Linux: one goroutine, one buffer, no goroutine per
// connection.
type epoll struct {
	f      *fleet
	poll   int
	wakers [2]int // pipe: read end in the poll, write end to interrupt it
	buffer []byte
	idle   atomic.Int64
	done   chan struct{}

	mu      sync.Mutex
	queue   []func()
	stopped bool
}

const (
	readBuffer = 128 << 10 // for one read, besides the beginning of a frame
	eventBatch = 128       // sockets that are read before what was posted is run
	maxReads   = 8         // of one socket before others are looked at
	wakeIndex  = -1

	// edge tells of a socket when something is added to it, not as long as there
	// is something: the kernel then looks at each once per message, not twice.
	edge = 1 << 31 // EPOLLET, which package syscall has as a negative number

	hungUp = syscall.EPOLLRDHUP | syscall.EPOLLHUP | syscall.EPOLLERR
)

func newEpoll(f *fleet) (*epoll, error) {
	e := &epoll{f: f, buffer: make([]byte, maxFrame+16+readBuffer), done: make(chan struct{})}
	var err error
	if e.poll, err = syscall.EpollCreate1(syscall.EPOLL_CLOEXEC); err != nil {
		return nil, fmt.Errorf("create epoll set: %w", err)
	}
	if err := syscall.Pipe2(e.wakers[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		_ = syscall.Close(e.poll)
		return nil, fmt.Errorf("create pipe: %w", err)
	}
	event := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: wakeIndex}
	if err := syscall.EpollCtl(e.poll, syscall.EPOLL_CTL_ADD, e.wakers[0], &event); err != nil {
		e.closeAll()
		return nil, fmt.Errorf("watch pipe: %w", err)
	}
	go e.loop()
	return e, nil
}

func (e *epoll) closeAll() {
	for _, fd := range []int{e.poll, e.wakers[0], e.wakers[1]} {
		_ = syscall.Close(fd)
	}
}

func (e *epoll) loop() {
	defer close(e.done)
	defer e.closeAll()
	events := make([]syscall.EpollEvent, eventBatch)
	var ticked int64
	for e.runQueue() {
		if at := now(); at-ticked > tickEvery*1e6 {
			e.f.tick()
			ticked = at
		}
		began := now()
		n, err := syscall.EpollWait(e.poll, events, tickEvery)
		e.idle.Add(now() - began)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			panic(fmt.Sprintf("bench: epoll_wait: %v", err)) // a wrong argument
		}
		for i := range max(n, 0) {
			e.handle(&events[i])
		}
	}
}

func (e *epoll) handle(event *syscall.EpollEvent) {
	if event.Fd == wakeIndex {
		for {
			if n, _ := syscall.Read(e.wakers[0], e.buffer); n < len(e.buffer) {
				return
			}
		}
	}
	c := e.f.clients[event.Fd]
	if c.fd >= 0 && event.Events&syscall.EPOLLOUT != 0 {
		e.writable(c)
	}
	if c.fd >= 0 && event.Events&(syscall.EPOLLIN|hungUp) != 0 {
		e.readAll(c, event.Events&hungUp != 0)
	}
}

// runQueue runs what was posted and reports whether the loop goes on.
func (e *epoll) runQueue() bool {
	e.mu.Lock()
	queue, stopped := e.queue, e.stopped
	e.queue = nil
	e.mu.Unlock()
	for _, f := range queue {
		f()
	}
	return !stopped || len(queue) > 0
}

// readAll reads until nothing is left, as the poll tells of a socket only when
// something is added. A short read has taken everything, which saves asking
// again, unless there is an end to be read too.
func (e *epoll) readAll(c *client, toEnd bool) {
	fd := c.fd
	for range maxReads {
		full := e.read(c)
		if c.fd != fd || !full && !toEnd {
			return
		}
	}
	e.watch(c, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN) // others first; it is told of again
}

// read reads once and reports whether the socket may hold more.
func (e *epoll) read(c *client) (more bool) {
	kept := copy(e.buffer, c.tail)
	n, errno := readNow(c.fd, e.buffer[kept:kept+readBuffer])
	switch {
	case errno == syscall.EAGAIN:
		return false
	case errno == syscall.EINTR:
		return true
	case errno != 0:
		e.f.lose(c, fmt.Errorf("read: %w", errno))
		return false
	case n == 0:
		e.f.lose(c, errors.New("the connection ended without a close frame"))
		return false
	}
	b := e.buffer[:kept+n]
	used := e.f.received(c, b, now())
	if c.fd >= 0 {
		c.tail = append(c.tail[:0], b[used:]...)
	}
	return n == readBuffer
}

func (e *epoll) writable(c *client) {
	if c.state == connecting {
		code, err := syscall.GetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_ERROR)
		if err == nil && code != 0 {
			err = syscall.Errno(code)
		}
		if err != nil {
			e.f.lose(c, fmt.Errorf("connect: %w", err))
			return
		}
		e.watch(c, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN)
		e.f.opened(c)
		return
	}
	out := c.out
	c.out = nil
	e.watch(c, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN)
	e.write(c, out)
}

func (e *epoll) watch(c *client, operation int, events uint32) {
	event := syscall.EpollEvent{Events: events | edge | syscall.EPOLLRDHUP, Fd: int32(c.index)}
	if err := syscall.EpollCtl(e.poll, operation, c.fd, &event); err != nil {
		e.f.lose(c, fmt.Errorf("watch socket: %w", err))
	}
}

func (e *epoll) write(c *client, b []byte) {
	if c.fd < 0 || len(b) == 0 {
		return
	}
	if len(c.out) == 0 {
		n, errno := writeNow(c.fd, b)
		switch {
		case errno == 0 && n == len(b):
			return
		case errno == 0:
			b = b[n:]
		case errno != syscall.EAGAIN && errno != syscall.EINTR:
			e.f.lose(c, fmt.Errorf("write: %w", errno))
			return
		}
		e.watch(c, syscall.EPOLL_CTL_MOD, syscall.EPOLLIN|syscall.EPOLLOUT)
	}
	if c.out = append(c.out, b...); len(c.out) > maxOut {
		e.f.lose(c, errors.New("the server does not read"))
	}
}

func (e *epoll) hold(c *client) { e.watch(c, syscall.EPOLL_CTL_DEL, 0) }

func (e *epoll) release(c *client) { e.watch(c, syscall.EPOLL_CTL_ADD, syscall.EPOLLIN) }

func (e *epoll) drop(c *client) {
	if c.fd >= 0 {
		_ = syscall.Close(c.fd) // leaves the epoll set by itself
		c.fd = -1
	}
	c.tail, c.out = nil, nil
}

func (e *epoll) post(f func()) {
	e.mu.Lock()
	e.queue = append(e.queue, f)
	first := len(e.queue) == 1
	e.mu.Unlock()
	if first {
		e.wake()
	}
}

// wake interrupts the wait. A full pipe has woken it already.
func (e *epoll) wake() { _, _ = syscall.Write(e.wakers[1], []byte{1}) }

func (e *epoll) do(f func()) {
	done := make(chan struct{})
	e.post(func() {
		defer close(done)
		f()
	})
	<-done
}

func (e *epoll) waited() int64 { return e.idle.Load() }

func (e *epoll) stop() {
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	e.wake()
	<-e.done
}

// readNow and writeNow do not tell the scheduler: the sockets are non-blocking,
// so the calls cannot wait.
func readNow(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))) //nolint:gosec // b outlives the call
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func writeNow(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b))) //nolint:gosec // b outlives the call
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
