package ws

import (
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// isTLS reports whether the client's side of the connection is encrypted: ours,
// or that of a trusted proxy which says so.
func (h *Handler) isTLS(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	// Of a chain of proxies the first entry is what the client used.
	proto, _, _ := strings.Cut(r.Header.Get("X-Forwarded-Proto"), ",")
	return h.fromTrustedProxy(r) && strings.EqualFold(strings.TrimSpace(proto), "https")
}

func (h *Handler) fromTrustedProxy(r *http.Request) bool {
	return contains(h.o.TrustedProxies, peerAddr(r))
}

// clientAddr returns the address of the client: the peer's, or the last address
// in X-Forwarded-For that a trusted proxy has vouched for. Invalid if unknown.
func (h *Handler) clientAddr(r *http.Request) netip.Addr {
	addr := peerAddr(r)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && contains(h.o.TrustedProxies, addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

// mayConnect applies the limit on new connections of one client address.
func (h *Handler) mayConnect(r *http.Request) bool {
	addr := h.clientAddr(r)
	if !addr.IsValid() || contains(h.o.ExemptAddresses, addr) {
		return true
	}
	return h.perAddress.Allow(addr, time.Now())
}

func peerAddr(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{} // a Unix socket's peer has no address
	}
	return ap.Addr().Unmap().WithZone("")
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
