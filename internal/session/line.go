package session

import (
	"io"
	"net"
	"sync"

	"github.com/pipesocket/pipesocketd/internal/netpoll"
)

// line is the socket as an outbox sees it. All but end are called with the
// outbox's lock held and never wait.
type line interface {
	// write takes as much of b as leaves at once; it may be called with nothing.
	// After an error the socket takes no more.
	write(b []byte) (n int, err error)

	// held reports whether some of what write has taken has not left yet.
	held() bool

	// wake begins or stops to have the outbox flushed when there may be room.
	wake(on bool) error

	// shutdown ends the connection in both directions, so that its reader notices.
	shutdown()

	// end closes the connection for good and returns when no flushing runs. It is
	// called once and without the lock; nothing else is called after it.
	end()
}

// polledLine is a plain socket that is served by loops.
type polledLine struct{ conn *netpoll.Conn }

func (l polledLine) write(b []byte) (int, error) { return l.conn.Write(b) }
func (polledLine) held() bool                    { return false }
func (l polledLine) wake(on bool) error          { return l.conn.WatchWrite(on) }
func (l polledLine) shutdown()                   { l.conn.Shutdown() }
func (l polledLine) end()                        { l.conn.Close() }

// securedLine is TLS over a socket that is served by loops.
type securedLine struct {
	polledLine
	under  *netpoll.Underlay
	secure io.Writer
}

// recordBytes is how much is encrypted before it is known whether the socket
// takes it: what is encrypted has to be sent. TLS puts no more into a record.
const recordBytes = 16 << 10

func (l *securedLine) write(b []byte) (n int, err error) {
	empty, err := l.under.Flush()
	for empty && err == nil && n < len(b) {
		var m int
		m, err = l.secure.Write(b[n:min(len(b), n+recordBytes)])
		n += m
		empty = !l.under.Held()
	}
	return n, err
}

func (l *securedLine) held() bool { return l.under.Held() }

// flushBytes is how much of the backlog one write of a blocking line takes at
// most, except for a single larger piece. What a write has begun cannot be taken
// back when a slow consumer is closed, so this bounds what it still costs then.
const flushBytes = 64 << 10

// blockingLine is any connection. Nothing leaves at once: a goroutine that lives
// while something waits writes it.
type blockingLine struct {
	conn    net.Conn
	out     *Outbox
	flusher sync.WaitGroup
	running bool // guarded by the outbox's lock
}

func (*blockingLine) write([]byte) (int, error) { return 0, nil }
func (*blockingLine) held() bool                { return false }

func (l *blockingLine) wake(on bool) error {
	if on && !l.running {
		l.running = true
		l.flusher.Go(l.flush)
	}
	return nil
}

func (l *blockingLine) shutdown() { drop(l.conn) }

func (l *blockingLine) end() {
	drop(l.conn)
	l.flusher.Wait()
}

// flush writes what waits until there is nothing.
func (l *blockingLine) flush() {
	defer l.out.recoverFlush()
	for {
		pieces, size := l.take()
		if pieces == nil {
			return
		}
		_, err := pieces.WriteTo(l.conn)
		l.out.flushed(size, err)
	}
}

func (l *blockingLine) take() (pieces net.Buffers, size int) {
	l.out.mu.Lock()
	defer l.out.mu.Unlock()
	pieces, size = l.out.takeLocked(flushBytes)
	l.running = pieces != nil
	return pieces, size
}

// drop closes a connection at once: the goodbye with which TLS would begin waits
// seconds for a peer that takes nothing.
func drop(conn net.Conn) {
	if secure, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close() // a second close is harmless
}
