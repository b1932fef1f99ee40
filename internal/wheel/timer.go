package wheel

import "sync"

// A Timer is one deadline, to be embedded in what it belongs to. The zero value
// is idle. It is used through one [Wheel] only, which guards all of it, and must
// not be copied or moved once it was scheduled. While it is scheduled the wheel
// keeps what it lies in alive.
type Timer struct {
	_ [0]sync.Mutex // makes vet tell of copies

	// next and prev link the timers of a slot; prev is what points to this timer,
	// the list's head or its predecessor's next, and nil while it is idle.
	next    *Timer
	prev    **Timer
	tick    int64 // at which it is due
	expirer Expirer
}

// An Expirer is told when a timer's deadline has come.
type Expirer interface {
	// Expire is called on the goroutine of Wheel.Run, which holds no lock. The
	// timer is idle again. Expire must not block, since every other deadline waits
	// for it; it may schedule and stop any timer, this one too.
	Expire(*Timer)
}

func (t *Timer) scheduled() bool { return t.prev != nil }

func (t *Timer) link(head **Timer) {
	t.next, t.prev = *head, head
	if t.next != nil {
		t.next.prev = &t.next
	}
	*head = t
}

func (t *Timer) unlink() {
	*t.prev = t.next
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev = nil, nil
}
