package engines

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"syscall"
	"time"
)

// Ports below those that the kernel gives to outgoing connections, which could
// take one between its choice and its use.
const (
	firstPort = 12_000
	lastPort  = 32_000
)

// reserved keeps FreePort, here and in other processes, from returning a port twice:
// UDP sockets with the numbers of those that were returned, open until the process ends.
var reserved struct {
	mu      sync.Mutex
	sockets []net.PacketConn
}

// FreePort returns a port of loopback that nothing listens on, and that it returns to
// nobody else as long as this process lives. It may be called concurrently.
func FreePort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		socket, err := net.ListenPacket("udp", addressOf(port))
		if err != nil {
			continue
		}
		if listens(port) {
			_ = socket.Close()
			continue
		}
		reserved.mu.Lock()
		reserved.sockets = append(reserved.sockets, socket)
		reserved.mu.Unlock()
		return port, nil
	}
	return 0, errors.New("no free port found")
}

// listens reports whether something listens on a port. It does not try to listen itself: a
// process that is forked at that moment would hold the port until it executes its program.
func listens(port int) bool {
	conn, err := net.DialTimeout("tcp", addressOf(port), time.Second)
	if err != nil {
		return !errors.Is(err, syscall.ECONNREFUSED)
	}
	_ = conn.Close()
	return true
}
