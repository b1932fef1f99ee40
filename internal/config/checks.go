package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

const (
	listenLimits      = "`HOST:PORT`; an empty host is every address, port 0 a free one"
	prefixLimits      = "addresses and CIDR prefixes"
	credentialLimits  = "letters, digits, `_` and `-`"
	channelPartLimits = "at most 200 characters of channel names"
	globLimits        = "empty, or at most 200 characters of channel names, `*` and `?`"
	opsAccessLimits   = "empty, or 16 to 200 letters, digits and `-._~+/=`"
	patternLimits     = "patterns of at most 200 characters of channel names, `*` and `?`"
	databaseLimits    = "empty, or a URL that begins with `postgres://`"
)

var (
	credentialPattern = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	mountPattern      = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
	schemePattern     = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	bearerPattern     = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]+$`)
	hostNamePattern   = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
)

func checkListen(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return "must be HOST:PORT, such as 127.0.0.1:6001 or [::1]:6001, not " + quoted(address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "must end in a port from 0 to 65535, not " + quoted(port)
	}
	if _, err := netip.ParseAddr(host); host == "" || err == nil || hostNamePattern.MatchString(host) && !dotted(host) {
		return ""
	}
	return "must begin with an IP address or a host name, not " + quoted(host)
}

// dotted reports whether host looks like an IPv4 address, which a mistyped one
// does too.
func dotted(host string) bool {
	return strings.Trim(host, "0123456789.") == ""
}

func checkMount(mount string) string {
	switch {
	case mount == "":
		return ""
	case mount[0] != '/':
		return "must begin with /, not " + quoted(mount)
	case mount[len(mount)-1] == '/':
		return "must not end in /, as " + quoted(mount) + " does"
	case !mountPattern.MatchString(mount) || path.Clean(mount) != mount:
		return "must be segments of letters, digits and . _ ~ - with one / between, not " + quoted(mount)
	}
	return ""
}

func checkProtocol(value any) string {
	if v := value.(int); v != 0 && (v < 4 || v > 7) {
		return fmt.Sprintf("must be 0, or 4 to 7, not %d", v)
	}
	return ""
}

var queueLimits = fmt.Sprintf("0, or %d to %d", leastBytes, diskBytes)

func checkQueueBytes(value any) string {
	if v := value.(int); v != 0 && (v < leastBytes || v > diskBytes) {
		return fmt.Sprintf("must be %s, not %d", queueLimits, v)
	}
	return ""
}

func checkActivityTimeout(value any) string {
	if v := value.(time.Duration); v < time.Second || v > longest || v%time.Second != 0 {
		return "must be whole seconds, 1s to 24h, not " + durationText(v)
	}
	return ""
}

// checkCredential never repeats its value: it may be a secret.
func checkCredential(value string) string {
	switch {
	case value == "":
		return "is missing"
	case !credentialPattern.MatchString(value):
		return "must consist of letters, digits, _ and -"
	}
	return ""
}

// checkOrigin takes a host pattern, which may have a scheme before it.
func checkOrigin(pattern string) string {
	host := pattern
	if scheme, rest, ok := strings.Cut(pattern, "://"); ok && schemePattern.MatchString(scheme) {
		host = rest
	}
	if _, err := path.Match(host, ""); err != nil || host == "" || strings.ContainsAny(host, "/ ") {
		return "must list hosts such as *.example.com or https://app.example.com:8443, without a path, not " + quoted(pattern)
	}
	return ""
}

// checkURL never repeats its value: it may hold credentials.
func checkURL(value string) string {
	if value == "" {
		return "is missing"
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return "must be an http or https URL with a host"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "must have a port from 1 to 65535, not " + quoted(port)
		}
	}
	return ""
}

func checkWebhookEvent(name string) string {
	known := WebhookEvents()
	if slices.Contains(known, name) {
		return ""
	}
	return "must list names of webhook events, not " + quoted(name) + suggestion(name, known, nil)
}

func checkChannelPart(part string) string {
	if part == "" {
		return ""
	}
	if _, ok := protocol.ParseChannelName(part); !ok || strings.HasPrefix(part, "#") {
		return "must be at most 200 characters of channel names, not " + quoted(part)
	}
	return ""
}

func checkGlob(pattern string) string {
	if pattern == "" {
		return ""
	}
	if _, ok := protocol.ParseChannelGlob(pattern); !ok {
		return "must be at most 200 characters of channel names, * and ?, not " + quoted(pattern)
	}
	return ""
}

// checkSigningKey leaves it to checkApps whether the app has such a key. It
// never repeats its value: it may be the secret.
func checkSigningKey(key string) string {
	if key == "" {
		return ""
	}
	return checkCredential(key)
}

func checkRetryFor(value any) string {
	const least, most = 5 * time.Minute, 72 * time.Hour
	if v := value.(time.Duration); v != 0 && (v < least || v > most) {
		return "must be 0, or 5m to 72h, not " + durationText(v)
	}
	return ""
}

// checkToken never repeats its value: it is a secret.
func checkToken(token string) string {
	switch {
	case token == "":
		return ""
	case len(token) < shortSecret || len(token) > 200:
		return fmt.Sprintf("must be 16 to 200 characters, not %d", len(token))
	case !bearerPattern.MatchString(token):
		return "must consist of letters, digits and -._~+/="
	}
	return ""
}

func checkPattern(pattern string) string {
	if _, ok := protocol.ParseChannelGlob(pattern); !ok {
		return "must list patterns of at most 200 characters of channel names, * and ?, not " + quoted(pattern)
	}
	return ""
}

// checkDatabase never repeats its value: it may hold a password.
func checkDatabase(value string) string {
	if value == "" {
		return ""
	}
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "must be a URL that begins with postgres://"
	}
	return ""
}
