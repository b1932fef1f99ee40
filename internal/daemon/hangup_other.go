//go:build !unix

package daemon

import "os"

// notifyHangup returns a channel that nothing is ever sent on.
func notifyHangup() (<-chan os.Signal, func()) { return nil, func() {} }
