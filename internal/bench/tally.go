package bench

import "math/bits"

// tallyWindow is how far a number may run ahead of the oldest one that is still
// awaited by the same subscription.
const tallyWindow = 256

// tally counts which numbers of a stream, 0, 1, 2 …, one subscription has seen.
// Numbers may come in any order within the window. A number that falls out of
// it unseen stays missing; should it come after all, it counts as a duplicate,
// because nothing tells the two apart any more.
type tally struct {
	base uint64 // every number below has been seen or given up
	seen [tallyWindow / 64]uint64
}

// mark notes a number and reports whether it is new.
func (t *tally) mark(number uint64) bool {
	if number == t.base && t.seen == ([tallyWindow / 64]uint64{}) {
		t.base++ // the usual case: in order, nothing ahead
		return true
	}
	if number < t.base {
		return false
	}
	if ahead := number - t.base; ahead >= tallyWindow {
		t.shift(ahead - tallyWindow + 1)
	}
	offset := number - t.base
	word, bit := &t.seen[offset/64], uint64(1)<<(offset%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	for t.seen[0]&1 != 0 {
		t.shift(uint64(bits.TrailingZeros64(^t.seen[0])))
	}
	return true
}

// shift moves the window on.
func (t *tally) shift(by uint64) {
	t.base += by
	for ; by >= 64; by -= 64 {
		copy(t.seen[:], t.seen[1:])
		t.seen[len(t.seen)-1] = 0
		if t.seen == ([tallyWindow / 64]uint64{}) {
			return
		}
	}
	for i := range t.seen {
		t.seen[i] >>= by
		if i+1 < len(t.seen) {
			t.seen[i] |= t.seen[i+1] << (64 - by)
		}
	}
}
