package engines

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// socketOf returns the number by which the kernel calls the other end of a
// connection on this machine, 0 if it cannot be told. The other end must be open.
func socketOf(conn *net.TCPConn) uint64 {
	remote, isTCP := conn.RemoteAddr().(*net.TCPAddr)
	local, alsoTCP := conn.LocalAddr().(*net.TCPAddr)
	if !isTCP || !alsoTCP {
		return 0
	}
	table, err := os.Open("/proc/net/tcp")
	if err != nil {
		return 0
	}
	defer func() { _ = table.Close() }()
	suffix := func(port int) string { return fmt.Sprintf(":%04X", port) }
	for lines := bufio.NewScanner(table); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && strings.HasSuffix(fields[1], suffix(remote.Port)) && strings.HasSuffix(fields[2], suffix(local.Port)) {
			inode, err := strconv.ParseUint(fields[9], 10, 64)
			if err == nil && inode != 0 {
				return inode
			}
		}
	}
	return 0
}

// owns reports whether a process has a socket open.
func owns(pid int, socket uint64) bool {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || socket == 0 {
		return false
	}
	want := fmt.Sprintf("socket:[%d]", socket)
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && target == want {
			return true
		}
	}
	return false
}
