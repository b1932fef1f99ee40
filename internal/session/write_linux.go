package session

import (
	"syscall"
	"unsafe"
)

// writeNow is write(2) without telling the scheduler: a socket of the runtime is
// non-blocking, so the call cannot wait, and announcing it as one that might
// costs a fifth of a delivery. b must not be empty.
func writeNow(fd uintptr, b []byte) (int, error) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
