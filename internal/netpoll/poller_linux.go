package netpoll

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
)

// batch is how many ready sockets one look at a loop returns at most.
const batch = 128

// Poller is a set of loops. Its methods may be called concurrently.
type Poller struct {
	works   sync.Pool // of Work: one for each goroutine
	loops   []*loop
	next    atomic.Uint32
	running sync.WaitGroup // goroutines of loops, and those that have left one
}

// New starts one loop for each processor that Go may use. Each of their
// goroutines gets a Work of its own.
func New(newWork func() Work) (*Poller, error) {
	p := &Poller{works: sync.Pool{New: func() any { return newWork() }}}
	for range runtime.GOMAXPROCS(0) {
		l, err := newLoop(p)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("make epoll set: %w", err), p.Close())
		}
		p.loops = append(p.loops, l)
		l.start()
	}
	return p, nil
}

// Close ends the loops and returns when all their goroutines have ended. No
// socket may be open any more.
func (p *Poller) Close() error {
	var errs []error
	for _, l := range p.loops {
		errs = append(errs, l.set.Close())
	}
	p.running.Wait()
	return errors.Join(errs...)
}

// loop is one epoll set. The set is itself watched by the Go runtime, so that
// waiting for it holds no thread.
type loop struct {
	poller *Poller
	set    *os.File
	raw    syscall.RawConn
	fd     int

	// owned by the loop's goroutine
	look   func(fd uintptr) bool
	events [batch]syscall.EpollEvent
	ready  []syscall.EpollEvent // of events, not yet handled

	mu    sync.Mutex
	slots []slot
	free  []int32
}

// slot is where an event of the kernel finds its handler. The generation tells a
// late event of an earlier socket from one of this.
type slot struct {
	handler    Handler // nil while free
	generation int32
}

func newLoop(p *Poller) (*loop, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // so that os.NewFile lets the runtime poll it
		return nil, errors.Join(err, syscall.Close(fd))
	}
	l := &loop{poller: p, fd: fd, set: os.NewFile(uintptr(fd), "epoll")}
	if l.raw, err = l.set.SyscallConn(); err != nil {
		return nil, errors.Join(err, l.set.Close())
	}
	l.look = func(fd uintptr) bool {
		l.ready = l.events[:epollWait(fd, l.events[:])]
		return len(l.ready) > 0
	}
	return l, nil
}

// start lets a new goroutine run the loop.
func (l *loop) start() { l.poller.running.Go(l.run) }

func (l *loop) run() {
	p := &Pass{Work: l.poller.works.Get().(Work), loop: l}
	for {
		for len(l.ready) > 0 {
			e := l.ready[0]
			l.ready = l.ready[1:]
			l.dispatch(p, e)
			if p.left {
				l.poller.works.Put(p.Work)
				return
			}
		}
		p.Work.Done()
		if err := l.raw.Read(l.look); err != nil {
			return // closed
		}
	}
}

func (l *loop) dispatch(p *Pass, e syscall.EpollEvent) {
	l.mu.Lock()
	s := l.slots[e.Fd]
	l.mu.Unlock()
	if s.handler == nil || s.generation != e.Pad {
		return
	}
	const failed = syscall.EPOLLERR | syscall.EPOLLHUP
	s.handler.Ready(p, e.Events&(syscall.EPOLLIN|syscall.EPOLLRDHUP|failed) != 0, e.Events&(syscall.EPOLLOUT|failed) != 0)
}

// Leave gives the loop to another goroutine, after p.Work is done. The calling
// one may block from then on. Further calls do nothing.
func (p *Pass) Leave() {
	if p.left {
		return
	}
	p.left = true
	p.Work.Done()
	p.loop.start()
}

func (l *loop) register(h Handler) (index, generation int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.free); n > 0 {
		index = l.free[n-1]
		l.free = l.free[:n-1]
	} else {
		index = int32(len(l.slots)) // one for each open descriptor
		l.slots = append(l.slots, slot{})
	}
	l.slots[index].handler = h
	return index, l.slots[index].generation
}

func (l *loop) unregister(index int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slots[index].handler = nil
	l.slots[index].generation++
	l.free = append(l.free, index)
}
