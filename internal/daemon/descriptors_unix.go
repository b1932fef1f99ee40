//go:build unix

package daemon

import "syscall"

// raiseDescriptorLimit sets the soft limit of open files to the hard limit, and
// both to the system's own maximum where the process may.
func raiseDescriptorLimit() (before, after uint64, err error) {
	var limit syscall.Rlimit
	if err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024, 1024, err
	}
	before = limit.Cur
	limit.Cur = limit.Max
	if err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return before, before, err
	}
	return before, limit.Cur, nil
}
