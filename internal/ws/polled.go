package ws

import (
	"sync"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/netpoll"
)

// inputSize is how much one look at a socket reads at most. What it leaves is
// reported again, after the other sockets that are ready.
const inputSize = 16 << 10

// work is what a loop's goroutine carries from connection to connection.
type work struct {
	turn    hub.Turn
	input   [inputSize]byte
	serving *polled // the connection that is being served
	pass    *netpoll.Pass
}

func newWork() netpoll.Work {
	w := &work{}
	w.turn.Yield = w.yield
	return w
}

// Done implements netpoll.Work.
func (w *work) Done() { w.turn.End() }

// yield is called before the goroutine waits for anything: it leaves its loop and
// goes on as the goroutine of the connection that it serves.
func (w *work) yield() {
	if w.pass != nil {
		w.serving.detach()
		w.pass.Leave()
		w.pass = nil
	}
}

// pause is an empty text frame of a client. Where nothing more has come, the
// library gets it instead of being left waiting for the next frame: it ends its
// search for a message without a goroutine that would have to wait for one.
var pause = []byte{fin | 0x1, masked, 0, 0, 0, 0}

// polled is the source of a connection that is served by a loop. While nothing
// comes it has no goroutine and no buffer. A goroutine that serves it and has to
// wait for something detaches it from its loop first.
type polled struct {
	of     *connection
	line   netpoll.Conn
	data   []byte // read, but not yet by the library
	err    error  // how the connection has ended, behind data
	pausal bool   // the library has been given a pause

	own *[inputSize]byte // of a detached goroutine that has waited

	mu       sync.Mutex
	detached bool          // a goroutine serves it that belongs to no loop
	ready    chan struct{} // capacity 1: what a detached goroutine waits for; made by the first
}

var (
	_ source          = (*polled)(nil)
	_ netpoll.Handler = (*polled)(nil)
)

// newPolled returns a source that is detached: the connection begins on a
// goroutine of its own.
func newPolled(c *connection, early []byte) *polled {
	return &polled{of: c, data: early, detached: true}
}

// Ready implements netpoll.Handler.
func (p *polled) Ready(pass *netpoll.Pass, readable, writable bool) {
	if writable {
		p.of.out.Flush()
	}
	if !readable || p.wakeDetached() {
		return
	}
	w := pass.Work.(*work)
	p.fill(w.input[:])
	if p.idle() {
		return
	}
	w.serving, w.pass = p, pass
	more := p.of.serve(&w.turn)
	left := w.pass == nil
	w.serving, w.pass = nil, nil
	if left {
		w.turn.End()
		if more {
			p.of.goOn(&w.turn)
		}
	}
}

// wakeDetached wakes the goroutine that serves the connection, if that is not
// this one, and reports whether there is one.
func (p *polled) wakeDetached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.detached {
		return false
	}
	_ = p.line.WatchRead(false) // it only stops
	select {
	case p.ready <- struct{}{}:
	default: // it knows, or does not wait
	}
	return true
}

// detach makes the serving goroutine the only one that reads.
func (p *polled) detach() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detached = true
	_ = p.line.WatchRead(false) // it only stops
}

// attach gives the connection back to its loop; the caller must not touch it any
// more if it succeeds. It fails if the connection cannot be watched: then it has
// ended, as a read would tell.
func (p *polled) attach() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detached, p.own = false, nil
	if err := p.line.WatchRead(true); err != nil {
		p.detached, p.err = true, err
		return false
	}
	return true
}

// fill reads what is there, once.
func (p *polled) fill(buffer []byte) {
	n, err := p.line.Read(buffer)
	p.data, p.err = buffer[:n], err
}

func (p *polled) read(b []byte) (int, error) {
	for len(p.data) == 0 {
		if p.err != nil {
			return 0, p.err
		}
		if p.of.frames.between() {
			p.pausal = true
			return copy(b, pause), nil
		}
		p.of.awaitsRest()
		p.Await()
	}
	n := copy(b, p.data)
	p.data = p.data[n:]
	return n, nil
}

func (p *polled) idle() bool { return len(p.data) == 0 && p.err == nil }

func (p *polled) paused() bool {
	was := p.pausal
	p.pausal = false
	return was
}

// Await implements session.Socket.
func (p *polled) Await() {
	p.of.turn.BeforeWait()
	for p.idle() {
		if err := p.watchDetached(); err != nil {
			p.err = err
			return
		}
		<-p.ready
		if p.own == nil {
			p.own = new([inputSize]byte)
		}
		p.fill(p.own[:])
	}
}

func (p *polled) watchDetached() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ready == nil {
		p.ready = make(chan struct{}, 1)
	}
	return p.line.WatchRead(true)
}

// Drain implements session.Socket.
func (p *polled) Drain(limit int64) {
	p.line.CloseWrite()
	for p.err == nil && limit > 0 {
		limit -= int64(len(p.data))
		p.data = nil
		p.Await()
	}
}

func (p *polled) free() { p.data = nil }
