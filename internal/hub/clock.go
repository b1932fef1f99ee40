package hub

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"
)

// maxStampCount is beyond what any clock reaches. A node that tells more is not
// believed: it could make the clocks of others run over.
const maxStampCount = 1 << 62

// clock is a Lamport clock: what it stamps is later than whatever was heard before,
// and no two nodes make the same stamp.
type clock struct {
	node  uint64 // drawn at random; set by newClock, immutable
	count atomic.Uint64
}

func newClock() *clock {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails, crashes the program instead
	return &clock{node: binary.LittleEndian.Uint64(id[:])}
}

// next returns a stamp of this moment.
func (c *clock) next() Stamp { return Stamp{Count: c.count.Add(1), Node: c.node} }

// heard makes the clock later than the stamp of another node. It is false for a
// stamp that cannot be true.
func (c *clock) heard(s Stamp) bool {
	if s.Count > maxStampCount {
		return false
	}
	for {
		now := c.count.Load()
		if now >= s.Count || c.count.CompareAndSwap(now, s.Count) {
			return true
		}
	}
}
