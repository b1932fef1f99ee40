package bench

import (
	"os"
	"strings"
)

func kernelRelease() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease") // unknown is no reason to fail
	return strings.TrimSpace(string(text))
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
