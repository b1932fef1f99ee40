package webhook

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// takers are lanes that want slots, and what the pool has told them.
type takers struct {
	slots  *slots
	shares []*share
	taken  []int
	woken  []int
}

func newTakers(total, lanes int) *takers {
	all := &takers{slots: newSlots(total), taken: make([]int, lanes), woken: make([]int, lanes)}
	for i := range lanes {
		all.shares = append(all.shares, &share{wake: func() { all.woken[i]++ }})
	}
	return all
}

func (all *takers) take(i int) bool {
	if !all.slots.take(all.shares[i]) {
		return false
	}
	all.taken[i]++
	return true
}

func (all *takers) release(i int) {
	all.taken[i]--
	all.slots.release(all.shares[i])
}

// Whatever lanes do, the bound holds, nothing leaks, and no lane waits that might
// have a slot.
func TestSlotsAreBoundedAndGiven(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		total, lanes := rapid.IntRange(1, 12).Draw(rt, "total"), rapid.IntRange(1, 6).Draw(rt, "lanes")
		all := newTakers(total, lanes)
		lane := rapid.IntRange(0, lanes-1)
		rt.Repeat(map[string]func(*rapid.T){
			"take": func(rt *rapid.T) { all.take(lane.Draw(rt, "lane")) },
			"release": func(rt *rapid.T) {
				if i := lane.Draw(rt, "lane"); all.taken[i] > 0 {
					all.release(i)
				}
			},
			"withdraw": func(rt *rapid.T) { all.slots.withdraw(all.shares[lane.Draw(rt, "lane")]) },
			"": func(rt *rapid.T) {
				held := 0
				for i, s := range all.shares {
					if s.held != all.taken[i]+s.granted {
						rt.Fatalf("lane %d holds %d, took %d and was granted %d", i, s.held, all.taken[i], s.granted)
					}
					if s.waiting && (all.slots.free > total/2 || s.held == 0 && all.slots.free > 0) {
						rt.Fatalf("lane %d waits with %d held and %d free", i, s.held, all.slots.free)
					}
					if s.waiting != slices.Contains(all.slots.waiting, s) {
						rt.Fatalf("lane %d is lost", i)
					}
					held += s.held
				}
				if all.slots.free < 0 || held+all.slots.free != total {
					rt.Fatalf("%d held and %d free of %d", held, all.slots.free, total)
				}
			},
		})
	})
}

// Lanes that take what they can leave room for as many as half of the slots.
func TestSlotsAreLeftForOthers(t *testing.T) {
	all := newTakers(256, 130)
	for range 256 {
		all.take(0)
		all.take(1)
	}
	if all.taken[0] != 64 || all.taken[1] != 64 {
		t.Errorf("the first two took %d, want half together", all.taken[:2])
	}
	for i := range 128 {
		if !all.take(2 + i) {
			t.Fatalf("nothing is left for lane %d", 2+i)
		}
	}
}

// Where there are too few for all, they go round.
func TestSlotsGoRound(t *testing.T) {
	all := newTakers(1, 4)
	all.take(0)
	for _, i := range []int{1, 2, 3, 0} {
		all.take(i)
	}
	for turn := range 12 {
		all.release(turn % 4)
		next := (turn + 1) % 4
		if want := (turn + 4) / 4; all.woken[next] != want {
			t.Fatalf("turn %d: lane %d was woken %d times, want %d", turn, next, all.woken[next], want)
		}
		if !all.take(next) {
			t.Fatalf("turn %d: the slot is not kept for lane %d", turn, next)
		}
		all.take(next) // and it wants more, behind the others
	}
}
