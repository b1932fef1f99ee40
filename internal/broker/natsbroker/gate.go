package natsbroker

import "net"

// queueMessages is how many messages may have been read and not been received yet.
// The library reads 32 KiB at once and TLS may hold as much, no message takes less
// than 16 bytes, and all are received before more is read.
const queueMessages = 16 << 10

// gate is the connection under a link. Before it is read from, the receiver gets what
// was read before, from the goroutine that reads: waking another one would take longer
// than most messages do. So nothing is read while the receiver is busy, and the queue
// is never full, which would make the library drop what does not fit.
type gate struct {
	net.Conn
	handOver func() error
}

// Read implements net.Conn.
func (g *gate) Read(p []byte) (int, error) {
	if err := g.handOver(); err != nil {
		return 0, err
	}
	return g.Conn.Read(p)
}
