//go:build !linux

package bench

import (
	"errors"
	"runtime"
	"time"
)

// processUsage needs /proc.
func processUsage(int) (usage, error) {
	return usage{}, errors.New("the cost of a process can be read on Linux only")
}

// processName needs /proc.
func processName(int) string { return "unknown" }

// processMemory needs /proc.
func processMemory(int) (memory, error) {
	return memory{}, errors.New("the memory of a process can be read on Linux only")
}

// machineCores is how many processors this process may run on.
func machineCores() int { return runtime.NumCPU() }

// machineCPU is not known here.
func machineCPU() (used time.Duration, ok bool) { return 0, false }
