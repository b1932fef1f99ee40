package testkit

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestWaitFor(t *testing.T) {
	t.Run("returns at once if the condition holds", func(t *testing.T) {
		calls := 0
		WaitFor(t, func() bool { calls++; return true }, "nothing")
		if calls != 1 {
			t.Fatalf("%d calls, want 1", calls)
		}
	})
	t.Run("returns when the condition comes to hold", func(t *testing.T) {
		var done atomic.Bool
		defer time.AfterFunc(5*time.Millisecond, func() { done.Store(true) }).Stop()
		WaitFor(t, done.Load, "the timer")
	})
	t.Run("gives up at its limit, after a last look", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			start, late := time.Now(), false
			if waitFor(func() bool { late = time.Since(start) >= time.Second; return false }, time.Second) {
				t.Fatal("a condition that never holds was reported as met")
			}
			if took := time.Since(start); took != time.Second || !late {
				t.Fatalf("gave up after %v (looked at the end: %v), want 1s", took, late)
			}
		})
	})
}
