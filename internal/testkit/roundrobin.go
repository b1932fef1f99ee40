package testkit

import (
	"errors"
	"io"
	"net"
	"sync"
)

// RoundRobin is a TCP proxy in front of several servers. Each new connection
// goes to the next one, whether that is well or not.
type RoundRobin struct {
	listener net.Listener
	servers  []string // HOST:PORT
	working  sync.WaitGroup
	accepted int // owned by accept

	mu   sync.Mutex
	open map[net.Conn]struct{} // nil once it is closed
}

// NewRoundRobin starts a proxy on loopback for servers at these addresses.
func NewRoundRobin(servers ...string) (*RoundRobin, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &RoundRobin{listener: listener, servers: servers, open: make(map[net.Conn]struct{})}
	r.working.Go(r.accept)
	return r, nil
}

// Addr returns the HOST:PORT where the proxy listens.
func (r *RoundRobin) Addr() string { return r.listener.Addr().String() }

// Close ends the proxy and its connections, and returns when nothing of it runs
// any more.
func (r *RoundRobin) Close() error {
	err := r.listener.Close()
	r.mu.Lock()
	for conn := range r.open {
		_ = conn.Close()
	}
	r.open = nil
	r.mu.Unlock()
	r.working.Wait()
	return err
}

func (r *RoundRobin) accept() {
	for {
		conn, err := r.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // out of descriptors for a moment, or gone already
		}
		server := r.servers[r.accepted%len(r.servers)]
		r.accepted++
		r.working.Go(func() { r.serve(conn, server) })
	}
}

func (r *RoundRobin) serve(front net.Conn, server string) {
	defer r.forget(front)
	if !r.keep(front) {
		return
	}
	back, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer r.forget(back)
	if !r.keep(back) {
		return
	}
	var pumping sync.WaitGroup
	pumping.Go(func() { pump(back, front) })
	pump(front, back)
	pumping.Wait()
}

func (r *RoundRobin) keep(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open != nil {
		r.open[conn] = struct{}{}
	}
	return r.open != nil
}

func (r *RoundRobin) forget(conn net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, conn)
	_ = conn.Close()
}

// pump copies until the end of the stream, which it passes on as it came: after
// an end in order the other direction goes on, after a reset both ends are reset.
func pump(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if err == nil {
		_ = to.(*net.TCPConn).CloseWrite()
		return
	}
	for _, conn := range []net.Conn{to, from} {
		_ = conn.(*net.TCPConn).SetLinger(0)
		_ = conn.Close()
	}
}
