package wheel

import "math/bits"

// slotCount is the number of ticks in one turn of the wheel. With ticks of
// 100 ms that is 6.8 minutes: deadlines of connections are reached in one turn,
// and a deadline of an hour is looked at nine times.
const slotCount = 4096

const wordCount = slotCount / 64

// slots are the lists of timers by tick, with a bit for every list that has any.
type slots struct {
	heads   [slotCount]*Timer
	used    [wordCount]uint64
	nonzero uint64 // bit i: used[i] is not 0
}

// push puts an idle timer into the slot of its tick.
func (s *slots) push(t *Timer) {
	i := uint(t.tick) % slotCount
	t.link(&s.heads[i])
	s.used[i/64] |= 1 << (i % 64)
	s.nonzero |= 1 << (i / 64)
}

// remove takes a timer out of its slot, or out of the list that was taken from it.
func (s *slots) remove(t *Timer) {
	t.unlink()
	s.settle(uint(t.tick) % slotCount)
}

// take empties the slot of the tick and makes *head the list of what was in it.
// *head must be nil.
func (s *slots) take(tick int64, head **Timer) {
	i := uint(tick) % slotCount
	if t := s.heads[i]; t != nil {
		*head, t.prev = t, head
	}
	s.heads[i] = nil
	s.settle(i)
}

// settle clears the bit of a slot that has become empty.
func (s *slots) settle(i uint) {
	if s.heads[i] != nil {
		return
	}
	s.used[i/64] &^= 1 << (i % 64)
	if s.used[i/64] == 0 {
		s.nonzero &^= 1 << (i / 64)
	}
}

// next returns the first tick after the given one, within one turn, whose slot
// has a timer. That timer may be due some turns later.
func (s *slots) next(after int64) (tick int64, ok bool) {
	if s.nonzero == 0 {
		return 0, false
	}
	from := uint(after+1) % slotCount
	word := from / 64
	if rest := s.used[word] >> (from % 64); rest != 0 {
		return after + 1 + int64(bits.TrailingZeros64(rest)), true
	}
	// The words that follow, round to the lower bits of this one.
	ahead := uint(bits.TrailingZeros64(bits.RotateLeft64(s.nonzero, -int(word+1))))
	word = (word + 1 + ahead) % wordCount
	slot := word*64 + uint(bits.TrailingZeros64(s.used[word]))
	return after + 1 + int64((slot-from)%slotCount), true
}
