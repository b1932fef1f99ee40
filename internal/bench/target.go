package bench

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// target is a server, resolved once so that no run asks a name server.
type target struct {
	number  int // among the servers
	address netip.AddrPort
	host    string // for Host and the certificate
	tls     bool
	roots   *x509.CertPool // nil for those of the system
	socket  string         // path and query of WebSocket connections
	api     string         // path of the app's HTTP API
}

// newTargets resolves the servers of o.
func newTargets(ctx context.Context, o *Options) ([]*target, error) {
	if len(o.URLs) == 0 {
		return nil, errURL
	}
	var all []*target
	for i, text := range o.URLs {
		t, err := newTarget(ctx, o, text)
		if err != nil {
			return nil, err
		}
		t.number = i
		all = append(all, t)
	}
	return all, nil
}

var errURL = errors.New("--url must be an http or https URL with a host")

// newTarget resolves a server and refuses one on another machine unless it is said
// to be the caller's.
func newTarget(ctx context.Context, o *Options, text string) (*target, error) {
	base, err := url.Parse(text)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Hostname() == "" || base.User != nil {
		return nil, errURL
	}
	port := base.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[base.Scheme]
	}
	ip, err := resolve(ctx, base.Hostname(), o.AllowRemote)
	if err != nil {
		return nil, err
	}
	address, err := netip.ParseAddrPort(net.JoinHostPort(ip.String(), port))
	if err != nil {
		return nil, errURL
	}
	mount := strings.TrimSuffix(base.EscapedPath(), "/")
	return &target{
		address: address,
		host:    base.Host,
		tls:     base.Scheme == "https",
		roots:   o.roots,
		socket:  mount + "/app/" + url.PathEscape(o.Key.Key) + "?protocol=7&client=pipesocketd-bench&version=1.0&flash=false",
		api:     mount + "/apps/" + url.PathEscape(o.AppID),
	}, nil
}

// resolve returns one address of host, IPv4 if there is one.
func resolve(ctx context.Context, host string, allowRemote bool) (netip.Addr, error) {
	all, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("resolve %s: %w", host, err)
	}
	for i, ip := range all {
		all[i] = ip.Unmap()
		if !all[i].IsLoopback() && !allowRemote {
			return netip.Addr{}, fmt.Errorf("%s (%s) is not this machine: load is put on a server elsewhere only with --allow-remote, and only if it is yours", host, all[i])
		}
	}
	if i := slices.IndexFunc(all, netip.Addr.Is4); i >= 0 {
		return all[i], nil
	}
	return all[0], nil
}

// hostname is the name that a certificate has to be for.
func (t *target) hostname() string {
	if host, _, err := net.SplitHostPort(t.host); err == nil {
		return host
	}
	return strings.Trim(t.host, "[]")
}
