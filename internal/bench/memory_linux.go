package bench

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// processMemory reads a process's memory from smaps_rollup, which is exact but
// needs the process to be ours, else from status, whose counts may lag by some
// pages.
func processMemory(pid int) (memory, error) {
	dir := "/proc/" + strconv.Itoa(pid)
	if text, err := os.ReadFile(dir + "/smaps_rollup"); err == nil {
		if m, err := parseRollup(text); err == nil {
			return m, nil
		}
	}
	text, err := os.ReadFile(dir + "/status")
	if errors.Is(err, os.ErrNotExist) {
		return memory{}, fmt.Errorf("there is no process %d", pid)
	}
	if err != nil {
		return memory{}, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	return parseStatus(text)
}

func parseRollup(text []byte) (memory, error) {
	rss, okRSS := kibibytes(text, "Rss:")
	anonymous, okAnonymous := kibibytes(text, "Anonymous:")
	if !okRSS || !okAnonymous || anonymous > rss {
		return memory{}, errors.New("read memory of process: smaps_rollup is not understood")
	}
	return memory{rss: rss, anonymous: anonymous, file: rss - anonymous}, nil
}

func parseStatus(text []byte) (memory, error) {
	rss, ok := kibibytes(text, "VmRSS:")
	if !ok {
		return memory{}, errors.New("read memory of process: status has no VmRSS")
	}
	anonymous, _ := kibibytes(text, "RssAnon:")
	return memory{rss: rss, anonymous: anonymous, file: rss - min(rss, anonymous)}, nil
}

// kibibytes returns, in bytes, the value of the line that begins with name.
func kibibytes(text []byte, name string) (uint64, bool) {
	for line := range bytes.Lines(text) {
		value, ok := bytes.CutPrefix(line, []byte(name))
		if !ok {
			continue
		}
		fields := bytes.Fields(value)
		if len(fields) != 2 || string(fields[1]) != "kB" {
			return 0, false
		}
		v, err := strconv.ParseUint(string(fields[0]), 10, 53)
		return v << 10, err == nil
	}
	return 0, false
}
