//go:build unix

package main

import (
	"fmt"
	"runtime"
	"syscall"
)

// machineLimits reads what a process may open. Both the server and the load tool
// raise their limits to that.
func machineLimits() (limits, error) {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return limits{}, fmt.Errorf("read file-descriptor limit: %w", err)
	}
	return limits{connections: connectionsOf(files.Max), cpus: runtime.NumCPU()}, nil
}
