package brokertest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// Run runs an engine until stop is called, or the end of the test. It requires that
// Run then ends soon, and without an error.
func Run(t testing.TB, e broker.Engine, r broker.Receiver) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // the end of Run is waited for in a cleanup
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx, r) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(limit):
			t.Errorf("Run has not ended within %v of its context", limit)
		}
	})
	t.Cleanup(stop)
	return stop
}

// Room returns the subject of a channel of one app.
func Room(name string) broker.Subject { return channel("1", name) }
