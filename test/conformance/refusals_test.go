package conformance

import (
	"net/url"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestRefusals(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-007 protocol 3 is closed with 4007 after an error frame", protocolThree},
		{"P-008 protocol 8 is closed with 4007", protocolEight},
		{"P-009 protocol abc is closed with 4007", protocolNotANumber},
		{"P-010 P-026 no protocol is an error 4008, then close 4008", noProtocol},
		{"P-014 an unknown key is closed with 4001", unknownKey},
		{"P-015 a disabled app is closed with 4003", disabledApp},
		{"P-020 an upgrade on an unknown path completes and is closed with 4005", unknownPath},
		{"P-022 with several faults the first row decides", firstFaultDecides},
		{"P-023 P-026 on protocol 5 every refusal sends the error frame first", refusalsOnFive},
		{"P-024 P-026 on protocol 7 a refusal sends the close frame only", refusalsOnSeven},
		{"P-025 P-026 error_before_close always sends protocol 7 the error frame too", errorAlways},
		{"P-027 refused connections do not count toward max_connections", refusedDoNotCount},
		{"P-031 close reasons are short and valid UTF-8", shortReasons},
	})
}

// expectRefusal requires error frame and close, and no frame besides.
func (c *client) expectRefusal(t testing.TB, code int, reason string) {
	t.Helper()
	c.expectError(t, code, reason)
	c.expectClose(t, code, reason)
}

const unsupportedText = "Unsupported protocol version"

func protocolThree(t *testing.T) {
	c := dial(t, shared(t), target{app: plain, query: "protocol=3&client=js&version=1.9.0"})
	c.expectRaw(t, `{"event":"pusher:error","data":{"code":4007,"message":"Unsupported protocol version"}}`)
	c.expectClose(t, 4007, unsupportedText)
}

func protocolEight(t *testing.T) {
	for _, version := range []string{"8", "70", "0", "-7"} {
		dial(t, shared(t), target{app: plain, query: "protocol=" + version}).expectRefusal(t, 4007, unsupportedText)
	}
}

func protocolNotANumber(t *testing.T) {
	for _, version := range []string{"abc", "7a", "7.0", "0x7", "99999999999999999999", "%00"} {
		dial(t, shared(t), target{app: plain, query: "protocol=" + version}).expectRefusal(t, 4007, unsupportedText)
	}
}

func noProtocol(t *testing.T) {
	for _, query := range []string{"-", "client=js&version=8.4.0", "protocol=", "client=swift&version=1.12.7", "client=js&version=1.13.0"} {
		dial(t, shared(t), target{app: plain, query: query}).expectRefusal(t, 4008, "No protocol version supplied")
	}
}

func unknownKey(t *testing.T) {
	dial(t, shared(t), target{app: unknown}).expectClose(t, 4001, "Application does not exist")
	dial(t, shared(t), target{path: "/app/" + plain.id}).expectClose(t, 4001, "Application does not exist")
	dial(t, shared(t), target{path: "/app/" + strings.ToUpper(plain.key)}).expectClose(t, 4001, "Application does not exist")
}

func disabledApp(t *testing.T) {
	dial(t, shared(t), target{app: disabled}).expectClose(t, 4003, "Application disabled")
}

func unknownPath(t *testing.T) {
	for _, path := range []string{"/nope", "/", "/app", "/app/", "/apps/" + plain.key, "/app/" + plain.key + "/more", "/x/app/" + plain.key} {
		c := dial(t, shared(t), target{path: path})
		if code, reason := c.closed(t); code != 4005 || reason != "Path not found" {
			t.Errorf("%s: closed with %d %q, want 4005", path, code, reason)
		}
	}
}

func firstFaultDecides(t *testing.T) {
	const bad = "&version=%20bad"
	for _, c := range []struct {
		what string
		to   target
		code int
	}{
		{"path and protocol", target{path: "/nope", query: "protocol=3" + bad}, 4005},
		{"no protocol, version and key", target{app: unknown, query: "client=x" + bad}, 4008},
		{"protocol and key", target{app: unknown, query: "protocol=3"}, 4007},
		{"protocol, version and key", target{app: unknown, query: "protocol=3" + bad}, 4007},
		{"version and key", target{app: unknown, query: "protocol=7" + bad}, 4006},
		{"version and disabled app", target{app: disabled, query: "protocol=7" + bad}, 4006},
		{"disabled app and TLS", target{app: offTLS}, 4003},
	} {
		if got := dial(t, shared(t), c.to).refusalCode(t); got != c.code {
			t.Errorf("%s: closed with %d, want %d", c.what, got, c.code)
		}
	}
}

// refusalCode returns the close code, whether or not an error frame comes first.
func (c *client) refusalCode(t testing.TB) int {
	t.Helper()
	first := c.next(t, patience)
	if first.err != nil {
		return int(websocket.CloseStatus(first.err))
	}
	told := decode(t, first.text).errorBody(t)
	code, _ := c.closed(t)
	if told.Code != code {
		t.Fatalf("told %d, closed with %d", told.Code, code)
	}
	return code
}

// refusal is one row of §1.5 that a test can bring about at will.
type refusal struct {
	to     target
	code   int
	reason string
}

// refusals lists them; full is an app at its quota.
func refusals(full app) []refusal {
	return []refusal{
		{target{path: "/nope"}, 4005, "Path not found"},
		{target{app: plain, query: "version=%20bad"}, 4006, "Invalid version string format"},
		{target{app: unknown}, 4001, "Application does not exist"},
		{target{app: disabled}, 4003, "Application disabled"},
		{target{app: tlsOnly}, 4000, onlyTLSText},
		{target{app: full}, 4004, "Application is over connection quota"},
	}
}

// at sets the protocol version of a refusal.
func (r refusal) at(version string) target {
	to := r.to
	to.query = strings.TrimSuffix("protocol="+version+"&"+to.query, "&")
	return to
}

func refusalsOnFive(t *testing.T) {
	connect(t, shared(t), quotaFive)
	for _, r := range refusals(quotaFive) {
		dial(t, shared(t), r.at("5")).expectRefusal(t, r.code, r.reason)
		dial(t, shared(t), r.at("4")).expectRefusal(t, r.code, r.reason)
	}
}

func refusalsOnSeven(t *testing.T) {
	connect(t, shared(t), quotaSeven)
	for _, r := range refusals(quotaSeven) {
		dial(t, shared(t), r.at("7")).expectClose(t, r.code, r.reason)
		dial(t, shared(t), r.at("6")).expectClose(t, r.code, r.reason)
	}
}

func errorAlways(t *testing.T) {
	s := startServer(t, "error_before_close: always\napps:\n"+appYAML(plain)+appYAML(disabled, "enabled: false"))
	dial(t, s, target{app: unknown}).expectRefusal(t, 4001, "Application does not exist")
	dial(t, s, target{app: disabled}).expectRefusal(t, 4003, "Application disabled")
	dial(t, s, target{path: "/nope"}).expectRefusal(t, 4005, "Path not found")
}

func refusedDoNotCount(t *testing.T) {
	s := shared(t)
	for range 5 {
		dial(t, s, target{app: quotaOne, query: "protocol=7&version=%20bad"}).
			expectClose(t, 4006, "Invalid version string format")
	}
	c := connect(t, s, quotaOne)
	for range 5 {
		dial(t, s, target{app: quotaOne}).expectClose(t, 4004, "Application is over connection quota")
	}
	c.leave(t)
	eventually(t, "a connection after the only one left", func() bool { return accepted(t, s, quotaOne) })
}

func shortReasons(t *testing.T) {
	long := url.PathEscape(strings.Repeat("é€😀", 100))
	for _, path := range []string{"/" + long, "/app/" + long, "/app/" + strings.Repeat("k", 3000)} {
		code, reason := dial(t, shared(t), target{path: path}).closed(t) // checks length and UTF-8
		if code != 4001 && code != 4005 || reason == "" {
			t.Errorf("closed with %d %q", code, reason)
		}
	}
}
