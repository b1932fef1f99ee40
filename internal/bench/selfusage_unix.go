//go:build unix

package bench

import (
	"syscall"
	"time"
)

// selfUsage is the generator's own CPU time.
func selfUsage() usage {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return usage{}
	}
	return usage{user: time.Duration(u.Utime.Nano()), system: time.Duration(u.Stime.Nano())}
}
