package testkit

import (
	"testing"
	"time"
)

const (
	waitLimit = 10 * time.Second
	waitStep  = 2 * time.Millisecond
)

// WaitFor returns as soon as cond holds and fails the test if it does not
// within ten seconds; what says in words what was waited for. cond is called on
// the goroutine of the test only.
//
// It is for tests with real sockets and processes, whose progress cannot be
// waited for otherwise. It is not a sleep: no test relies on how long it takes,
// only on the condition, and the ticker merely sets how soon that is noticed.
// Inside a synctest bubble use [testing/synctest.Wait] instead.
func WaitFor(t testing.TB, cond func() bool, what string) {
	t.Helper()
	if !waitFor(cond, waitLimit) {
		t.Fatalf("waited %v in vain for %s", waitLimit, what)
	}
}

func waitFor(cond func() bool, limit time.Duration) bool {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(waitStep)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return cond() // true after all if the machine was stalled
		}
	}
	return true
}
