package ws

import (
	"io"
	"net"
)

// stream is the source of a connection that has a goroutine of its own.
type stream struct {
	of      *connection
	network net.Conn
	early   []byte // what came before the handshake was over
}

var _ source = (*stream)(nil)

func (s *stream) read(p []byte) (int, error) {
	if len(s.early) > 0 {
		n := copy(p, s.early)
		s.early = s.early[n:]
		return n, nil
	}
	s.of.awaitsRest()
	s.of.turn.BeforeWait()
	return s.network.Read(p)
}

func (*stream) idle() bool   { return false }
func (*stream) paused() bool { return false }

// Await implements session.Socket: reading waits.
func (*stream) Await() {}

// Drain implements session.Socket.
func (s *stream) Drain(limit int64) {
	if half, ok := s.network.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // fails only on a dead socket
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(s.network, limit))
}

func (*stream) free() {}
