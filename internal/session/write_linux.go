package session

import (
	"syscall"
	"unsafe"
)

// writeNow is write(2) without telling the scheduler: a socket of the runtime is
// non-blocking, so the call cannot wait, and announcing it as one that might
// costs a twelfth of a delivery. b must not be empty.
func writeNow(fd uintptr, b []byte) (int, syscall.Errno) {
	data := unsafe.Pointer(unsafe.SliceData(b)) //nolint:gosec // the call's own argument, in the form that keeps b alive
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(data), uintptr(len(b)))
	return int(n), errno
}
