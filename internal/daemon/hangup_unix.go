//go:build unix

package daemon

import (
	"os"
	"os/signal"
	"syscall"
)

// notifyHangup returns a channel that gets SIGHUPs, and how to end that.
func notifyHangup() (<-chan os.Signal, func()) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	return hangup, func() { signal.Stop(hangup) }
}
