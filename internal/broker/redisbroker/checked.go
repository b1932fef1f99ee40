package redisbroker

import (
	"bytes"
	"net"
)

// checkedConn lets rueidis read whole values only that are within bounds, one at a
// time, and none once the link has ended. On its own it makes room for whatever length a
// server states, and as it closes it panics about answers that it has not asked for.
type checkedConn struct {
	net.Conn
	ended <-chan struct{}

	// Owned by Read.
	values respReader
	whole  bytes.Buffer
}

func newCheckedConn(c net.Conn, ended <-chan struct{}) *checkedConn {
	checked := &checkedConn{Conn: c, ended: ended, values: newRespReader(c, maxLine)}
	checked.values.raw = &checked.whole
	return checked
}

// Read implements net.Conn.
func (c *checkedConn) Read(to []byte) (int, error) {
	select {
	case <-c.ended:
		return 0, net.ErrClosed
	default:
	}
	if c.whole.Len() == 0 {
		c.whole.Reset()
		if _, err := c.values.any(); err != nil {
			c.whole.Reset()
			return 0, err
		}
	}
	return c.whole.Read(to)
}
