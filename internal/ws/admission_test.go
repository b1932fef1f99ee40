package ws

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/ratelimit"
	"github.com/pipesocket/pipesocketd/internal/session"
)

// newHandler returns a handler with the app of key "k", changed by change.
func newHandler(t *testing.T, change func(*apps.App, *Options)) *Handler {
	t.Helper()
	app := apps.Defaults()
	app.ID, app.Keys = "1", auth.Keys{{Key: "k", Secret: "s"}}
	o := Options{MaxConnections: 100, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(&app, &o)
	}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	o.Registry = registry
	o.Session = session.Options{Hub: hub.New(hub.Options{Registry: registry}), Log: o.Log}
	h := New(o)
	t.Cleanup(h.Wait)
	return h
}

func upgrade(target string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestAdmission(t *testing.T) {
	tlsOnly := func(app *apps.App, o *Options) {
		app.TLSOnly = true
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")} // httptest's peer is 192.0.2.1
	}
	sites := func(app *apps.App, _ *Options) {
		app.AllowedOrigins = []string{"example.com", "*.example.org", "https://secure.example:8443"}
	}
	none := protocol.CloseError{}
	for _, c := range []struct {
		name    string
		change  func(*apps.App, *Options)
		request *http.Request
		version int
		refusal protocol.CloseError
	}{
		{"P-022 the first row decides", nil, upgrade("/app/nope?protocol=3&version=%20"), 0, protocol.CloseUnsupportedVersion},
		{"P-022 a malformed version before an unknown key", nil, upgrade("/app/nope?protocol=7&version=%20"), 7, protocol.CloseInvalidVersion},
		{"P-022 a bad path before everything", nil, upgrade("/nope?protocol=3"), 0, protocol.ClosePathNotFound},
		{"P-003 trailing slash", nil, upgrade("/app/k/?protocol=7"), 7, none},
		{"percent-encoded key", nil, upgrade("/app/%6b?protocol=7"), 7, none},
		{"a slash inside the key", nil, upgrade("/app/k/x?protocol=7"), 7, protocol.ClosePathNotFound},
		{"an encoded slash in the key", nil, upgrade("/app/k%2Fx?protocol=7"), 7, protocol.CloseUnknownApp},
		{"no key", nil, upgrade("/app/?protocol=7"), 7, protocol.ClosePathNotFound},
		{"P-009 protocol is not a number", nil, upgrade("/app/k?protocol=abc"), 0, protocol.CloseUnsupportedVersion},
		{"P-009 protocol is a number and more", nil, upgrade("/app/k?protocol=7;x=1"), 0, protocol.CloseUnsupportedVersion},
		{"P-009 protocol with a sign", nil, upgrade("/app/k?protocol=%2B7"), 0, protocol.CloseUnsupportedVersion},
		{"P-009 protocol with a leading zero", nil, upgrade("/app/k?protocol=07"), 0, protocol.CloseUnsupportedVersion},
		{"P-013 a version with a broken escape", nil, upgrade("/app/k?protocol=7&version=%zz"), 7, protocol.CloseInvalidVersion},
		{"P-010 no protocol", nil, upgrade("/app/k"), 0, protocol.CloseNoVersion},
		{"P-011 pusher-js 1.12 names none", nil, upgrade("/app/k?client=js&version=1.12.7"), 5, none},
		{"pusher-js 1.11.2 names none", nil, upgrade("/app/k?client=js&version=1.11.2"), 5, none},
		{"pusher-js 1.11.1 names none", nil, upgrade("/app/k?client=js&version=1.11.1"), 4, none},
		{"pusher-js 1.10 names none", nil, upgrade("/app/k?client=js&version=1.10.0"), 0, protocol.CloseNoVersion},
		{"a default supplies the version", func(_ *apps.App, o *Options) { o.DefaultProtocol = 6 }, upgrade("/app/k"), 6, none},
		{"P-012 the sub-protocol supplies the version", nil, upgrade("/app/k", "Sec-WebSocket-Protocol", "x, pusher-channels-protocol-7"), 7, none},
		{"the query wins over the sub-protocol", nil, upgrade("/app/k?protocol=5", "Sec-WebSocket-Protocol", "pusher-channels-protocol-7"), 5, none},
		{"a sub-protocol that is not served counts for nothing", nil, upgrade("/app/k", "Sec-WebSocket-Protocol", "pusher-channels-protocol-9"), 0, protocol.CloseNoVersion},
		{"P-013 two components", nil, upgrade("/app/k?protocol=5&version=3.1"), 5, none},
		{"P-013 a development version", nil, upgrade("/app/k?protocol=5&version=0.0.0-dev"), 5, none},
		{"P-016 tls_only over plain", tlsOnly, upgrade("/app/k?protocol=7"), 7, protocol.CloseTLSOnly},
		{"P-016 tls_only behind a trusted proxy", tlsOnly, upgrade("/app/k?protocol=7", "X-Forwarded-Proto", "https"), 7, none},
		{"tls_only behind two proxies", tlsOnly, upgrade("/app/k?protocol=7", "X-Forwarded-Proto", "https, http"), 7, none},
		{
			"P-017 tls_only and an untrusted peer that says https",
			func(app *apps.App, _ *Options) { app.TLSOnly = true },
			upgrade("/app/k?protocol=7", "X-Forwarded-Proto", "https"), 7, protocol.CloseTLSOnly,
		},
		{"P-015 a disabled app", func(app *apps.App, _ *Options) { app.Enabled = false }, upgrade("/app/k?protocol=7"), 7, protocol.CloseAppDisabled},
		{"P-004 under the mount", func(_ *apps.App, o *Options) { o.Mount = "/m" }, upgrade("/m/app/k?protocol=7"), 7, none},
		{"P-004 outside the mount", func(_ *apps.App, o *Options) { o.Mount = "/m" }, upgrade("/app/k?protocol=7"), 7, protocol.ClosePathNotFound},
		{"P-019 the process is full", func(_ *apps.App, o *Options) { o.MaxConnections = -1 }, upgrade("/app/k?protocol=7"), 7, protocol.CloseOverCapacity},
		{"P-032 any origin by default", nil, upgrade("/app/k?protocol=7", "Origin", "https://anything.example"), 7, none},
		{"an origin of the list", sites, upgrade("/app/k?protocol=7", "Origin", "http://EXAMPLE.com"), 7, none},
		{"an origin by pattern", sites, upgrade("/app/k?protocol=7", "Origin", "https://a.example.org"), 7, none},
		{"an origin with scheme and port", sites, upgrade("/app/k?protocol=7", "Origin", "https://secure.example:8443"), 7, none},
		{"an origin with another scheme", sites, upgrade("/app/k?protocol=7", "Origin", "http://secure.example:8443"), 7, closeOrigin},
		{"an origin not of the list", sites, upgrade("/app/k?protocol=7", "Origin", "https://example.com.evil"), 7, closeOrigin},
		{"an opaque origin", sites, upgrade("/app/k?protocol=7", "Origin", "null"), 7, closeOrigin},
		{"no origin, so no page", sites, upgrade("/app/k?protocol=7"), 7, none},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newHandler(t, c.change).admit(c.request)
			got := none
			if a.refusal != nil {
				got = *a.refusal
			}
			if got != c.refusal || a.version != c.version {
				t.Errorf("refusal %v, version %d; want %v, %d", got, a.version, c.refusal, c.version)
			}
		})
	}
}

func TestConnectionRatePerAddress(t *testing.T) {
	limited := func(_ *apps.App, o *Options) {
		o.ConnectionRate = ratelimit.PerSecond(1, 2)
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}
		o.ExemptAddresses = []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")}
	}
	from := func(forwarded string) *http.Request {
		return upgrade("/app/k?protocol=7", "X-Forwarded-For", forwarded)
	}
	h := newHandler(t, limited)
	admitted := func(r *http.Request) bool { return h.admit(r).refusal == nil }
	for i, want := range []bool{true, true, false} {
		if got := admitted(from("198.51.100.1")); got != want {
			t.Errorf("connection %d is admitted: %v, want %v", i+1, got, want)
		}
	}
	if !admitted(from("198.51.100.2")) {
		t.Error("another client is refused too")
	}
	if admitted(from("198.51.100.77, 198.51.100.1")) {
		t.Error("an address that the client itself put in front is believed")
	}
	for range 5 {
		if !admitted(from("203.0.113.9")) {
			t.Error("an exempt address is refused")
		}
	}
	refused := h.admit(from("198.51.100.1")).refusal
	if refused == nil || *refused != protocol.CloseOverCapacity {
		t.Errorf("refused with %v, want 4100", refused)
	}
}

func TestClientAddr(t *testing.T) {
	h := newHandler(t, func(_ *apps.App, o *Options) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("10.0.0.0/8")}
	})
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.1:99", "", "192.0.2.1"},
		{"192.0.2.1:99", "198.51.100.7", "198.51.100.7"},
		{"192.0.2.1:99", "1.1.1.1, 198.51.100.7, 10.1.1.1", "198.51.100.7"},
		{"192.0.2.1:99", "garbage", "192.0.2.1"},
		{"192.0.2.1:99", "198.51.100.7, garbage", "192.0.2.1"},
		{"198.51.100.1:99", "1.1.1.1", "198.51.100.1"},
		{"[::ffff:198.51.100.1]:99", "1.1.1.1", "198.51.100.1"},
		{"[2001:db8::1%eth0]:99", "", "2001:db8::1"},
		{"@", "1.1.1.1", "invalid IP"},
	} {
		r := upgrade("/", "X-Forwarded-For", c.forwarded)
		r.RemoteAddr = c.peer
		if got := h.clientAddr(r).String(); got != c.want {
			t.Errorf("peer %s forwarding %q: client is %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func FuzzAdmission(f *testing.F) {
	f.Add("/app/k?protocol=7&client=js&version=8.4.0&flash=false", "pusher-channels-protocol-7", "https://a.example")
	f.Add("/app/%zz?protocol=%20", ",,", "null")
	f.Fuzz(func(t *testing.T, target, subprotocol, origin string) {
		r := upgrade("/", "Sec-WebSocket-Protocol", subprotocol, "Origin", origin)
		u, err := r.URL.Parse(target)
		if err != nil {
			return
		}
		r.URL = u
		h := newHandler(t, func(app *apps.App, _ *Options) { app.AllowedOrigins = []string{"[a-", "*.example"} })
		a := h.admit(r)
		if a.refusal == nil && (a.app == nil || a.version < protocol.MinVersion || a.version > protocol.MaxVersion) {
			t.Errorf("admitted with app %v and version %d", a.app, a.version)
		}
	})
}
