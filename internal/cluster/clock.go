package cluster

import (
	"sync/atomic"
	"time"
)

// clock measures time since the node was made, which no setting of the system's
// clock changes.
type clock struct {
	start time.Time
	last  atomic.Int64 // what now returned last
}

func newClock() *clock { return &clock{start: time.Now()} }

func (c *clock) now() time.Duration {
	d := time.Since(c.start)
	c.last.Store(int64(d))
	return d
}

// coarse is a time not long ago: the latest beat's at least. It costs next to
// nothing.
func (c *clock) coarse() time.Duration { return time.Duration(c.last.Load()) }
