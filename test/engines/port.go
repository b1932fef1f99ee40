package engines

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports below those that the kernel gives to outgoing connections, which could
// take one between its choice and its use.
const (
	firstPort = 12_000
	lastPort  = 32_000
)

// FreePort returns a port of loopback that nothing listens on at the moment.
func FreePort() (int, error) {
	for range 100 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			continue
		}
		return port, listener.Close()
	}
	return 0, errors.New("no free port found")
}
