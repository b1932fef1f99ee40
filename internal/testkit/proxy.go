package testkit

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy that can be cut, paused and slowed down. Its methods may be
// called concurrently.
type Proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // paused, delay or closed
	closed  bool
	cut     bool
	paused  bool
	delay   time.Duration
	conns   map[net.Conn]struct{}
}

// NewProxy returns a proxy to target, which need not accept connections yet. It is
// closed at the end of the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, target: target, conns: make(map[net.Conn]struct{})}
	p.changed = sync.NewCond(&p.mu)
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr returns the host:port to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut ends all connections with a reset and refuses new ones until Heal.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	p.resetLocked()
}

// Heal ends Cut, Pause and Delay. What a pause has held arrives.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.paused, p.delay = false, false, 0
	p.changed.Broadcast()
}

// Pause holds all bytes, in both directions, until Heal: as a network does that
// drops every packet.
func (p *Proxy) Pause() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paused = true
}

// Delay has all bytes that come from now on take so much longer, in each direction.
func (p *Proxy) Delay(by time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = by
}

// Connections returns how many connections there are, each counted once.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns) / 2
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.resetLocked()
	p.changed.Broadcast()
	p.mu.Unlock()
	_ = p.listener.Close()
	p.running.Wait()
}

func (p *Proxy) resetLocked() {
	for c := range p.conns {
		reset(c)
	}
	clear(p.conns)
	p.changed.Broadcast()
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.running.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	var dialer net.Dialer
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	server, err := dialer.DialContext(ctx, "tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	if !p.add(client, server) {
		reset(client)
		reset(server)
		return
	}
	defer p.remove(client, server)
	var both sync.WaitGroup
	both.Go(func() { p.carry(client, server) })
	both.Go(func() { p.carry(server, client) })
	both.Wait()
}

func (p *Proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut || p.closed {
		return false
	}
	for _, c := range conns {
		p.conns[c] = struct{}{}
	}
	return true
}

func (p *Proxy) remove(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		delete(p.conns, c)
		_ = c.Close()
	}
}

// parcel is what was read at once, and when it may be written.
type parcel struct {
	bytes []byte
	due   time.Time
}

// carry copies one direction. Reading and writing are apart, so that a delay does
// not bound how much is on its way.
func (p *Proxy) carry(from, to net.Conn) {
	parcels := make(chan parcel, 1024)
	var writer sync.WaitGroup
	writer.Go(func() {
		for next := range parcels {
			if p.hold(from, next.due) {
				if _, err := to.Write(next.bytes); err != nil {
					_ = from.Close()
				}
			}
		}
		_ = to.Close()
	})
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			p.mu.Lock()
			due := time.Now().Add(p.delay)
			p.mu.Unlock()
			parcels <- parcel{bytes: append([]byte(nil), buffer[:n]...), due: due}
		}
		if err != nil {
			break
		}
	}
	close(parcels)
	writer.Wait()
}

// hold waits until bytes are due and no pause holds them. It reports false if their
// connection has ended meanwhile.
func (p *Proxy) hold(from net.Conn, due time.Time) bool {
	if wait := time.Until(due); wait > 0 {
		wake := time.NewTimer(wait)
		<-wake.C
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if _, open := p.conns[from]; !open {
			return false
		}
		if !p.paused {
			return true
		}
		p.changed.Wait()
	}
}
