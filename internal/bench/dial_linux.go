package bench

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

const (
	slowReceive = 4 << 10 // receive buffer of a slow consumer

	// sourceSpread is how many connections one source address makes. The kernel
	// looks for a free port one by one, half of some 28,000 first, so that a
	// connect costs six times as much once those are taken.
	sourceSpread = 5000

	ipBindAddressNoPort = 24 // IP_BIND_ADDRESS_NO_PORT
)

func (e *epoll) dial(c *client) {
	if err := e.connect(c); err != nil {
		e.f.lose(c, fmt.Errorf("connect: %w", err))
		return
	}
	e.watch(c, syscall.EPOLL_CTL_ADD, syscall.EPOLLOUT)
}

func (e *epoll) connect(c *client) (err error) {
	address := c.target.address
	family, to := syscall.AF_INET, socketAddress(address)
	if address.Addr().Is6() {
		family = syscall.AF_INET6
	}
	c.fd, err = syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		c.fd = -1
		return err
	}
	if err := syscall.SetsockoptInt(c.fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return err
	}
	if c.slow {
		if err := syscall.SetsockoptInt(c.fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, slowReceive); err != nil {
			return err
		}
	}
	if block := c.index / sourceSpread; block > 0 && family == syscall.AF_INET && address.Addr().IsLoopback() {
		if err := bindSource(c.fd, byte(block)); err != nil {
			return err
		}
	}
	if err := syscall.Connect(c.fd, to); err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		return err
	}
	return nil
}

// bindSource makes a connection come from a loopback address of its block, so
// that ephemeral ports do not run out.
func bindSource(fd int, block byte) error {
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, ipBindAddressNoPort, 1); err != nil {
		return err
	}
	return syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 1, block}})
}

func socketAddress(a netip.AddrPort) syscall.Sockaddr {
	if a.Addr().Is4() {
		return &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &syscall.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}
