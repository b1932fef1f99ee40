package bench

import (
	"testing"

	"pgregory.net/rapid"
)

func TestTallyInOrder(t *testing.T) {
	var y tally
	for n := range uint64(1000) {
		if !y.mark(n) {
			t.Fatalf("%d is new and was not taken", n)
		}
		if y.mark(n) {
			t.Fatalf("%d was taken twice", n)
		}
	}
}

func TestTallyGivesUpWhatFallsOutOfTheWindow(t *testing.T) {
	var y tally
	y.mark(1) // 0 is missing
	if !y.mark(tallyWindow) || y.mark(0) {
		t.Error("0 was taken though it had fallen out of the window")
	}
	if !y.mark(1_000_000_000_000) || y.mark(1_000_000_000_000) || !y.mark(1_000_000_000_001) {
		t.Error("a leap was not followed")
	}
}

// Within the window every number is new once, in whatever order they come.
func TestTallyLikeASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var y tally
		seen := map[uint64]bool{}
		next := uint64(0) // the least one not seen
		for range rapid.IntRange(1, 400).Draw(t, "count") {
			n := next + rapid.Uint64Range(0, tallyWindow-1).Draw(t, "ahead")
			if rapid.Bool().Draw(t, "again") && n > 5 {
				n -= 5
			}
			if got := y.mark(n); got == seen[n] {
				t.Fatalf("mark(%d) = %v, seen before: %v", n, got, seen[n])
			}
			seen[n] = true
			for seen[next] {
				next++
			}
		}
	})
}

func TestFlight(t *testing.T) {
	complete := 0
	f := newFlight(3, func() { complete++ })
	for _, request := range []uint64{0, 1, 0, 1, 0} {
		f.arrived(request)
	}
	if complete != 1 {
		t.Fatalf("%d requests complete, want the first", complete)
	}
	f.arrived(1)
	f.arrived(1) // once too often
	if complete != 2 {
		t.Fatalf("%d requests complete, want two", complete)
	}
	f.arrived(7)
	f.arrived(7 + flightSlots) // displaces one that is not complete
	if complete != 3 {
		t.Errorf("%d requests complete, want the displaced one given up", complete)
	}
	f.arrived(7)
	f.arrived(7 + flightSlots)
	f.arrived(7 + flightSlots)
	if complete != 4 {
		t.Errorf("%d requests complete, want the displaced one not to count for the other", complete)
	}
}
