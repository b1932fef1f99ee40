package fastlane

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// conn is a connection in the fast lane. Everything but its deadlines is owned
// by the goroutine of serve.
type conn struct {
	*net.TCPConn
	listener *Listener
	socket   io.ReadWriter // the same connection, quicker once it has proved to be in the right lane
	buffers  *buffers

	answered   bool      // a request, on this connection
	now        time.Time // that is still right, zero if there is none
	began      time.Time // when the request, or the wait for the first one, began; zero between requests
	readUntil  time.Time // the deadline of reads
	writeUntil time.Time // the deadline of writes
}

var (
	errEnd     = errors.New("connection is to end")
	errForeign = errors.New("request is not served here")
)

// serve serves requests until the connection ends or is handed over.
func (c *conn) serve() {
	defer c.listener.remove(c)
	c.buffers = pool.Get().(*buffers)
	c.socket = c.TCPConn
	c.began = time.Now()
	for {
		if err := c.serveRequest(); err != nil {
			c.leave(err)
			return
		}
	}
}

// serveRequest serves one request. The error says how the connection goes on.
func (c *conn) serveRequest() error {
	h, err := c.awaitHead()
	if err != nil {
		return err
	}
	trigger := c.listener.api.BeginTrigger(h.path, h.query, int64(h.length))
	if trigger == nil {
		return errForeign
	}
	defer trigger.Release()
	end := h.size + h.length
	for len(c.buffers.in) < end {
		if err := c.fill(c.listener.limits.Body, end); err != nil {
			return err
		}
	}
	answer := trigger.Answer(c.buffers.in[h.size:end])
	c.now = answer.Made
	h.closes = h.closes || c.listener.draining.Load()
	c.buffers.out = appendAnswer(c.buffers.out[:0], &answer, h.closes)
	if err := c.write(c.buffers.out); err != nil || h.closes {
		return errEnd
	}
	c.buffers.consume(end)
	c.began = time.Time{}
	if !c.answered {
		c.answered = true
		c.socket = newSocket(c.TCPConn)
	}
	return nil
}

// awaitHead reads until the head of a request is there.
func (c *conn) awaitHead() (head, error) {
	for {
		if c.answered {
			c.skipLineEnds()
		}
		h, v := readHead(c.buffers.in[:min(len(c.buffers.in), maxHead)])
		switch {
		case v == served:
			return h, nil
		case v == foreign || len(c.buffers.in) >= maxHead:
			return head{}, errForeign
		}
		if err := c.fill(c.listener.limits.Head, maxHead); err != nil {
			return head{}, err
		}
	}
}

// skipLineEnds drops what old clients send behind a body (RFC 9112 §2.2).
func (c *conn) skipLineEnds() {
	n := 0
	for n < len(c.buffers.in) && (c.buffers.in[n] == '\r' || c.buffers.in[n] == '\n') {
		n++
	}
	if n == 0 {
		return
	}
	if c.buffers.consume(n); len(c.buffers.in) == 0 {
		c.began = time.Time{}
	}
}

// fill reads once. A request in progress may take as long as limit from its
// first byte on, and gets room up to the given size.
func (c *conn) fill(limit time.Duration, size int) error {
	c.setReadDeadline(limit)
	c.buffers.room(size)
	in := c.buffers.in
	for {
		// Looked at after the deadline was set: Close does the two the other way round.
		if len(in) == 0 && c.listener.draining.Load() {
			return errEnd
		}
		n, err := c.socket.Read(in[len(in):cap(in)])
		c.buffers.in = in[:len(in)+n]
		switch {
		case n > 0:
			return nil // an error comes again
		case len(in) > 0 && errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(c.readUntil):
			// Close has ended the read, but the rest of this request may still come.
			_ = c.SetReadDeadline(c.readUntil)
		case err == nil:
			return io.ErrNoProgress
		default:
			return err
		}
	}
}

func (c *conn) setReadDeadline(limit time.Duration) {
	now := c.now
	if c.now = (time.Time{}); now.IsZero() {
		now = time.Now()
	}
	if c.began.IsZero() && len(c.buffers.in) > 0 {
		c.began = now
	}
	until := c.began.Add(limit)
	if c.began.IsZero() {
		idle := c.listener.limits.Idle
		until = now.Add(idle)
		if late := until.Sub(c.readUntil); late >= 0 && late < idle/8 {
			return // near enough: moving a deadline costs a timer
		}
	}
	c.readUntil = until
	_ = c.SetReadDeadline(until) // fails only if the read will, too
}

func (c *conn) write(b []byte) error {
	limit := c.listener.limits.Write
	if c.writeUntil.Sub(c.now) < limit {
		c.writeUntil = c.now.Add(2 * limit)
		_ = c.SetWriteDeadline(c.writeUntil) // fails only if the write will, too
	}
	_, err := c.socket.Write(b)
	return err
}

// leave ends the connection or hands it over: for net/http to serve a request
// that is not for here, or to say what there is to say of one that has not
// arrived.
func (c *conn) leave(err error) {
	if errors.Is(err, errEnd) || len(c.buffers.in) == 0 {
		_ = c.Close()
		c.buffers.release()
		return
	}
	h := &handed{TCPConn: c.TCPConn, held: c.buffers.in, buffers: c.buffers}
	if !errors.Is(err, errForeign) {
		h.failure = err
	}
	_ = c.SetDeadline(time.Time{}) // fails only on a dead one, as net/http will see
	c.listener.handOver(h)
}
