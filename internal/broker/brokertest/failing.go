package brokertest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

func testBeforeUp(t *testing.T, s Setup) {
	e := s.New(t)
	ctx := within(t, 2*time.Second)
	if err := e.Do(ctx, publish(all(), "x")); err == nil {
		t.Error("Do succeeded before Run")
	}
	if err := e.Fence(ctx); err == nil {
		t.Error("Fence succeeded before Run")
	}
	e.Reconnect(errors.New("nothing to give up"))
	n := run(t, s)
	n.awaitUp(1)
	n.do(nil)
	n.stop()
	if err := n.engine.Do(ctx, publish(all(), "x")); err == nil {
		t.Error("Do succeeded after Run")
	}
	if err := n.engine.Fence(ctx); err == nil {
		t.Error("Fence succeeded after Run")
	}
}

func testContext(t *testing.T, s Setup) {
	n := start(t, s, 1)[0]
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.engine.Do(ctx, publish(all(), "x")); err == nil {
		t.Error("Do succeeded with a context that had ended")
	}
	if err := n.engine.Fence(ctx); err == nil {
		t.Error("Fence succeeded with a context that had ended")
	}
}

// works checks that a node is up, with nothing subscribed, and as good as new.
func works(t *testing.T, from, to *node) {
	t.Helper()
	if !to.engine.Mesh() {
		to.clear()
		from.do(publish(channel("1", "before"), "lost with the link"))
		to.fence()
		if got := to.received(); len(got) != 0 {
			t.Errorf("received %q on a new link without a subscription", got)
		}
	}
	room := channel("1", "after")
	to.subscribe([]*node{from}, room)
	to.clear()
	from.do(publish(room, "one", "two"))
	to.await("one", "two")
	to.fence()
}

func testReconnect(t *testing.T, s Setup) {
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	to.subscribe(nodes[:1], channel("1", "before"))
	for i := 1; i <= 3; i++ {
		to.engine.Reconnect(fmt.Errorf("round %d", i))
		to.awaitDown(i)
		to.awaitUp(i + 1)
		works(t, from, to)
		to.do(subscribe(channel("1", "before")))
	}
	from.mu.Lock()
	defer from.mu.Unlock()
	if from.downs != 0 {
		t.Error("another node's link went down")
	}
}

func testRestart(t *testing.T, s Setup) {
	if s.Stop == nil {
		t.Skip("there are no servers to stop")
	}
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	to.subscribe(nodes[:1], channel("1", "before"))
	for i := 1; i <= 2; i++ {
		s.Stop()
		for _, n := range nodes {
			n.awaitDown(i)
			if err := n.engine.Do(within(t, limit), publish(all(), "x")); err == nil {
				t.Error("Do succeeded without servers")
			}
			if err := n.engine.Fence(within(t, limit)); err == nil {
				t.Error("Fence succeeded without servers")
			}
		}
		s.Start()
		for _, n := range nodes {
			n.awaitUp(i + 1)
		}
		works(t, from, to)
		works(t, to, from)
		to.do(subscribe(channel("1", "before")))
	}
}

func testFrozen(t *testing.T, s Setup) {
	if s.Freeze == nil {
		t.Skip("there are no servers that could hang")
	}
	nodes := start(t, s, 2)
	from, to := nodes[0], nodes[1]
	to.subscribe(nodes[:1], channel("1", "before"))
	s.Freeze()
	thawed := false
	defer func() {
		if !thawed {
			s.Thaw()
		}
	}()
	const early, late = 300 * time.Millisecond, time.Minute
	fails(t, late, early, func(ctx context.Context) error { return from.engine.Do(ctx, publish(all(), "x")) })
	fails(t, early, late, func(ctx context.Context) error { return to.engine.Fence(ctx) })
	fails(t, early, late, func(ctx context.Context) error { return to.engine.Do(ctx, subscribe(channel("1", "new"))) })
	for _, n := range nodes {
		n.engine.Reconnect(errors.New("the servers hang"))
		n.awaitDown(1)
	}
	s.Thaw()
	thawed = true
	for _, n := range nodes {
		n.awaitUp(2)
	}
	works(t, from, to)
}

// fails checks that a call returns an error, and soon after its deadline, or after
// its context was cancelled.
func fails(t *testing.T, deadline, cancelled time.Duration, call func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	defer time.AfterFunc(cancelled, cancel).Stop()
	begin := time.Now()
	if err := call(ctx); err == nil {
		t.Error("it succeeded although the servers hang")
	}
	if took := time.Since(begin); took > min(deadline, cancelled)+3*time.Second {
		t.Errorf("it took %v with a deadline of %v, cancelled after %v", took, deadline, cancelled)
	}
}

func testEndWhileDown(t *testing.T, s Setup) {
	if s.Stop == nil {
		t.Skip("there are no servers to stop")
	}
	n := start(t, s, 1)[0]
	s.Stop()
	n.awaitDown(1)
	begin := time.Now()
	n.stop()
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Run took %v to end while it could not connect", took)
	}
	never := run(t, s) // and one that never could
	if err := never.engine.Do(within(t, 200*time.Millisecond), publish(all(), "x")); err == nil {
		t.Error("Do succeeded without servers")
	}
	never.stop()
	if never.ups != 0 {
		t.Error("it went up without servers")
	}
}
