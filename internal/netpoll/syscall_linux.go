package netpoll

import (
	"fmt"
	"syscall"
	"unsafe"
)

// The calls below cannot wait, since the sockets are non-blocking. So they are
// made without announcing to the scheduler that they might, which would cost a
// twelfth of a delivery.

func read(fd int32, b []byte) (int, syscall.Errno) { return transfer(syscall.SYS_READ, fd, b) }

func write(fd int32, b []byte) (int, syscall.Errno) { return transfer(syscall.SYS_WRITE, fd, b) }

// transfer is read(2) or write(2); b must not be empty.
func transfer(call uintptr, fd int32, b []byte) (int, syscall.Errno) {
	data := unsafe.Pointer(unsafe.SliceData(b)) //nolint:gosec // the call's own argument, in the form that keeps b alive
	for {
		n, _, errno := syscall.RawSyscall(call, uintptr(fd), uintptr(data), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}

// epollWait returns how many events are there now.
func epollWait(set uintptr, events []syscall.EpollEvent) int {
	first := unsafe.Pointer(unsafe.SliceData(events)) //nolint:gosec // as in transfer
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, set, uintptr(first), uintptr(len(events)), 0, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case syscall.EINTR:
		default:
			panic(fmt.Sprintf("epoll_pwait: %v", errno)) // only misuse of the set can fail
		}
	}
}

func fcntl(fd uintptr, command, argument int) (int, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, uintptr(command), uintptr(argument))
	if errno != 0 {
		return -1, errno
	}
	return int(n), nil
}
