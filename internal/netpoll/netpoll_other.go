//go:build !linux

package netpoll

import (
	"errors"
	"net"
)

type loop struct{}

// Leave does nothing.
func (*Pass) Leave() {}

// CanAdopt is false on this system.
func CanAdopt(net.Conn) bool { return false }

// Poller does not exist on this system.
type Poller struct{}

// New fails with errors.ErrUnsupported.
func New(func() Work) (*Poller, error) { return nil, errors.ErrUnsupported }

// Close does nothing.
func (*Poller) Close() error { return nil }

// Conn is never open on this system.
type Conn struct{}

// Adopt fails with errors.ErrUnsupported.
func (*Poller) Adopt(*Conn, net.Conn, Handler) error { return errors.ErrUnsupported }

// Read fails with errors.ErrUnsupported.
func (*Conn) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }

// Write fails with errors.ErrUnsupported.
func (*Conn) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }

// WatchRead fails with errors.ErrUnsupported.
func (*Conn) WatchRead(bool) error { return errors.ErrUnsupported }

// WatchWrite fails with errors.ErrUnsupported.
func (*Conn) WatchWrite(bool) error { return errors.ErrUnsupported }

// Shutdown does nothing.
func (*Conn) Shutdown() {}

// CloseWrite does nothing.
func (*Conn) CloseWrite() {}

// Close does nothing.
func (*Conn) Close() {}
