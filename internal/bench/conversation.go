package bench

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// opened goes on once the connection is there.
func (f *fleet) opened(c *client) {
	if c.raw || c.poster != nil && !c.opened {
		f.arrive(c, now())
		return
	}
	if c.poster != nil {
		f.publisher.opened(c)
		return
	}
	c.state = upgrading
	f.write(c, f.upgrade[c.target.number])
}

func (f *fleet) write(c *client, b []byte) {
	f.counts.sent += uint64(len(b))
	f.engine.write(c, b)
}

func (f *fleet) writeText(c *client, payload []byte) {
	f.write(c, appendFrame(nil, opText, payload))
}

// received takes what has come in and returns how much of it was whole frames.
func (f *fleet) received(c *client, b []byte, at int64) (used int) {
	if c.poster != nil {
		return c.poster.received(c, b)
	}
	if c.state == upgrading {
		n, err := cutUpgrade(b, f.accept)
		if err != nil {
			f.lose(c, err)
		}
		if n == 0 {
			return 0
		}
		c.state, used = greeting, n
	}
	for c.state != ended {
		fr, n, err := cutFrame(b[used:])
		if err != nil {
			f.lose(c, err)
		}
		if n == 0 {
			break
		}
		used += n
		f.frame(c, fr, at)
	}
	f.counts.received += uint64(used)
	return used
}

func (f *fleet) frame(c *client, fr frame, at int64) {
	switch fr.op {
	case opPing:
		f.write(c, appendFrame(nil, opPong, fr.payload))
	case opClose:
		f.lose(c, closeError(fr.payload))
	case opText:
		f.counts.messages++
		name := eventName(fr.payload)
		if len(name) < len(reservedPrefix) || string(name[:len(reservedPrefix)]) != string(reservedPrefix) {
			f.handler.event(c, fr.payload, at)
			return
		}
		f.control(c, name, fr.payload, at)
	}
}

func closeError(payload []byte) error {
	if len(payload) < 2 {
		return errors.New("closed by the server without a code")
	}
	return fmt.Errorf("closed by the server with %d %s", binary.BigEndian.Uint16(payload), clip(string(payload[2:])))
}

func (f *fleet) control(c *client, name, msg []byte, at int64) {
	switch string(name) {
	case protocol.EventConnectionEstablished:
		f.greet(c, msg, at)
	case protocol.EventPing:
		f.writeText(c, []byte(`{"event":"pusher:pong","data":{}}`))
	case protocol.EventError, protocol.EventSubscriptionError:
		f.refused(c, msg)
	case protocol.EventSubscriptionSucceeded:
		if c.state != subscribing {
			f.handler.control(c, name, msg, at)
			return
		}
		f.confirmed(c, at)
	default:
		f.handler.control(c, name, msg, at)
	}
}

func (f *fleet) refused(c *client, msg []byte) {
	f.counts.refusals++
	text := errorText(msg)
	if f.refusal == "" {
		f.refusal = text
	}
	if c.state < ready {
		f.lose(c, errors.New("refused by the server: "+text))
	}
}

func (f *fleet) greet(c *client, msg []byte, at int64) {
	var data struct {
		SocketID protocol.SocketID `json:"socket_id"`
	}
	if err := stringData(msg, &data); err != nil || c.state != greeting || data.SocketID == "" {
		f.lose(c, errors.New("the server greeted in a way that is not the protocol's"))
		return
	}
	c.socketID = data.SocketID
	f.established.add(at - c.began)
	if len(c.channels) == 0 || f.phase == connectOnly {
		f.arrive(c, at)
		return
	}
	f.subscribe(c)
}
