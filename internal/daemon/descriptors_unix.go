//go:build unix

package daemon

import "syscall"

// raiseDescriptorLimit sets the soft limit of open files to the hard limit.
func raiseDescriptorLimit() (before, after uint64, err error) {
	var limit syscall.Rlimit
	if err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024, 1024, err
	}
	before = uint64(limit.Cur) //nolint:unconvert // signed on FreeBSD
	limit.Cur = limit.Max
	if err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return before, before, err
	}
	return before, uint64(limit.Cur), nil //nolint:unconvert // as above
}
