package natsbroker

import (
	"net"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"
)

const (
	// queueMessages and queueBytes bound what has been read and not been received
	// yet. 8 MiB are 0.1 s of a full gigabit link.
	queueMessages = 16 << 10
	queueBytes    = 8 << 20

	// queueReserve is how many messages may come out of one Read: the library reads
	// 32 KiB at once, TLS may hold as much, and no message takes less than 16 bytes.
	queueReserve = 4096
)

// gate is the connection under a link. It reads nothing while the queue is full,
// since the library would drop what does not fit.
type gate struct {
	net.Conn
	queue chan *nats.Msg

	unread atomic.Int64  // bytes read from the socket less those taken off the queue
	room   chan struct{} // capacity 1; never closed
	ended  chan struct{}
	end    sync.Once
}

func newGate(conn net.Conn, queue chan *nats.Msg) *gate {
	return &gate{Conn: conn, queue: queue, room: make(chan struct{}, 1), ended: make(chan struct{})}
}

// Read implements net.Conn.
func (g *gate) Read(p []byte) (int, error) {
	for g.full() {
		select {
		case <-g.room:
		case <-g.ended:
			return 0, net.ErrClosed
		}
	}
	n, err := g.Conn.Read(p)
	g.unread.Add(int64(n))
	return n, err
}

// full is false while nothing is queued, however large the message may be that is
// being read.
func (g *gate) full() bool {
	queued := len(g.queue)
	return queued > 0 && g.unread.Load() > queueBytes || queued > queueMessages-queueReserve
}

// took is called after each message that has left the queue and been received.
func (g *gate) took(m *nats.Msg) {
	size := int64(len(m.Data) + len(m.Subject))
	if len(g.queue) == 0 {
		// The exact size on the wire is not known: what was not counted is forgiven
		// whenever the queue is empty, so a gate that has closed always opens again.
		size = g.unread.Load()
	}
	g.unread.Add(-size)
	if !g.full() {
		select {
		case g.room <- struct{}{}:
		default:
		}
	}
}

// Close implements net.Conn; it may be called more than once.
func (g *gate) Close() error {
	g.end.Do(func() { close(g.ended) })
	return g.Conn.Close()
}
