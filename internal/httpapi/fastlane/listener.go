package fastlane

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
)

// Limits are how long a client may take. All are required, and shall be those
// of the http.Server behind.
type Limits struct {
	Head  time.Duration // to send the head of a request; the first counts from the accept
	Body  time.Duration // to send a whole request
	Write time.Duration // to read an answer; up to twice that
	Idle  time.Duration // between two requests; down to seven eighths of that
}

// Listener serves triggers and gives every other connection to whoever accepts
// from it, which has to be an http.Server. It may be used concurrently.
type Listener struct {
	// set by New, immutable
	listener net.Listener
	api      *httpapi.API
	limits   Limits

	handed  chan net.Conn // never closed
	failed  chan error    // never closed
	closing chan struct{} // closed by Close

	draining atomic.Bool // set before closing is closed; read for every request
	running  sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]struct{}
}

var _ net.Listener = (*Listener)(nil)

// New returns a listener that takes over l and accepts from it at once.
func New(l net.Listener, api *httpapi.API, limits Limits) *Listener {
	f := &Listener{
		listener: l,
		api:      api,
		limits:   limits,
		handed:   make(chan net.Conn),
		failed:   make(chan error),
		closing:  make(chan struct{}),
		conns:    make(map[*conn]struct{}),
	}
	f.running.Go(f.accept)
	return f
}

// Addr implements net.Listener.
func (f *Listener) Addr() net.Addr { return f.listener.Addr() }

// Accept implements net.Listener. It returns the next connection that is not
// served here.
func (f *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-f.handed:
		return c, nil
	case err := <-f.failed:
		return nil, err
	case <-f.closing:
		return nil, net.ErrClosed
	}
}

// accept takes connections until the listener is closed. What goes wrong is told
// to the caller of Accept, who knows when to try again: the next attempt is made
// once it has been told.
func (f *Listener) accept() {
	for {
		c, err := f.listener.Accept()
		if err != nil {
			select {
			case f.failed <- err:
			case <-f.closing:
			}
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue
		}
		f.admit(c)
	}
}

func (f *Listener) admit(c net.Conn) {
	socket, ok := c.(*net.TCPConn)
	if !ok {
		f.handOver(c)
		return
	}
	fast := &conn{TCPConn: socket, listener: f}
	f.mu.Lock()
	f.conns[fast] = struct{}{}
	f.mu.Unlock()
	f.running.Go(fast.serve)
}

func (f *Listener) remove(c *conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.conns, c)
}

// handOver gives a connection to the http.Server.
func (f *Listener) handOver(c net.Conn) {
	select {
	case f.handed <- c:
	case <-f.closing:
		_ = c.Close() // nobody is left to serve it
	}
}

// past is a deadline that ends a read at once.
var past = time.Unix(1, 0)

// Close implements net.Listener. Connections without a request end at once, those
// with one when it is answered.
func (f *Listener) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.draining.Swap(true) {
		return net.ErrClosed
	}
	close(f.closing)
	err := f.listener.Close()
	for c := range f.conns {
		_ = c.SetReadDeadline(past) // fails only on a dead one
	}
	return err
}

// Wait returns when every connection that is served here has ended. When ctx
// ends it closes those that are left. Call it after Close.
func (f *Listener) Wait(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		for c := range f.conns {
			_ = c.Close()
		}
	})
	defer stop()
	f.running.Wait()
}
