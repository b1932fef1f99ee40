package main

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/config"
)

// publicURL returns where a program on this machine reaches the public listener
// of a server with configuration c.
func publicURL(c *config.Config) (string, error) {
	scheme := "http"
	if c.TLS.Enabled() {
		scheme = "https"
	}
	host, err := localAddress(c.Listen, "--url")
	if err != nil {
		return "", err
	}
	return (&url.URL{Scheme: scheme, Host: host, Path: c.Mount}).String(), nil
}

// opsURL does the same for the operations listener. The flag is the one that could
// tell instead.
func opsURL(c *config.Config, flag string) (string, error) {
	host, err := localAddress(c.Ops.Listen, flag)
	if err != nil {
		return "", err
	}
	return (&url.URL{Scheme: "http", Host: host}).String(), nil
}

// localAddress turns an address to listen on into one to connect to.
func localAddress(listen, flag string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", errors.New("the configured port is 0, so the server chose one: give its address with " + flag)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case host == "", err == nil && ip.Is4() && ip.IsUnspecified():
		host = "127.0.0.1"
	case err == nil && ip.IsUnspecified():
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}

// withoutPassword is the URL of a server as it may be shown.
func withoutPassword(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "the server"
	}
	return u.Redacted()
}

// variable returns the last value of an environment variable, "" without one.
func variable(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
