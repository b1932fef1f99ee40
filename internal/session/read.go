package session

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// lingerBytes is how much of a client that broke a rule is read and thrown away
// before the connection is dropped: closing with unread input would make the
// kernel send a reset, which destroys the close frame on its way.
const lingerBytes = 64 << 20

// keptBuffer is the largest read buffer that goes back to the pool.
const keptBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// readLoop carries out the client's messages until nothing more has come or the
// connection ends, and returns which.
func (s *Session) readLoop() (err error) {
	attachment := s.attached.Load()
	defer func() {
		if value := recover(); value != nil {
			s.panicked(attachment, value)
			err = errPanicked
		}
	}()
	for {
		content, binary, err := s.socket.Next()
		if err == nil {
			s.Alive()
			if binary {
				s.Close(protocol.CloseBinary)
			}
			err = s.readMessage(attachment, content)
		}
		if err != nil {
			if !errors.Is(err, ErrIdle) {
				s.readFailed(attachment, err)
			}
			return err
		}
	}
}

// readMessage reads one message into a buffer that is only held while there is
// one, and carries it out. On a closing connection it is thrown away.
func (s *Session) readMessage(attachment *hub.Attachment, content io.Reader) error {
	if s.out.Closing() {
		_, err := io.Copy(io.Discard, content)
		return err
	}
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	_, err := buf.ReadFrom(content)
	if err == nil {
		s.slowDown()
		s.handle(attachment, buf.Bytes())
	}
	if buf.Cap() <= keptBuffer {
		buffers.Put(buf)
	}
	return err
}

// handle carries out one message. Nothing may keep a reference to text.
func (s *Session) handle(attachment *hub.Attachment, text []byte) {
	attachment.Received(len(text))
	frame, err := protocol.ParseFrame(text)
	if errors.Is(err, strictjson.ErrUTF8) {
		s.Close(protocol.CloseInvalidUTF8)
		return
	}
	if err != nil {
		s.refuse(attachment, protocol.RefuseInvalidJSON())
		return
	}
	if refusal := dispatch(s.turn, attachment, frame); refusal != nil {
		s.refuse(attachment, refusal)
	}
}

// ControlReceived is called by the socket for each control frame of the client,
// on the goroutine that reads.
func (s *Session) ControlReceived() {
	s.Alive()
	s.slowDown()
}

// slowDown makes a client that sends faster than its limit wait: the socket's
// flow control holds it back, nothing is lost and nobody else is disturbed.
func (s *Session) slowDown() {
	limit := ratelimit.PerSecond(s.o.MessagesPerSecond, 2*s.o.MessagesPerSecond)
	if wait := s.messages.Reserve(limit, time.Now()); wait > 0 {
		s.turn.BeforeWait()
		time.Sleep(wait)
	}
}

// readFailed ends the connection after a read error: a client that broke the
// WebSocket protocol is told, and given time to see it; one that does not take
// its pongs is a slow consumer. To the hub both are gone at once.
func (s *Session) readFailed(attachment *hub.Attachment, err error) {
	switch {
	case errors.Is(err, ErrSlow):
		attachment.Kick()
	case s.socket.IsProtocolError(err):
		s.Close(protocol.CloseProtocol) // no effect if the library has sent its close frame
	default:
		return
	}
	attachment.Detach(s.turn)
	s.awaitLast()
	s.abortIn(closeGrace)
	s.turn.BeforeWait()
	s.socket.Drain(lingerBytes)
}

var errPanicked = errors.New("session panicked")
