package ws

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

const subprotocolPrefix = "pusher-channels-protocol-"

// versionForm is what a client's library version may look like (§1.4).
var versionForm = regexp.MustCompile(`^v?[0-9][0-9A-Za-z.+_-]{0,62}$`)

// closeOrigin refuses a browser page of a site that the app does not list. A
// code of the range that clients do not retry: nothing will change by itself.
var closeOrigin = protocol.CloseError{Code: protocol.CodeUnauthorized, Reason: "Origin not allowed"}

// query is that of a connection's URL. Unlike url.Values it drops nothing: what
// is malformed must be refused as such and not pass for missing.
type query struct{ parsed *auth.Query }

func parseQuery(raw string) query { return query{auth.ParseQuery(raw)} }

func (q query) get(name string) string {
	value, _ := q.parsed.Get(name)
	return value
}

// admission is the verdict on one upgrade request.
type admission struct {
	app         *apps.App // nil if refused before the key was looked at
	version     int       // protocol.UnknownVersion if there is none that is served
	subprotocol string    // to be selected, "" for none
	refusal     *protocol.CloseError
}

// admit decides on a request by the table of §1.5: the first failing row wins.
// The quota, the last row, is the hub's to check.
func (h *Handler) admit(r *http.Request) admission {
	query := parseQuery(r.URL.RawQuery)
	a := admission{}
	offered := 0
	a.subprotocol, offered = offeredSubprotocol(r.Header)
	version, versionErr := h.protocolVersion(query, offered)
	a.version = version
	refuse := func(e protocol.CloseError) admission {
		a.refusal = &e
		return a
	}
	key, ok := h.appKey(r.URL)
	if !ok {
		return refuse(protocol.ClosePathNotFound)
	}
	if h.draining.Load() {
		return refuse(protocol.CloseReconnect)
	}
	if h.open.Load() > h.o.MaxConnections || !h.mayConnect(r) {
		return refuse(protocol.CloseOverCapacity)
	}
	if versionErr != nil {
		return refuse(*versionErr)
	}
	if v := query.get("version"); v != "" && !versionForm.MatchString(v) {
		return refuse(protocol.CloseInvalidVersion)
	}
	a.app = h.o.Registry.ByKey(key)
	switch {
	case a.app == nil:
		return refuse(protocol.CloseUnknownApp)
	case !a.app.Enabled:
		return refuse(protocol.CloseAppDisabled)
	case a.app.TLSOnly && !h.isTLS(r):
		return refuse(protocol.CloseTLSOnly)
	case !originAllowed(a.app.AllowedOrigins, r.Header.Get("Origin")):
		return refuse(closeOrigin)
	}
	return a
}

// appKey returns the key of a path MOUNT/app/{key}, with or without a slash
// behind it.
func (h *Handler) appKey(u *url.URL) (string, bool) {
	rest, ok := strings.CutPrefix(u.EscapedPath(), h.o.Mount+"/app/")
	if !ok {
		return "", false
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" || strings.Contains(rest, "/") {
		return "", false
	}
	key, err := url.PathUnescape(rest)
	return key, err == nil
}

// protocolVersion finds the version by the rules of §1.3; offered is that of the
// sub-protocol, 0 for none.
func (h *Handler) protocolVersion(query query, offered int) (int, *protocol.CloseError) {
	asked := query.get("protocol")
	if asked == "" {
		version := offered
		if version == 0 {
			version = versionOfOldClient(query.get("client"), query.get("version"))
		}
		if version == 0 {
			version = h.o.DefaultProtocol
		}
		if version == 0 {
			return protocol.UnknownVersion, &protocol.CloseNoVersion
		}
		return version, nil
	}
	version, err := strconv.Atoi(asked)
	if err != nil || asked != strconv.Itoa(version) || version < protocol.MinVersion || version > protocol.MaxVersion {
		return protocol.UnknownVersion, &protocol.CloseUnsupportedVersion
	}
	return version, nil
}

// versionOfOldClient infers the version of pusher-js releases that did not send
// one: 1.11.0 and 1.11.1 speak 4, from 1.11.2 through 1.12 they speak 5.
func versionOfOldClient(client, version string) int {
	if client != "js" {
		return 0
	}
	switch {
	case version == "1.11.0", version == "1.11.1":
		return 4
	case strings.HasPrefix(version, "1.11."), version == "1.12", strings.HasPrefix(version, "1.12."):
		return 5
	}
	return 0
}

// offeredSubprotocol returns the first sub-protocol offered that names a version
// that is served. Apple's network stack gives up unless it is selected.
func offeredSubprotocol(header http.Header) (name string, version int) {
	for _, line := range header.Values("Sec-WebSocket-Protocol") {
		for token := range strings.SplitSeq(line, ",") {
			token = strings.TrimSpace(token)
			number, ok := strings.CutPrefix(token, subprotocolPrefix)
			if !ok {
				continue
			}
			v, err := strconv.Atoi(number)
			if err == nil && v >= protocol.MinVersion && v <= protocol.MaxVersion {
				return token, v
			}
		}
	}
	return "", 0
}

// originAllowed checks a browser's Origin against host patterns as in path.Match,
// optionally with a scheme. Requests without Origin do not come from a page.
func originAllowed(patterns []string, origin string) bool {
	if len(patterns) == 0 || origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	for _, pattern := range patterns {
		target := u.Host
		if strings.Contains(pattern, "://") {
			target = u.Scheme + "://" + u.Host
		}
		if ok, _ := path.Match(strings.ToLower(pattern), strings.ToLower(target)); ok {
			return true
		}
	}
	return false
}
