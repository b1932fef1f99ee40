package natsbroker

import (
	"fmt"

	"github.com/nats-io/nats.go"
)

// need is the largest message that nodes may have to send, and what sets it.
type need struct {
	bytes    int64
	settings string
}

// Require says how large messages may become, and by which settings, for the
// errors that name them. A server that takes less (its max_payload, 1 MiB unless
// configured otherwise) is not connected to from then on: with it, all would go well
// until the first message that is too large, and that would be lost. The error says
// that the server of the present link is such a one; then the requirement stays what it was.
// It may be called at any time.
func (e *Engine) Require(bytes int, settings string) error {
	n := &need{int64(bytes), settings}
	if l := e.current(); l != nil {
		if err := n.unmet(l.conn); err != nil {
			return err
		}
	}
	e.need.Store(n)
	return nil
}

// unmet returns why a server is of no use; nil if it is, or nothing is required.
func (n *need) unmet(conn *nats.Conn) error {
	if limit := conn.MaxPayload(); n != nil && limit < n.bytes {
		return fmt.Errorf("the server takes messages of at most %d bytes (its max_payload), and nodes may send %d (by %s)",
			limit, n.bytes, n.settings)
	}
	return nil
}

// tooLarge deals with a message that the server does not take. Where it has taken
// such ones before, its max_payload was lowered meanwhile: then the link is of no use any
// more. Else nobody had reckoned with it, and no link would help.
func (l *link) tooLarge(message []byte) error {
	if err := l.need.Load().unmet(l.conn); err != nil {
		l.fail(err)
		return err
	}
	l.log.Error("message left out: larger than the NATS server's max_payload",
		"bytes", len(message), "limit", l.conn.MaxPayload())
	return nil
}
