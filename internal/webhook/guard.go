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
//
// The library refuses what IANA lists as special, everything beyond global
// unicast in IPv6, and the prefixes of NAT64, 6to4 and Teredo as a whole. It
// does not look into addresses: see embedded.
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
	if !g.allows(to.Addr()) {
		return fmt.Errorf("%w: %s", errRefusedAddress, to.Addr())
	}
	return nil
}

func (g guard) allows(ip netip.Addr) bool {
	ip = ip.WithZone("") // no prefix contains an address with one
	if g.guardian.SafeAddr(ip) != nil {
		return false
	}
	inner, ok := embedded(ip)
	return !ok || g.guardian.SafeAddr(inner) == nil
}

var (
	prefixNAT64 = netip.MustParsePrefix("64:ff9b::/96")
	prefix6to4  = netip.MustParsePrefix("2002::/16")
)

// embedded returns the IPv4 address that a gateway or a tunnel delivers to for an
// IPv6 one, which must be allowed too. ISATAP (RFC 5214, section 6.1) puts it
// behind any global prefix. NAT64 (RFC 6052) and 6to4 (RFC 3056) matter where
// their prefix is listed: on a network with DNS64 it has to be, and must not
// open private addresses.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	isatap := b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe // bit 2: globally unique
	switch {
	case isatap, prefixNAT64.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:])), true
	case prefix6to4.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:])), true
	}
	return netip.Addr{}, false
}
