package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// portable is the engine for TLS and for systems other than Linux: a reading
// goroutine per connection, and a mutex that makes the fleet's calls one after
// the other.
type portable struct {
	f       *fleet
	ctx     context.Context //nolint:containedctx // the life of the engine, which has no caller
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu sync.Mutex // held while the fleet is called
}

// portableBuffer is the read buffer of one connection; it grows to a frame.
const portableBuffer = 4 << 10

func newPortable(f *fleet) *portable {
	p := &portable{f: f}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.running.Go(p.tick)
	return p
}

func (p *portable) tick() {
	ticker := time.NewTicker(tickEvery * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			p.do(p.f.tick)
		case <-p.ctx.Done():
			return
		}
	}
}

func (p *portable) dial(c *client) {
	p.running.Go(func() {
		conn, err := p.connect(c.target)
		p.mu.Lock()
		switch {
		case c.state != connecting || c.conn != nil: // given up meanwhile
			p.mu.Unlock()
			if conn != nil {
				_ = conn.Close()
			}
			return
		case err != nil:
			p.f.lose(c, fmt.Errorf("connect: %w", err))
			p.mu.Unlock()
			return
		}
		c.conn = conn
		if tcp, ok := conn.(*net.TCPConn); ok && c.slow {
			_ = tcp.SetReadBuffer(portableBuffer) // a larger one is slower to fill, no more
		}
		p.f.opened(c)
		p.mu.Unlock()
		p.read(c, conn)
	})
}

func (p *portable) connect(t *target) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(p.ctx, p.f.timeout)
	defer cancel()
	return t.dial(ctx)
}

// dial connects to the server, with TLS if it has it.
func (t *target) dial(ctx context.Context) (net.Conn, error) {
	if t.tls {
		dialer := tls.Dialer{Config: &tls.Config{ServerName: t.hostname(), RootCAs: t.roots, MinVersion: tls.VersionTLS12}}
		return dialer.DialContext(ctx, "tcp", t.address.String())
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", t.address.String())
}

func (p *portable) read(c *client, conn net.Conn) {
	buffer := make([]byte, portableBuffer)
	kept := 0
	for {
		if kept == len(buffer) {
			buffer = append(buffer, make([]byte, len(buffer))...)
		}
		n, err := conn.Read(buffer[kept:])
		at := now()
		p.mu.Lock()
		if c.conn != conn { // dropped, and perhaps dialled again
			p.mu.Unlock()
			return
		}
		kept += n
		used := p.f.received(c, buffer[:kept], at)
		kept = copy(buffer, buffer[used:kept])
		if err != nil {
			p.f.lose(c, fmt.Errorf("read: %w", err))
		}
		held := c.held
		p.mu.Unlock()
		if held != nil {
			select {
			case <-held:
			case <-p.ctx.Done():
			}
		}
	}
}

// write may wait for the socket, for as long as the timeout: nobody waits for
// this side to read meanwhile but the server, whose socket buffers are large
// beside what is sent here.
func (p *portable) write(c *client, b []byte) {
	if c.conn == nil {
		return
	}
	_ = c.conn.SetWriteDeadline(time.Now().Add(p.f.timeout))
	if _, err := c.conn.Write(b); err != nil && !errors.Is(err, net.ErrClosed) {
		p.f.lose(c, fmt.Errorf("write: %w", err))
	}
}

func (p *portable) hold(c *client) { c.held = make(chan struct{}) }

func (p *portable) release(c *client) {
	if c.held != nil {
		close(c.held)
		c.held = nil
	}
}

func (p *portable) drop(c *client) {
	p.release(c)
	if conn := c.conn; conn != nil {
		c.conn = nil
		p.running.Go(func() { _ = conn.Close() }) // TLS says goodbye first, which may wait
	}
}

func (p *portable) post(f func()) { p.running.Go(func() { p.do(f) }) }

func (p *portable) do(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *portable) waited() int64 { return -1 }

func (p *portable) stop() {
	p.cancel()
	p.running.Wait()
}
