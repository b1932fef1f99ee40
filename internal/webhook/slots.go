package webhook

import (
	"slices"
	"sync"
)

// slots bounds the attempts in flight of all endpoints together. Half of them are
// kept for lanes that hold none: so as many endpoints may hang at the same time,
// for as long as a request may take, and delay nobody. Lanes that were refused
// are served in turn, one slot each.
type slots struct {
	kept int // immutable

	mu      sync.Mutex
	free    int
	waiting []*share // longest first
}

// share is what one lane has of the slots; guarded by slots.mu.
type share struct {
	wake    func() // immutable; tells of a grant and must not block
	held    int    // with those granted
	granted int    // not yet taken
	waiting bool
}

func newSlots(n int) *slots { return &slots{free: n, kept: n / 2} }

// take reports whether the lane has got a slot. If not, the lane will be woken
// when one is kept for it; it then calls take or withdraw.
func (s *slots) take(by *share) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case by.granted > 0:
		by.granted--
		return true
	case s.openLocked(by):
		by.held++
		s.free--
		return true
	case !by.waiting:
		by.waiting = true
		s.waiting = append(s.waiting, by)
	}
	return false
}

// release gives a slot back that was taken.
func (s *slots) release(by *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	by.held--
	s.free++
	s.grantLocked()
}

// withdraw ends a lane's waiting and gives back what is kept for it.
func (s *slots) withdraw(by *share) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if by.waiting {
		s.leaveLocked(slices.Index(s.waiting, by))
	}
	by.held -= by.granted
	s.free += by.granted
	by.granted = 0
	s.grantLocked()
}

// openLocked reports whether a lane may take a slot.
func (s *slots) openLocked(by *share) bool {
	return s.free > s.kept || s.free > 0 && by.held == 0
}

// grantLocked skips at most as many lanes as there are slots: only those that
// hold some can be refused while one is free.
func (s *slots) grantLocked() {
	for i := 0; s.free > 0 && i < len(s.waiting); {
		by := s.waiting[i]
		if !s.openLocked(by) {
			i++
			continue
		}
		s.leaveLocked(i)
		by.held++
		by.granted++
		s.free--
		by.wake()
	}
}

func (s *slots) leaveLocked(i int) {
	s.waiting[i].waiting = false
	s.waiting = slices.Delete(s.waiting, i, i+1)
}
