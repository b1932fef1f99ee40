package config

import (
	"fmt"
	"net/textproto"
	"slices"
	"strings"
)

// Limits of the headers of one receiver.
const (
	mostHeaders     = 20
	mostHeaderName  = 100
	mostHeaderValue = 4 << 10

	headerNameLimits  = "at most 100 letters, digits and `-` or other characters of header names; not a header of the connection or of the webhook itself"
	headerValueLimits = "1 to 4096 printable ASCII characters, without a space at the ends"
)

// ownHeaders are not for receivers to choose: those of one connection (RFC 9110,
// section 7.6.1), those that say where the body ends and what it is, and those
// that the protocol gives to webhooks (§8.1).
var ownHeaders = []string{
	"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade", "Http2-Settings", "Expect", "Host", "Content-Length", "Content-Type", "Content-Encoding",
}

// checkHeaderName never repeats a name that is none: it may be a whole header,
// with its secret.
func checkHeaderName(name string) string {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case name == "":
		return "is missing"
	case len(name) > mostHeaderName:
		return fmt.Sprintf("must be at most %d characters, not %d", mostHeaderName, len(name))
	case strings.Trim(strings.ToLower(name), "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~") != "":
		return "must be the name of a header alone: letters, digits and -"
	case slices.Contains(ownHeaders, canonical) || strings.HasPrefix(canonical, "X-Pusher-") || strings.HasPrefix(canonical, "X-Pipesocket-"):
		return "must not be " + canonical + ", which the server sets itself"
	}
	return ""
}

// checkHeaderValue never repeats its value: it may be a secret.
func checkHeaderValue(value string) string {
	switch {
	case value == "":
		return "is missing"
	case len(value) > mostHeaderValue:
		return fmt.Sprintf("must be at most %d characters, not %d", mostHeaderValue, len(value))
	case strings.TrimSpace(value) != value:
		return "must not begin or end with a space"
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }):
		return "must be printable ASCII on one line"
	}
	return ""
}

// checkHeaders looks at the headers of one receiver together.
func (w *Webhook) checkHeaders(path string, found *faults) {
	if len(w.Headers) > mostHeaders {
		found.add(path+".headers", "", fmt.Sprintf("must be at most %d, not %d", mostHeaders, len(w.Headers)))
	}
	given := make(map[string]string)
	for i, h := range w.Headers {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		at := index(path+".headers", i) + ".name"
		if first, taken := given[name]; taken && name != "" {
			found.add(at, "", "is also "+first)
			continue
		}
		given[name] = at
		if name == "Authorization" && w.hasUser() {
			found.add(at, "", "must not be Authorization beside a user in url, which becomes that header")
		}
	}
}
