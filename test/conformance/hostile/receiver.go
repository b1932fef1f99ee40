package hostile

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// maxRequest bounds the time for which one request can keep a connection. It is
// longer than any sender under test waits.
const maxRequest = 3 * time.Minute

// Request is one request that was read whole, an immutable record.
type Request struct {
	N         int // counted from 1 over all requests, those that were not read included
	At        time.Time
	Path      string
	Header    http.Header
	Body      []byte
	Behaviour Behaviour // what was done with it
}

// Receiver listens for HTTP/1.1 requests. Its methods are safe for concurrent
// use.
type Receiver struct {
	listener net.Listener
	serving  sync.WaitGroup
	done     chan struct{} // closed by Close

	mu       sync.Mutex
	closed   bool
	plan     Plan
	count    int
	conns    map[net.Conn]struct{}
	requests []Request
	taken    int           // of requests, by Next
	more     chan struct{} // closed and replaced when requests grows
}

// Start listens at the address, "127.0.0.1:0" for any port. Call Close in the end.
func Start(address string, plan Plan) (*Receiver, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for webhooks: %w", err)
	}
	r := &Receiver{
		listener: listener,
		done:     make(chan struct{}),
		plan:     plan,
		conns:    make(map[net.Conn]struct{}),
		more:     make(chan struct{}),
	}
	r.serving.Go(r.accept)
	return r, nil
}

// URL returns the address to post to.
func (r *Receiver) URL() string { return "http://" + r.listener.Addr().String() + "/hook" }

// Plan replaces the plan; requests under way keep their behaviour.
func (r *Receiver) Plan(plan Plan) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plan = plan
}

// Requests returns what has been read so far.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.requests)
}

// Next returns the first request that Next has not returned yet and waits for
// one until ctx ends. A request can be seen here before it is answered.
func (r *Receiver) Next(ctx context.Context) (Request, error) {
	for {
		r.mu.Lock()
		if r.taken < len(r.requests) {
			request := r.requests[r.taken]
			r.taken++
			r.mu.Unlock()
			return request, nil
		}
		more := r.more
		r.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return Request{}, fmt.Errorf("wait for a webhook: %w", context.Cause(ctx))
		}
	}
}

// Close ends the listener and all connections, whatever they are at, and returns
// when nothing runs any more. It may be called again.
func (r *Receiver) Close() {
	r.mu.Lock()
	if !r.closed {
		r.closed = true
		close(r.done)
		_ = r.listener.Close()
	}
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.serving.Wait()
}

func (r *Receiver) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return
		}
		if !r.enter(conn) {
			_ = conn.Close()
			return
		}
		r.serving.Go(func() {
			defer r.leave(conn)
			r.serve(conn)
		})
	}
}

func (r *Receiver) enter(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.closed {
		r.conns[conn] = struct{}{}
	}
	return !r.closed
}

func (r *Receiver) leave(conn net.Conn) {
	_ = conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
}

// serve takes requests off a connection until one of them ends it.
func (r *Receiver) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		_ = conn.SetDeadline(time.Now().Add(maxRequest))
		if _, err := in.Peek(1); err != nil {
			return
		}
		n, behaviour := r.choose()
		if behaviour == CloseAtOnce {
			reset(conn)
			return
		}
		if !r.read(conn, in, n, behaviour) || !r.answer(conn, in, behaviour) {
			return
		}
	}
}

func (r *Receiver) choose() (n int, b Behaviour) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	return r.count, r.plan(r.count)
}

// read takes one request and reports whether it is to be answered.
func (r *Receiver) read(conn net.Conn, in *bufio.Reader, n int, behaviour Behaviour) bool {
	head, err := http.ReadRequest(in)
	if err != nil {
		return false
	}
	if behaviour == CloseEarly {
		reset(conn)
		return false
	}
	body, err := io.ReadAll(head.Body)
	if err != nil {
		return false
	}
	r.record(Request{N: n, At: time.Now(), Path: head.URL.Path, Header: head.Header, Body: body, Behaviour: behaviour})
	return true
}

func (r *Receiver) record(request Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
	close(r.more)
	r.more = make(chan struct{})
}

// reset makes the end of the connection a RST rather than a FIN.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
