package session

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// ErrSlow is returned by [Outbox.Deliver] when the backlog is at its limit.
var ErrSlow = errors.New("connection is too slow: backlog is full")

// errBusy is [ErrSlow] of a connection that cannot be written directly: the
// flusher may be behind rather than the peer.
var errBusy = fmt.Errorf("%w: %w", ErrSlow, hub.ErrBusy)

// flushBytes is how much of the backlog one write takes at most, except for a
// single larger piece. What a write has begun cannot be taken back when a slow
// consumer is closed, so this bounds what it still costs then.
const flushBytes = 64 << 10

// Outbox is the write side of one connection. Its methods may be called
// concurrently; but for Wait and End they never wait for the socket.
type Outbox struct {
	// set by NewOutbox, immutable
	conn   net.Conn
	direct *directWriter // nil where writing may block (TLS)
	limit  int

	flusher sync.WaitGroup // the flush goroutine, if there is one

	mu           sync.Mutex
	backlog      [][]byte // pieces of whole frames, except as begun says
	begun        bool     // backlog[0] is the rest of a frame whose beginning is written
	backlogBytes int      // of backlog and of what the flusher is writing
	flushing     bool     // the flusher owns the socket's write side
	closing      bool     // the last frame is written or queued; nothing follows it
	broken       bool     // the socket takes no more
}

// NewOutbox returns the write side of conn, which nobody else may write to. The
// backlog may grow to limit bytes, and over it by one delivery that is larger
// than half of that.
func NewOutbox(conn net.Conn, limit int) *Outbox {
	return &Outbox{conn: conn, direct: newDirectWriter(conn), limit: limit}
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
	return o.writeLocked(w)
}

// DeliverCopy is [Outbox.Deliver] for frames whose bytes the caller will reuse.
// A close frame ends the outbox like [Outbox.Close].
func (o *Outbox) DeliverCopy(w []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closing || o.broken {
		return nil
	}
	owned := append(protocol.Wire(nil), w...)
	if protocol.IsClose(w) {
		o.closeLocked(owned, closeGrace)
		return nil
	}
	return o.writeLocked(owned)
}

// Close writes the last frames behind what is queued, or, with discard, in the
// place of what is queued. The socket is given grace to take them. It reports
// whether this call closed the outbox, false if it was closing already.
func (o *Outbox) Close(last protocol.Wire, discard bool, grace time.Duration) bool {
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
	o.closeLocked(last, grace)
	return true
}

// closeLocked queues the last frames. The deadline is what ends the flusher of a
// peer that asked for the close itself and then reads nothing.
func (o *Outbox) closeLocked(last protocol.Wire, grace time.Duration) {
	o.closing = true
	_ = o.conn.SetWriteDeadline(time.Now().Add(grace)) // fails only on a dead socket
	o.enqueueLocked(last)                              // over the limit or not: these are the last bytes
}

// End drops what is queued, closes the connection, and returns when nothing is
// being written any more. Nothing begins afterwards: Deliver and Close have no
// effect.
func (o *Outbox) End() {
	o.mu.Lock()
	o.closing, o.broken = true, true
	o.backlog, o.backlogBytes = nil, 0
	o.mu.Unlock()
	_ = o.conn.Close() // a second close is harmless
	o.flusher.Wait()
}

// Closing reports whether the connection is ending: its last frame is queued, or
// the socket takes no more. No delivery has an effect from then on.
func (o *Outbox) Closing() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closing || o.broken
}

// Wait returns when the last frames have left or cannot. It may be called only
// once [Outbox.Closing] is true: before that, more could begin meanwhile.
func (o *Outbox) Wait() { o.flusher.Wait() }

// writeLocked writes what the socket takes now and queues the rest.
func (o *Outbox) writeLocked(w protocol.Wire) error {
	if o.flushing || o.direct == nil {
		if !o.hasRoomLocked(len(w)) {
			if o.direct == nil {
				return errBusy
			}
			return ErrSlow
		}
		o.enqueueLocked(w)
		return nil
	}
	n, err := o.direct.write(w) // nothing is waiting, so there is room for what the socket leaves
	if err != nil {
		o.breakLocked()
		return nil //nolint:nilerr // the end of the connection is the reader's to report
	}
	if n > 0 && n < len(w) {
		// Frames stay whole, whatever becomes of the others.
		end := frameEnd(w, n)
		o.begun = true
		o.enqueueLocked(w[n:end])
		n = end
	}
	o.enqueueLocked(w[n:])
	return nil
}

// hasRoomLocked reports whether n more bytes may wait. Half of the limit is room
// for anything: a delivery that is large by itself (a round, the snapshot of a
// big presence channel) does not make a slow consumer of a peer that reads.
func (o *Outbox) hasRoomLocked(n int) bool {
	return o.backlogBytes+min(n, o.limit/2) <= o.limit
}

func (o *Outbox) enqueueLocked(w protocol.Wire) {
	if len(w) == 0 {
		return
	}
	o.backlog = append(o.backlog, w)
	o.backlogBytes += len(w)
	if !o.flushing {
		o.flushing = true
		o.flusher.Go(o.flush)
	}
}

// discardLocked drops every frame that no write has begun.
func (o *Outbox) discardLocked() {
	keep := 0
	if o.begun {
		keep = 1
	}
	for _, piece := range o.backlog[keep:] {
		o.backlogBytes -= len(piece)
	}
	clear(o.backlog[keep:])
	o.backlog = o.backlog[:keep]
}

// flush writes the backlog until it is empty. It owns the write side of the
// socket while o.flushing is set, so blocking here disturbs nobody.
func (o *Outbox) flush() {
	for {
		pieces, size := o.takeForFlush()
		if pieces == nil {
			return
		}
		_, err := pieces.WriteTo(o.conn)
		o.flushed(size, err)
	}
}

func (o *Outbox) flushed(size int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.breakLocked()
		return
	}
	o.backlogBytes -= size
}

// takeForFlush returns the next pieces to write, nil when there are none: then
// the flusher has given the write side back.
func (o *Outbox) takeForFlush() (pieces net.Buffers, size int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.backlog) == 0 || o.broken {
		o.flushing = false
		o.backlog = nil
		return nil, 0
	}
	o.begun = false
	n := 0
	for n < len(o.backlog) && (n == 0 || size+len(o.backlog[n]) <= flushBytes) {
		size += len(o.backlog[n])
		n++
	}
	pieces = append(net.Buffers(nil), o.backlog[:n]...)
	clear(o.backlog[:n])
	o.backlog = o.backlog[n:]
	return pieces, size
}

// breakLocked gives the connection up: the peer is gone or did not take the last
// frames in time. Closing the socket ends the reader too.
func (o *Outbox) breakLocked() {
	if o.broken {
		return
	}
	o.broken = true
	o.backlog, o.backlogBytes = nil, 0
	drop(o.conn)
}

// drop closes a connection at once: the goodbye with which TLS would begin waits
// seconds for a peer that takes nothing.
func drop(conn net.Conn) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close() // a second close is harmless
}

// frameEnd returns the end of the frame that the byte at offset n belongs to.
func frameEnd(w protocol.Wire, n int) int {
	end := 0
	for end <= n && end < len(w) {
		end += w[end:].FrameLen()
	}
	return end
}
