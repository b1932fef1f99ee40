package ws

import (
	"net"
	"sync"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/netpoll"
	"github.com/pipesocket/pipesocketd/internal/session"
)

// inputSize is how much one look at a socket reads at most. What it leaves is
// reported again, after the other sockets that are ready.
const inputSize = 16 << 10

// drainBuffer is what is thrown away at once.
const drainBuffer = 2 << 10

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
	of      *connection
	line    netpoll.Conn
	data    []byte   // read, but not yet by the library
	err     error    // how the connection has ended, behind data
	secured *secured // has the two instead; nil without TLS
	pausal  bool     // the library has been given a pause

	own *[inputSize]byte // of a detached goroutine that has waited

	mu       sync.Mutex
	detached bool          // a goroutine serves it that belongs to no loop
	ready    chan struct{} // capacity 1: what a detached goroutine waits for; made by the first
}

var (
	_ source          = (*polled)(nil)
	_ netpoll.Handler = (*polled)(nil)
)

// openPolled makes a source and an outbox for a connection that poller is to
// serve; after an error they are of no use, and network is as it was. The source
// is detached: the connection begins on a goroutine of its own.
func (c *connection) openPolled(poller *netpoll.Poller, network net.Conn, early []byte, backlogBytes int) error {
	p := &polled{of: c, detached: true}
	c.source = p // before a loop may look at it
	secure, under, _ := socketBelow(network)
	if secure == nil {
		p.data = early
		c.out = session.NewPolledOutbox(&p.line, backlogBytes)
		return poller.Adopt(&p.line, network, p)
	}
	p.secured = &secured{conn: secure, under: under, ahead: early}
	c.out = session.NewSecuredOutbox(&p.line, under, secure, backlogBytes)
	return poller.AdoptUnder(&p.line, under, p)
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
		p.detached = true
		p.put(nil, err)
		return false
	}
	return true
}

// fill reads what is there, once.
func (p *polled) fill(buffer []byte) {
	n, err := p.line.Read(buffer)
	p.put(buffer[:n], err)
}

// put notes what has come; nothing of before is left.
func (p *polled) put(b []byte, err error) {
	if p.secured != nil {
		p.secured.under.Feed(b, err)
		return
	}
	p.data, p.err = b, err
}

// take returns what is there, 0 and nil if nothing is.
func (p *polled) take(b []byte) (n int, err error) {
	if p.secured != nil {
		return p.secured.take(b)
	}
	if len(p.data) == 0 {
		return 0, p.err
	}
	n = copy(b, p.data)
	p.data = p.data[n:]
	return n, nil
}

func (p *polled) read(b []byte) (int, error) {
	for {
		if n, err := p.take(b); n > 0 || err != nil {
			return n, err
		}
		if p.of.frames.between() {
			p.pausal = true
			return copy(b, pause), nil
		}
		p.of.awaitsRest()
		p.Await()
	}
}

func (p *polled) idle() bool {
	if p.secured == nil {
		return len(p.data) == 0 && p.err == nil
	}
	if !p.secured.idle() {
		return false
	}
	if p.secured.under.Held() {
		p.of.out.Flush() // TLS may have answered something by itself
	}
	return true
}

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
			p.put(nil, err)
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
	if p.secured != nil {
		p.secured.closeWrite()
	}
	p.line.CloseWrite()
	for thrown := make([]byte, drainBuffer); limit > 0; {
		n, err := p.take(thrown)
		if err != nil {
			return
		}
		limit -= int64(n)
		p.Await()
	}
}

func (p *polled) free() { p.data = nil }
