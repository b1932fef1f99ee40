package engines

import (
	"errors"
	"math/rand/v2"
	"net"
	"sync"
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
		listener, err := net.Listen("tcp", addressOf(port))
		if err != nil {
			_ = socket.Close()
			continue
		}
		reserved.mu.Lock()
		reserved.sockets = append(reserved.sockets, socket)
		reserved.mu.Unlock()
		return port, listener.Close()
	}
	return 0, errors.New("no free port found")
}
