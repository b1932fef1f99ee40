package natsbroker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// link is one connection and what is subscribed on it.
type link struct {
	// set by connect, immutable
	log    *slog.Logger
	need   *atomic.Pointer[need] // the engine's
	conn   *nats.Conn
	server string         // host:port
	queue  chan *nats.Msg // written by the library, read by whoever holds calls; never closed

	// owned by Do
	subscribed map[string]*nats.Subscription

	lost   chan struct{} // closed by fail
	closed chan struct{} // closed when the library has made its last callback

	calls    chan struct{}   // capacity 1: in it while the receiver is called; taken before mu; never closed
	receiver broker.Receiver // of messages, while the link is up; of the holder of calls

	mu     sync.Mutex
	gate   *gate // of the server that is tried, then of the link
	reason error // why the link was lost
}

func newLink(log *slog.Logger, n *atomic.Pointer[need]) *link {
	return &link{
		log:        log,
		need:       n,
		queue:      make(chan *nats.Msg, queueMessages),
		subscribed: make(map[string]*nats.Subscription),
		lost:       make(chan struct{}),
		closed:     make(chan struct{}),
		calls:      make(chan struct{}, 1),
	}
}

// through puts a gate before a connection that is to become the link.
func (l *link) through(conn net.Conn) net.Conn {
	g := &gate{Conn: conn, handOver: l.handOverAll}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate = g
	if l.reason != nil {
		_ = g.Close()
	}
	return g
}

// fail ends the link; the first reason counts.
func (l *link) fail(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reason != nil {
		return
	}
	if reason == nil {
		reason = errClosed
	}
	l.reason = reason
	close(l.lost)
	if l.gate != nil {
		// What waits for the server inside the library ends too.
		_ = l.gate.Close()
	}
}

// why returns the reason of a link that is lost, else nil.
func (l *link) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason
}

// close ends the connection and waits for the library.
func (l *link) close() {
	_ = l.gate.Close() // else the library would write what it has buffered, for seconds perhaps
	l.conn.Close()
	<-l.closed
}

// do carries out commands and has the server confirm them.
func (l *link) do(ctx context.Context, prefix string, commands []broker.Command) error {
	for _, c := range commands {
		if err := l.send(name(prefix, c.Subject), c); err != nil {
			return l.explain(err)
		}
	}
	if err := l.conn.FlushWithContext(ctx); err != nil {
		return l.explain(err)
	}
	// What the server refuses it says ahead of its answer to the flush, but the
	// library tells handlers of it beside us.
	if err := l.conn.LastError(); spoils(err) {
		l.fail(err)
	}
	return l.why() // the handlers may have been faster, and the end of the connection the last error
}

// spoils reports whether an error that leaves the connection open leaves a link that
// does less than it should.
func spoils(err error) bool {
	return errors.Is(err, nats.ErrSlowConsumer) ||
		errors.Is(err, nats.ErrPermissionViolation) ||
		errors.Is(err, nats.ErrMaxSubscriptionsExceeded)
}

func (l *link) send(subject string, c broker.Command) error {
	switch c.Op {
	case broker.Subscribe:
		if l.subscribed[subject] != nil {
			return nil
		}
		s, err := l.conn.ChanSubscribe(subject, l.queue)
		if err != nil {
			return fmt.Errorf("subscribe: %w", err)
		}
		l.subscribed[subject] = s
	case broker.Unsubscribe:
		s := l.subscribed[subject]
		if s == nil {
			return nil
		}
		delete(l.subscribed, subject)
		if err := s.Unsubscribe(); err != nil {
			return fmt.Errorf("unsubscribe: %w", err)
		}
	default:
		err := l.conn.Publish(subject, c.Message)
		if errors.Is(err, nats.ErrMaxPayload) {
			return l.tooLarge(c.Message)
		}
		if err != nil {
			return fmt.Errorf("publish: %w", err)
		}
	}
	return nil
}

// explain prefers the reason why the link was lost to what the library makes of it.
func (l *link) explain(err error) error {
	if reason := l.why(); reason != nil {
		return reason
	}
	return err
}

// fence waits until the receiver has all that the server had sent before it answers.
func (l *link) fence(ctx context.Context) error {
	if err := l.conn.FlushWithContext(ctx); err != nil {
		return l.explain(err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// The library reads one thing after the other: what came before the answer is in
	// the queue by now, or has left it.
	select {
	case l.calls <- struct{}{}:
	case <-l.lost:
		return l.why()
	case <-ctx.Done():
		return ctx.Err()
	}
	defer l.release()
	l.handOver()
	return nil
}

// handOverAll gives the receiver what is in the queue, as soon as nobody else calls it.
func (l *link) handOverAll() error {
	if len(l.queue) == 0 {
		return nil
	}
	select {
	case l.calls <- struct{}{}:
	case <-l.lost:
		return net.ErrClosed
	}
	defer l.release()
	l.handOver()
	return nil
}

func (l *link) release() { <-l.calls }

// handOver is for the holder of calls.
func (l *link) handOver() {
	if l.receiver == nil {
		return
	}
	for {
		select {
		case m := <-l.queue:
			l.receiver.Receive(m.Data)
			continue
		default:
		}
		if rester, ok := l.receiver.(broker.Rester); ok {
			rester.Rest()
		}
		return
	}
}

// call has the receiver called, and gives it messages afterwards unless it is nil.
func (l *link) call(messages broker.Receiver, what func()) {
	l.calls <- struct{}{}
	defer l.release()
	l.receiver = messages
	what()
}
