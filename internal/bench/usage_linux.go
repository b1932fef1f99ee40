package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

// clockTick is the unit of times in /proc: USER_HZ, which is 100 on every
// architecture that Go runs on.
const clockTick = time.Second / 100

// Fields of /proc/PID/stat, counted from the one behind the command name.
const (
	statUser   = 11
	statSystem = 12
	statRSS    = 21
)

// processUsage reads the cost of a process from /proc.
func processUsage(pid int) (usage, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) {
		return usage{}, fmt.Errorf("there is no process %d", pid)
	}
	if err != nil {
		return usage{}, fmt.Errorf("read cost of process %d: %w", pid, err)
	}
	return parseStat(text)
}

// processName is the name of a process's program, cut to 15 bytes by the kernel.
func processName(pid int) string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return "unknown"
	}
	return clip(string(text))
}

// machineCPU is the CPU time that everything on the machine has used.
func machineCPU() (used time.Duration, ok bool) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, false
	}
	return parseMachineStat(text)
}

// machineCores is how many processors the machine has, which may be more than
// this process may run on.
func machineCores() int {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return runtime.NumCPU()
	}
	return max(coresOf(text), runtime.NumCPU())
}

// coresOf counts the lines of single processors.
func coresOf(text []byte) (cores int) {
	for line := range bytes.Lines(text) {
		if number, ok := bytes.CutPrefix(line, []byte("cpu")); ok && number[0] >= '0' && number[0] <= '9' {
			cores++
		}
	}
	return cores
}

// parseMachineStat adds user, nice, system, irq, softirq and steal of the first
// line: all but idle and waiting for disks. Guests are among user.
func parseMachineStat(text []byte) (used time.Duration, ok bool) {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 9 || string(fields[0]) != "cpu" {
		return 0, false
	}
	for _, field := range []int{1, 2, 3, 6, 7, 8} {
		v, err := strconv.ParseUint(string(fields[field]), 10, 53)
		if err != nil {
			return 0, false
		}
		used += time.Duration(v) * clockTick
	}
	return used, true
}

func parseStat(text []byte) (usage, error) {
	// The command name may contain anything, parentheses included.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) <= statRSS {
		return usage{}, errors.New("read cost of process: too few fields")
	}
	var values [3]uint64
	for i, field := range []int{statUser, statSystem, statRSS} {
		v, err := strconv.ParseUint(string(fields[field]), 10, 63)
		if err != nil {
			return usage{}, fmt.Errorf("read cost of process: %w", err)
		}
		values[i] = v
	}
	return usage{
		user:   time.Duration(values[0]) * clockTick,
		system: time.Duration(values[1]) * clockTick,
		rss:    values[2] * uint64(os.Getpagesize()),
	}, nil
}
