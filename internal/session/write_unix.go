//go:build unix && !linux

package session

import (
	"errors"
	"syscall"
)

// writeNow is write(2) on a non-blocking socket.
func writeNow(fd uintptr, b []byte) (int, syscall.Errno) {
	n, err := syscall.Write(int(fd), b)
	errno, _ := errors.AsType[syscall.Errno](err)
	return n, errno
}
