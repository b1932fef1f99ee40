package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestConnecting(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-001 a valid key upgrades with 101 and the first frame is connection_established", validKeyConnects},
		{"P-002 parameters in any order and unknown ones are accepted", queryInAnyOrder},
		{"P-003 a trailing slash after the key is accepted", trailingSlash},
		{"the key is percent-decoded", encodedKey},
		{"P-004 with a mount prefix only the prefixed path works", mountPrefix},
		{"P-005 protocols 4 to 7 get identical frames", versionsAlike},
		{"P-006 protocol 5 with version 3.1 gets an activity_timeout", legacyHandshake},
		{"P-011 no protocol with js 1.12.7 is protocol 5", versionFromLibrary},
		{"P-012 an offered sub-protocol supplies the protocol version", versionFromSubprotocol},
		{"P-013 version is checked for its form only", versionForm},
		{"P-016 tls_only refuses plain connections and accepts TLS", onlyTLS},
		{"P-016 tls_only accepts a trusted proxy that says https", trustedProxy},
		{"P-017 X-Forwarded-Proto of an untrusted peer is not believed", untrustedProxy},
		{"P-018 one connection over max_connections is refused until one leaves", connectionQuota},
		{"P-019 a process at capacity refuses with 4100", processCapacity},
		{"P-021 plain requests get 404 and 426", plainRequests},
		{"P-028 an offered pusher sub-protocol is selected", subprotocolSelected},
		{"P-029 an unknown sub-protocol is not selected and the connection works", subprotocolIgnored},
		{"P-030 no sub-protocol offered, none in the response", subprotocolAbsent},
		{"P-032 any Origin is accepted", anyOrigin},
	})
}

func validKeyConnects(t *testing.T) {
	c := dial(t, shared(t), target{app: plain})
	if c.response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d, want 101", c.response.StatusCode)
	}
	c.expect(t, "pusher:connection_established", "")
	c.expectNothing(t)
}

func queryInAnyOrder(t *testing.T) {
	for _, query := range []string{
		"flash=false&version=8.4.0&client=js&protocol=7",
		"client=pusher-websocket-swift&version=10.1.10&protocol=7",
		"?client=java-client&protocol=5&version=2.4.4",
		"cluster=mt1&t=1700000000000&n=3&protocol=7&room=a%20b&room=c",
		"flash=maybe&protocol=7",
	} {
		query = strings.TrimPrefix(query, "?")
		dial(t, shared(t), target{app: plain, query: query}).established(t)
	}
}

func trailingSlash(t *testing.T) {
	dial(t, shared(t), target{app: plain, path: "/app/" + plain.key + "/"}).established(t).expectNothing(t)
}

func encodedKey(t *testing.T) {
	path := "/app/" + strings.ReplaceAll(plain.key, "-", "%2D")
	dial(t, shared(t), target{app: plain, path: path}).established(t)
}

func mountPrefix(t *testing.T) {
	s := startServer(t, "mount: /realtime\napps:\n"+appYAML(plain))
	s.mount = "/realtime"
	c := connect(t, s, plain)
	channel := unique("mounted-")
	c.subscribe(t, channel)
	s.api(plain).trigger(t, channel, "e", "1")
	c.expectEvent(t, "e", channel, "1")
	dial(t, s, target{app: plain, path: "/app/" + plain.key}).expectClose(t, 4005, "Path not found")
}

func versionsAlike(t *testing.T) {
	want := transcript(t, 7)
	for version := 4; version < 7; version++ {
		if got := transcript(t, version); got != want {
			t.Errorf("protocol %d:\n%s\nprotocol 7:\n%s", version, got, want)
		}
	}
}

// transcript takes a connection through every kind of frame and returns what it
// received, with the names that differ between runs replaced.
func transcript(t *testing.T, version int) string {
	t.Helper()
	s := shared(t)
	room, cache, secret := unique("presence-"), unique("cache-"), unique("private-")
	mate := connect(t, s, full)
	c := connectVersion(t, s, full, version)
	c.join(t, room, `{"user_id":1,"user_info":{"n":"Ann"}}`)
	mate.joinAs(t, room, "2")
	c.expect(t, "pusher_internal:member_added", room)
	mate.clientEvent(t, "client-hi", room, object{"on": true})
	c.expect(t, "client-hi", room)
	mate.unsubscribe(t, room)
	c.expect(t, "pusher_internal:member_removed", room)
	c.subscribe(t, cache)
	c.expect(t, "pusher:cache_miss", cache)
	c.expect(t, "pusher_internal:subscription_count", cache)
	s.api(full).trigger(t, cache, "news", `{"a":"<b>"}`)
	c.expect(t, "news", cache)
	c.sendEvent(t, "pusher:subscribe", object{"channel": secret})
	c.unauthorized(t, secret, "Auth info required to subscribe to "+secret)
	c.sendEvent(t, "nonsense", object{})
	c.expect(t, "pusher:error", "")
	user := unique("u")
	c.signin(t, `{"id":"`+user+`","watchlist":["nobody"]}`)
	c.expect(t, "pusher_internal:watchlist_events", "")
	c.expectNothing(t)
	return strings.NewReplacer(c.socketID, "SOCKET", room, "ROOM", cache, "CACHE", secret, "SECRET", user, "USER").
		Replace(strings.Join(c.log, "\n"))
}

func legacyHandshake(t *testing.T) {
	c := dial(t, shared(t), target{app: plain, query: "protocol=5&client=js&version=3.1"})
	var body struct {
		SocketID        string `json:"socket_id"`
		ActivityTimeout int    `json:"activity_timeout"`
	}
	c.expect(t, "pusher:connection_established", "").into(t, &body)
	if body.SocketID == "" || body.ActivityTimeout != 120 {
		t.Fatalf("got handshake %+v", body)
	}
}

func versionFromLibrary(t *testing.T) {
	s := shared(t)
	for _, version := range []string{"1.11.0", "1.11.1", "1.11.2", "1.12.7"} {
		dial(t, s, target{app: plain, query: "client=js&version=" + version}).established(t)
	}
	// Versions below 6 are told errors before the close, and an unknown version
	// would have been closed with 4008.
	c := dial(t, s, target{app: unknown, query: "client=js&version=1.12.7"})
	c.expectError(t, 4001, "Application does not exist")
	c.expectClose(t, 4001, "Application does not exist")
}

func versionFromSubprotocol(t *testing.T) {
	s := shared(t)
	offer := func(version int) []string { return []string{fmt.Sprintf("pusher-channels-protocol-%d", version)} }
	dial(t, s, target{app: plain, query: "client=x", subprotocols: offer(7)}).established(t)
	// That it counts as 7 shows in a refusal: no error frame, which 5 gets.
	dial(t, s, target{app: unknown, query: "client=x", subprotocols: offer(7)}).
		expectClose(t, 4001, "Application does not exist")
	c := dial(t, s, target{app: unknown, query: "client=x", subprotocols: offer(5)})
	c.expectError(t, 4001, "Application does not exist")
	c.expectClose(t, 4001, "Application does not exist")
}

func versionForm(t *testing.T) {
	s := shared(t)
	longest := "1" + strings.Repeat("0", 62)
	for _, version := range []string{"", "&version=", "&version=3.1", "&version=0.0.0-dev", "&version=v8.0.0-beta.1", "&version=" + longest} {
		dial(t, s, target{app: plain, query: "protocol=7&client=js" + version}).established(t)
	}
	for _, version := range []string{"%20bad", "bad", "1%0a", "-1", "v", "1%20", "%ff", longest + "0"} {
		dial(t, s, target{app: plain, query: "protocol=7&client=js&version=" + version}).
			expectClose(t, 4006, "Invalid version string format")
	}
}

const onlyTLSText = "Application only accepts SSL connections, reconnect using wss://"

func onlyTLS(t *testing.T) {
	dial(t, shared(t), target{app: tlsOnly}).expectClose(t, 4000, onlyTLSText)
	cert := newCertificate(t)
	s := startServer(t, fmt.Sprintf("tls: {cert_file: %q, key_file: %q}\napps:\n%s",
		cert.certFile, cert.keyFile, appYAML(tlsOnly, "tls_only: true")))
	if !strings.HasPrefix(s.public, "https://") {
		t.Fatalf("ready line says public=%s", s.public)
	}
	s.http = cert.client()
	c := connect(t, s, tlsOnly)
	channel := unique("secure-")
	c.subscribe(t, channel)
	s.api(tlsOnly).trigger(t, channel, "e", "1")
	c.expectEvent(t, "e", channel, "1")
	c.leave(t)
}

func trustedProxy(t *testing.T) {
	s := startServer(t, "trusted_proxies: [127.0.0.0/8]\napps:\n"+appYAML(tlsOnly, "tls_only: true"))
	dial(t, s, target{app: tlsOnly, header: forwarded("https")}).established(t)
	dial(t, s, target{app: tlsOnly, header: forwarded("http")}).expectClose(t, 4000, onlyTLSText)
	dial(t, s, target{app: tlsOnly}).expectClose(t, 4000, onlyTLSText)
}

func untrustedProxy(t *testing.T) {
	dial(t, shared(t), target{app: tlsOnly, header: forwarded("https")}).expectClose(t, 4000, onlyTLSText)
}

func forwarded(proto string) http.Header {
	return http.Header{"X-Forwarded-Proto": {proto}, "X-Forwarded-For": {"192.0.2.1"}}
}

func connectionQuota(t *testing.T) {
	s := shared(t)
	first := connect(t, s, quotaTwo)
	connect(t, s, quotaTwo)
	dial(t, s, target{app: quotaTwo}).expectClose(t, 4004, "Application is over connection quota")
	first.leave(t)
	eventually(t, "a connection after one left", func() bool { return accepted(t, s, quotaTwo) })
}

// accepted dials and reports whether the connection was established; if so it
// stays open until the test ends.
func accepted(t *testing.T, s *server, a app) bool {
	t.Helper()
	c := dial(t, s, target{app: a})
	first := c.next(t, patience)
	return first.err == nil && decode(t, first.text).Event == "pusher:connection_established"
}

func processCapacity(t *testing.T) {
	s := onOneNode(t, "the limit is that of a process", "limits: {max_connections: 2}\napps:\n"+appYAML(plain)+appYAML(other))
	first := connect(t, s, plain)
	connect(t, s, other)
	dial(t, s, target{app: plain}).expectClose(t, 4100, "Over capacity")
	c := dial(t, s, target{app: plain, query: "protocol=5"})
	c.expectError(t, 4100, "Over capacity")
	c.expectClose(t, 4100, "Over capacity")
	first.leave(t)
	eventually(t, "a connection after one left", func() bool { return accepted(t, s, plain) })
}

func plainRequests(t *testing.T) {
	s := shared(t)
	if got := getPlain(t, s, "/nope"); got.status != http.StatusNotFound {
		t.Errorf("/nope: got %d %q, want 404", got.status, got.body)
	}
	got := getPlain(t, s, "/app/"+plain.key+"?protocol=7")
	if got.status != http.StatusUpgradeRequired || got.header.Get("Upgrade") != "websocket" ||
		!strings.HasPrefix(got.header.Get("Content-Type"), "text/plain") || got.body == "" {
		t.Errorf("/app/KEY: got %d %v %q, want 426 with Upgrade: websocket and a text", got.status, got.header, got.body)
	}
}

func getPlain(t *testing.T, s *server, path string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.public+path, nil)
	if err != nil {
		t.Fatalf("request: %v", err)
	}
	return s.roundTrip(t, r)
}

const subprotocolHeader = "Sec-Websocket-Protocol"

func subprotocolSelected(t *testing.T) {
	for _, offer := range [][]string{
		{"pusher-channels-protocol-7"},
		{"chat", "pusher-channels-protocol-7"},
		{"pusher-channels-protocol-4", "chat"},
	} {
		c := dial(t, shared(t), target{app: plain, subprotocols: offer}).established(t)
		got := c.response.Header.Get(subprotocolHeader)
		if !strings.HasPrefix(got, "pusher-channels-protocol-") || !strings.Contains(strings.Join(offer, " "), got) {
			t.Errorf("offered %v, selected %q", offer, got)
		}
	}
}

func subprotocolIgnored(t *testing.T) {
	for _, offer := range []string{"chat", "pusher-channels-protocol-3", "pusher-channels-protocol-8", "pusher-channels-protocol-"} {
		c := dial(t, shared(t), target{app: plain, subprotocols: []string{offer}}).established(t)
		if got := c.response.Header.Values(subprotocolHeader); len(got) != 0 {
			t.Errorf("offered %q, selected %q", offer, got)
		}
		c.expectNothing(t)
	}
}

func subprotocolAbsent(t *testing.T) {
	c := connect(t, shared(t), plain)
	if got := c.response.Header.Values(subprotocolHeader); len(got) != 0 {
		t.Errorf("selected %q", got)
	}
}

func anyOrigin(t *testing.T) {
	for _, origin := range []string{"https://shop.example", "http://localhost:3000", "null", "file://"} {
		dial(t, shared(t), target{app: plain, header: http.Header{"Origin": {origin}}}).established(t)
	}
}
