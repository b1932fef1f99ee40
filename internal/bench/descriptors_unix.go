//go:build unix

package bench

import (
	"fmt"
	"syscall"
)

// needDescriptors raises the limit of open files as far as the process may, and
// fails if that is not enough.
func needDescriptors(count int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read file-descriptor limit: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("raise file-descriptor limit: %w", err)
	}
	if allowed := int(min(limit.Max, 1<<30)); allowed < count {
		return fmt.Errorf("%d file descriptors are needed and %d allowed: raise the hard limit (ulimit -Hn)", count, allowed)
	}
	return nil
}
