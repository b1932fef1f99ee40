//go:build !linux

package fastlane

import (
	"io"
	"net"
)

// newSocket returns the quickest way to read from and write to a connection.
func newSocket(conn *net.TCPConn) io.ReadWriter { return conn }
