package redisbroker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
)

// readBuffer is what one reading of a receiving connection takes at most; messages of
// some hundred bytes come by the hundred in it.
const readBuffer = 64 << 10

// subscriber is a connection on which messages are received. It ends at the first
// thing that is not as it should be.
type subscriber struct {
	conn    net.Conn
	values  respReader        // owned by run
	receive func([]byte) bool // called by run; false: the link has ended
	rest    func()            // called by run before it waits for more
	ended   chan struct{}     // closed by run

	writing sync.Mutex // held while commands are sent; taken before mu

	mu       sync.Mutex
	expected []*expectation // answers to come, in order
	err      error          // why there will be none
}

// expectation is what the server is going to send because of what was sent to it.
type expectation struct {
	kind   pushKind   // of confirmations; noPush: an answer
	left   int        // how many of them
	done   chan error // gets one value; has room for it
	answer value      // set before done, if there is no error
}

func newSubscriber(c net.Conn, receive func([]byte) bool, rest func()) *subscriber {
	s := &subscriber{conn: c, receive: receive, rest: rest, ended: make(chan struct{})}
	s.values = newRespReader(resting{s}, readBuffer)
	return s
}

// resting reads from a subscriber's connection when everything that was read before
// has been looked at.
type resting struct{ of *subscriber }

// Read implements io.Reader.
func (r resting) Read(b []byte) (int, error) {
	r.of.rest()
	return r.of.conn.Read(b)
}

// ask sends a command that has one answer, and returns it.
func (s *subscriber) ask(ctx context.Context, command []byte) (value, error) {
	e := &expectation{left: 1}
	if err := s.send(ctx, command, e); err != nil {
		return value{}, err
	}
	if err := e.wait(ctx); err != nil {
		return value{}, err
	}
	return e.answer, nil
}

// run reads until the connection or the link ends; failure tells why.
func (s *subscriber) run() {
	defer close(s.ended)
	err := s.read()
	_ = s.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
	for _, e := range s.expected {
		e.done <- err
	}
	s.expected = nil
}

func (s *subscriber) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

var errLinkEnded = errors.New("the link has ended")

func (s *subscriber) read() error {
	for {
		p, answer, err := s.values.next()
		if err != nil {
			return fmt.Errorf("receive: %w", err)
		}
		switch p.kind {
		case otherPush:
		case messagePush:
			if !s.receive(p.message) {
				return errLinkEnded
			}
		default:
			if err := s.answered(p.kind, answer); err != nil {
				return err
			}
		}
	}
}

// answered matches an answer or a confirmation with what is expected.
func (s *subscriber) answered(kind pushKind, answer value) error {
	if answer.kind == '-' || answer.kind == '!' {
		return fmt.Errorf("refused: %s", answer.text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.expected) == 0 || s.expected[0].kind != kind {
		if kind == unsubscribed || kind == sunsubscribed {
			return errors.New("the server has ended a subscription, as its slot has moved")
		}
		return fmt.Errorf("%w: an answer to nothing", errProtocol)
	}
	e := s.expected[0]
	if e.left--; e.left > 0 {
		return nil
	}
	s.expected = s.expected[1:]
	e.answer = answer
	e.done <- nil
	return nil
}

// send sends commands and returns when they are written. What they will be answered
// with is told by expected, whose channels get a value each, or an error if the
// connection ends first.
func (s *subscriber) send(ctx context.Context, commands []byte, expected ...*expectation) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.expect(expected); err != nil {
		return err
	}
	deadline, _ := ctx.Deadline()
	_ = s.conn.SetWriteDeadline(deadline)
	if _, err := s.conn.Write(commands); err != nil {
		_ = s.conn.Close() // part of it may have been written; run tells everybody
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

func (s *subscriber) expect(expected []*expectation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	for _, e := range expected {
		e.done = make(chan error, 1)
	}
	s.expected = append(s.expected, expected...)
	return nil
}

// wait returns when an expectation has been met, or cannot be, or ctx has ended; it
// is met later then, by an answer that nobody waits for.
func (e *expectation) wait(ctx context.Context) error {
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
