package redisbroker

import (
	"bytes"
	"net"
)

// checkedConn lets rueidis read whole values only that are within bounds. On its own
// it makes room for whatever length a server states, which can end the process.
type checkedConn struct {
	net.Conn

	// Owned by Read.
	values respReader
	whole  bytes.Buffer
}

func newCheckedConn(c net.Conn) *checkedConn {
	checked := &checkedConn{Conn: c, values: newRespReader(c, maxLine)}
	checked.values.raw = &checked.whole
	return checked
}

// Read implements net.Conn.
func (c *checkedConn) Read(to []byte) (int, error) {
	if c.whole.Len() == 0 {
		c.whole.Reset()
		if err := c.fill(len(to)); err != nil {
			return 0, err
		}
	}
	return c.whole.Read(to)
}

// fill reads at least one value, and what has come already up to about want bytes.
func (c *checkedConn) fill(want int) error {
	for {
		if _, err := c.values.any(); err != nil {
			c.whole.Reset()
			return err
		}
		if c.values.r.Buffered() == 0 || c.whole.Len() >= want {
			return nil
		}
	}
}
