package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"code.dny.dev/ssrf"
)

// errRefusedAddress is the error of a connection that the guard did not allow.
var errRefusedAddress = errors.New("address not allowed for webhooks")

// platformAddress serves metadata and secrets to virtual machines on Azure
// although it is not a private address.
var platformAddress = netip.MustParsePrefix("168.63.129.16/32")

// guard keeps apps from reaching into the operator's network through webhook
// URLs. It judges the address that is really dialled, after name resolution, so
// a name that changes its address between check and use gains nothing.
type guard struct{ guardian *ssrf.Guardian }

// newGuard returns a guard that allows public addresses and those in allow.
func newGuard(allow []netip.Prefix) guard {
	var v4, v6 []netip.Prefix
	for _, prefix := range allow {
		if prefix = plain(prefix); prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	return guard{ssrf.New(
		ssrf.WithAnyPort(),
		ssrf.WithAllowedV4Prefixes(v4...),
		ssrf.WithAllowedV6Prefixes(v6...),
		ssrf.WithDeniedV4Prefixes(platformAddress),
	)}
}

// plain turns a prefix of IPv4-mapped addresses into the IPv4 one that is meant:
// the dialer never shows the mapped form.
func plain(prefix netip.Prefix) netip.Prefix {
	if prefix.Addr().Is4In6() && prefix.Bits() >= 96 {
		return netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96).Masked()
	}
	return prefix.Masked()
}

// control is a net.Dialer.Control: it runs before each connect, with the address
// of that very connect.
func (g guard) control(network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return fmt.Errorf("%w: network %s", errRefusedAddress, network)
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: unreadable address", errRefusedAddress)
	}
	// No prefix contains an address with a zone.
	if err := g.guardian.SafeAddr(to.Addr().WithZone("")); err != nil {
		return fmt.Errorf("%w: %s", errRefusedAddress, to.Addr())
	}
	return nil
}
