package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/netpoll"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// ErrSlow is returned by [Outbox.Deliver] when the backlog is at its limit.
var ErrSlow = errors.New("connection is too slow: backlog is full")

// errBusy is [ErrSlow] of a connection that nothing leaves at once: its goroutine
// may be behind rather than the peer.
var errBusy = fmt.Errorf("%w: %w", ErrSlow, hub.ErrBusy)

// Outbox is the write side of one connection. Its methods may be called
// concurrently; but for Wait and End they never wait for the socket.
type Outbox struct {
	mu      sync.Mutex
	closing bool // the last frame is written or queued; nothing follows it
	broken  bool // the socket takes no more
	backlog *backlog

	// immutable
	line  line
	limit int
}

// backlog is what the socket did not take at once.
type backlog struct {
	pieces [][]byte // of whole frames, except as begun says
	begun  bool     // pieces[0] is the rest of a frame whose beginning is written
	bytes  int      // of pieces and of what a flusher is writing
	gone   chan struct{}
}

// NewOutbox returns the write side of conn, which nobody else may write to. The
// backlog may grow to limit bytes, and over it by one delivery that is larger
// than half of that.
func NewOutbox(conn net.Conn, limit int) *Outbox {
	o := &Outbox{limit: limit}
	o.line = &blockingLine{conn: conn, out: o}
	return o
}

// NewPolledOutbox is [NewOutbox] for a socket that is served by loops. Its handler
// has to call [Outbox.Flush] when the socket can be written.
func NewPolledOutbox(conn *netpoll.Conn, limit int) *Outbox {
	return &Outbox{limit: limit, line: polledLine{conn}}
}

// NewSecuredOutbox is [NewPolledOutbox] for a socket with TLS above it: what is
// written to secure goes through under to conn. One record of up to 16 KiB that is
// encrypted already may wait beside the backlog.
func NewSecuredOutbox(conn *netpoll.Conn, under *netpoll.Underlay, secure io.Writer, limit int) *Outbox {
	return &Outbox{limit: limit, line: &securedLine{polledLine{conn}, under, secure}}
}

// Deliver writes or queues frames. The bytes are kept and must not be changed.
// It returns [ErrSlow] if the backlog has no room; once the connection is
// closing it drops the frames and returns nil.
func (o *Outbox) Deliver(w protocol.Wire) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || o.broken {
		return nil
	}
	return o.writeLocked(w, kept)
}

// DeliverCopy is [Outbox.Deliver] for frames whose bytes the caller will reuse:
// what the socket does not take at once is copied. A close frame ends the outbox
// like [Outbox.Close]. It implements [hub.CopyingOutlet].
func (o *Outbox) DeliverCopy(w []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || o.broken {
		return nil
	}
	if protocol.IsClose(w) {
		o.closeLocked(bytes.Clone(w))
		return nil
	}
	return o.writeLocked(w, bytes.Clone)
}

// Close writes the last frames behind what is queued, or, with discard, in the
// place of what is queued. It reports whether this call closed the outbox, false
// if it was closing already. A peer may take none of it: see [Outbox.Abort].
func (o *Outbox) Close(last protocol.Wire, discard bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing {
		return false
	}
	if o.broken {
		o.closing = true
		return true
	}
	if discard {
		o.discardLocked()
	}
	o.closeLocked(last)
	return true
}

// closeLocked queues the last frames.
func (o *Outbox) closeLocked(last protocol.Wire) {
	o.closing = true
	if o.backlog != nil {
		o.enqueueLocked(last) // over the limit or not: these are the last bytes
		return
	}
	_ = o.writeLocked(last, kept) // there is room: nothing waits
}

// Abort drops what is queued and ends the connection in both directions.
func (o *Outbox) Abort() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.breakLocked()
}

// End drops what is queued, closes the connection for good, and returns when
// nothing is being written any more. Nothing begins afterwards: Deliver and Close
// have no effect. It may be called more than once, but not concurrently.
func (o *Outbox) End() {
	o.mu.Lock()
	line := o.line
	o.closing, o.broken, o.line = true, true, nil
	o.dropLocked()
	o.mu.Unlock()
	if line != nil {
		line.end()
	}
}

// Closing reports whether the connection is ending: its last frame is queued, or
// the socket takes no more. No delivery has an effect from then on.
func (o *Outbox) Closing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closing || o.broken
}

// Gone returns what is closed when everything queued has left or cannot any more;
// nil if nothing is queued.
func (o *Outbox) Gone() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.backlog == nil {
		return nil
	}
	if o.backlog.gone == nil {
		o.backlog.gone = make(chan struct{})
	}
	return o.backlog.gone
}

// kept is how to keep bytes that are ours.
func kept(b []byte) []byte { return b }

// writeLocked writes what the socket takes now and queues the rest, as keep
// returns it.
func (o *Outbox) writeLocked(w protocol.Wire, keep func([]byte) []byte) error {
	if o.backlog != nil {
		if !o.backlog.hasRoom(len(w), o.limit) {
			if _, slow := o.line.(*blockingLine); slow {
				return errBusy
			}
			return ErrSlow
		}
		o.enqueueLocked(keep(w))
		return nil
	}
	n, err := o.line.write(w) // nothing is waiting, so there is room for what the socket leaves
	switch {
	case err != nil:
		o.breakLocked()
	case n < len(w) || o.line.held():
		o.keepLocked(keep(w), n)
	}
	return nil // the end of a connection is its reader's to report
}

// keepLocked begins a backlog with what is left of w when n bytes are written.
func (o *Outbox) keepLocked(w protocol.Wire, n int) {
	o.backlog = &backlog{}
	if err := o.line.wake(true); err != nil {
		o.breakLocked()
		return
	}
	if n > 0 && n < len(w) {
		// Frames stay whole, whatever becomes of the others.
		end := frameEnd(w, n)
		o.backlog.begun = true
		o.enqueueLocked(w[n:end])
		n = end
	}
	o.enqueueLocked(w[n:])
}

func (o *Outbox) enqueueLocked(w protocol.Wire) {
	if len(w) > 0 {
		o.backlog.pieces = append(o.backlog.pieces, w)
		o.backlog.bytes += len(w)
	}
}

// hasRoom reports whether n more bytes may wait. Half of the limit is room for
// anything: a delivery that is large by itself (a round, the snapshot of a big
// presence channel) does not make a slow consumer of a peer that reads.
func (b *backlog) hasRoom(n, limit int) bool {
	return b.bytes+min(n, limit/2) <= limit
}

// discardLocked drops every frame that no write has begun.
func (o *Outbox) discardLocked() {
	b := o.backlog
	if b == nil {
		return
	}
	keep := 0
	if b.begun {
		keep = 1
	}
	for _, piece := range b.pieces[keep:] {
		b.bytes -= len(piece)
	}
	clear(b.pieces[keep:])
	b.pieces = b.pieces[:keep]
}

// Flush writes what the socket takes of the backlog now. If TLS has something to
// send by itself that the socket did not take, it becomes a backlog.
func (o *Outbox) Flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer o.recoverFlushLocked()
	if o.broken {
		return
	}
	b := o.backlog
	if b == nil {
		if o.line.held() {
			o.keepLocked(nil, 0)
		}
		return
	}
	for len(b.pieces) > 0 || o.line.held() {
		var piece []byte
		if len(b.pieces) > 0 {
			piece = b.pieces[0]
		}
		n, err := o.line.write(piece)
		if err != nil {
			o.breakLocked()
			return
		}
		if n < len(piece) || n == 0 && o.line.held() {
			b.written(n)
			return
		}
		b.written(n)
	}
	o.emptyLocked()
}

// written takes n bytes off the first piece.
func (b *backlog) written(n int) {
	if n == 0 {
		return
	}
	b.bytes -= n
	piece := b.pieces[0]
	if n == len(piece) {
		b.pieces[0] = nil
		b.pieces, b.begun = b.pieces[1:], false
		return
	}
	if b.begun { // it holds the rest of one frame only
		b.pieces[0] = piece[n:]
		return
	}
	end := frameEnd(piece, n)
	b.pieces[0], b.begun = piece[n:end], true
	if end < len(piece) {
		b.pieces = append([][]byte{piece[n:end], piece[end:]}, b.pieces[1:]...)
	}
}

// emptyLocked ends the backlog: everything has left.
func (o *Outbox) emptyLocked() {
	if err := o.line.wake(false); err != nil {
		o.breakLocked()
		return
	}
	o.dropLocked()
}

// dropLocked forgets the backlog.
func (o *Outbox) dropLocked() {
	if o.backlog != nil && o.backlog.gone != nil {
		close(o.backlog.gone)
	}
	o.backlog = nil
}

// takeLocked gives the next pieces of up to size bytes to a flusher, none if there
// are none: then it is done.
func (o *Outbox) takeLocked(limit int) (pieces net.Buffers, size int) {
	b := o.backlog
	if b == nil {
		return nil, 0
	}
	if len(b.pieces) == 0 {
		o.emptyLocked()
		return nil, 0
	}
	b.begun = false
	n := 0
	for n < len(b.pieces) && (n == 0 || size+len(b.pieces[n]) <= limit) {
		size += len(b.pieces[n])
		n++
	}
	pieces = append(net.Buffers(nil), b.pieces[:n]...)
	clear(b.pieces[:n])
	b.pieces = b.pieces[n:]
	return pieces, size
}

// flushed notes what a flusher has written.
func (o *Outbox) flushed(size int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.breakLocked()
		return
	}
	if o.backlog != nil {
		o.backlog.bytes -= size
	}
}

// breakLocked gives the connection up: the peer is gone or did not take the last
// frames in time. Its reader notices.
func (o *Outbox) breakLocked() {
	if o.broken {
		return
	}
	o.broken = true
	_ = o.line.wake(false) // it only stops
	o.dropLocked()
	o.line.shutdown()
}

// frameEnd returns the end of the frame that the byte at offset n belongs to.
func frameEnd(w protocol.Wire, n int) int {
	end := 0
	for end <= n && end < len(w) {
		end += w[end:].FrameLen()
	}
	return end
}
