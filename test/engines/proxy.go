package engines

import (
	"errors"
	"net"
	"strings"
	"sync"
)

// everybody stands for all processes that have no fault of their own.
const everybody = 0

// Proxy passes TCP connections on to one server, and makes faults. Its methods may
// be used concurrently.
type Proxy struct {
	listener net.Listener
	server   string // HOST:PORT
	working  sync.WaitGroup

	mu     sync.Mutex
	closed bool
	faults map[int]Fault // by process
	names  []string      // pairs of what to replace and by what
	links  map[*link]struct{}
}

// NewProxy starts a proxy on loopback for the server at this address, which need
// not listen yet.
func NewProxy(server string) (*Proxy, error) {
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", addressOf(port))
	if err != nil {
		return nil, err
	}
	p := &Proxy{listener: listener, server: server, faults: make(map[int]Fault), links: make(map[*link]struct{})}
	p.working.Go(p.accept)
	return p, nil
}

// Addr returns the HOST:PORT where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set makes a fault for the connections of all processes that have none of their
// own.
func (p *Proxy) Set(f Fault) { p.SetFor(everybody, f) }

// SetFor makes a fault for the connections of one process, and ends it with the
// zero value. It holds for open and for new ones.
func (p *Proxy) SetFor(pid int, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f == (Fault{}) {
		delete(p.faults, pid)
	} else {
		p.faults[pid] = f
	}
	for l := range p.links {
		l.suffer(p.faultLocked(l))
	}
}

// Rename changes ports in what servers of NATS say about themselves and others, on
// new connections: that of one address becomes that of another, of as many digits.
// Ports stand after a colon, and at the end of the names of embedded servers.
func (p *Proxy) Rename(address, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	from, into := portOf(address), portOf(to)
	p.names = append(p.names, ":"+from, ":"+into, "."+from+`"`, "."+into+`"`)
}

func (p *Proxy) faultLocked(l *link) Fault {
	for pid, f := range p.faults {
		if pid != everybody && owns(pid, l.socket) {
			return f
		}
	}
	return p.faults[everybody]
}

// Close ends the proxy and its connections, and returns when nothing of it runs any
// more.
func (p *Proxy) Close() error {
	err := p.listener.Close()
	p.mu.Lock()
	p.closed = true
	for l := range p.links {
		l.suffer(Reset)
	}
	p.mu.Unlock()
	p.working.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // out of descriptors for a moment, or gone already
		}
		p.working.Go(func() { p.serve(conn.(*net.TCPConn)) })
	}
}

func (p *Proxy) serve(client *net.TCPConn) {
	l := newLink(client, socketOf(client))
	p.mu.Lock()
	if len(p.names) > 0 {
		l.rename = strings.NewReplacer(p.names...)
	}
	p.links[l] = struct{}{}
	f := p.faultLocked(l)
	if p.closed {
		f = Reset
	}
	l.suffer(f)
	p.mu.Unlock()
	l.run(p.server)
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}
