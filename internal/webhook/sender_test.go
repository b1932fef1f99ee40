package webhook

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// connectingSender returns a sender that really connects, to loopback addresses.
func connectingSender(t *testing.T, o Options) *sender {
	t.Helper()
	o.Allow = loopback
	o = o.withDefaults()
	s := newSender(o)
	t.Cleanup(s.closeIdle)
	return s
}

func samplePayload(url string) *Payload {
	return seal(laneKey{app: "1", url: url}, auth.Key{Key: testKey, Secret: testSecret},
		1327078148132, []byte(`{"name":"channel_occupied","channel":"my-channel"}`), 1)
}

// rawReceiver listens on loopback and lets serve answer each connection, after
// the whole request was read. It returns the URL and the bytes of requests.
func rawReceiver(t *testing.T, serve func(net.Conn)) (url string, requests <-chan []byte) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte, 16)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			var raw bytes.Buffer
			req, err := http.ReadRequest(bufio.NewReader(io.TeeReader(conn, &raw)))
			if err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				got <- raw.Bytes()
				serve(conn)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return "http://" + listener.Addr().String() + "/in", got
}

func answering(text string) func(net.Conn) {
	return func(conn net.Conn) { _, _ = io.WriteString(conn, text) }
}

// untilClosed writes without end, or just waits, until the other side has closed.
func untilClosed(conn net.Conn, chunk string) {
	for chunk != "" {
		if _, err := io.WriteString(conn, chunk); err != nil {
			return
		}
	}
	_, _ = conn.Read(make([]byte, 1))
}

// P-224: the request byte for byte. Content-Length is set and nothing is
// compressed.
func TestRequestOnTheWire(t *testing.T) {
	url, requests := rawReceiver(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	p := samplePayload(url)
	a := connectingSender(t, Options{UserAgent: "pipesocketd/1.2"}).post(t.Context(), p)
	if a.outcome != Delivered {
		t.Fatalf("ended %s: %v", a.outcome, a.err)
	}
	want := "POST /in HTTP/1.1\r\n" +
		"Host: " + strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/in") + "\r\n" +
		"User-Agent: pipesocketd/1.2\r\n" +
		"Content-Length: 87\r\n" +
		"Content-Type: application/json\r\n" +
		"X-Pipesocket-Delivery: 0-eefa9112\r\n" +
		"X-Pusher-Key: 278d425bdf160c739803\r\n" +
		"X-Pusher-Signature: c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf\r\n" +
		"\r\n" + `{"time_ms":1327078148132,"events":[{"name":"channel_occupied","channel":"my-channel"}]}`
	if got := string(<-requests); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// P-240, P-243: what receivers do, and how the attempt ends.
func TestOutcomes(t *testing.T) {
	var elsewhere atomic.Int32
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(trap.Close)
	redirect := func(status string) string {
		return "HTTP/1.1 " + status + "\r\nLocation: " + trap.URL + "\r\nContent-Length: 0\r\n\r\n"
	}
	for name, c := range map[string]struct {
		serve func(net.Conn)
		want  Outcome
	}{
		"200":                     {answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), Delivered},
		"204":                     {answering("HTTP/1.1 204 No Content\r\n\r\n"), Delivered},
		"299 with an odd body":    {answering("HTTP/1.1 299 Fine\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{{{"), Delivered},
		"old HTTP":                {answering("HTTP/1.0 200 OK\r\n\r\n"), Delivered},
		"100 and then 200":        {answering("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Delivered},
		"200 cut off in the body": {answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok"), Delivered},
		"200 with garbled chunks": {answering("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), Delivered},
		"200 with an endless body": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
			untilClosed(c, strings.Repeat("x", 4096))
		}, Delivered},
		"200 with a body that stops": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")
			untilClosed(c, "")
		}, Delivered},
		"101": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
			untilClosed(c, "")
		}, Status1xx},
		"301":               {answering(redirect("301 Moved Permanently")), Status3xx},
		"302":               {answering(redirect("302 Found")), Status3xx},
		"307":               {answering(redirect("307 Temporary Redirect")), Status3xx},
		"308":               {answering(redirect("308 Permanent Redirect")), Status3xx},
		"redirect nowhere":  {answering("HTTP/1.1 302 Found\r\nLocation: ://\r\nContent-Length: 0\r\n\r\n"), Status3xx},
		"400":               {answering("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), Status4xx},
		"500":               {answering("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), Status5xx},
		"status 000":        {answering("HTTP/1.1 000 Zero\r\nContent-Length: 0\r\n\r\n"), StatusOther},
		"status 999":        {answering("HTTP/1.1 999 Nines\r\nContent-Length: 0\r\n\r\n"), StatusOther},
		"closes at once":    {func(net.Conn) {}, Broken},
		"bad status line":   {answering("HTTP/1.1 2x0 Huh\r\n\r\n"), Broken},
		"not HTTP":          {answering("220 mail.example ESMTP\r\n"), Broken},
		"closes in headers": {answering("HTTP/1.1 200 OK\r\nContent-Le"), Broken},
		"endless headers": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			untilClosed(c, "X-More: "+strings.Repeat("x", 4096)+"\r\n")
		}, Broken},
		"never answers": {func(c net.Conn) { untilClosed(c, "") }, TimedOut},
		"stops in headers": {func(c net.Conn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			untilClosed(c, "")
		}, TimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			url, _ := rawReceiver(t, c.serve)
			a := connectingSender(t, Options{Timeout: 300 * time.Millisecond}).post(t.Context(), samplePayload(url))
			if a.outcome != c.want {
				t.Errorf("ended %s with status %d: %v, want %s", a.outcome, a.status, a.err, c.want)
			}
			if (a.err == nil) != (a.status != 0 || c.want == StatusOther) {
				t.Errorf("status %d and error %v", a.status, a.err)
			}
			if a.took > 3*time.Second {
				t.Errorf("took %v", a.took)
			}
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

func TestRefusedConnection(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if a := connectingSender(t, Options{}).post(t.Context(), samplePayload(url)); a.outcome != NotConnected {
		t.Errorf("ended %s: %v, want %s", a.outcome, a.err, NotConnected)
	}
}

func TestTLSIsVerified(t *testing.T) {
	var got atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { got.Add(1) }))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	known := x509.NewCertPool()
	known.AddCert(server.Certificate())
	for name, c := range map[string]struct {
		roots *x509.CertPool
		want  Outcome
	}{
		"unknown issuer": {nil, NotConnected},
		"known issuer":   {known, Delivered},
	} {
		t.Run(name, func(t *testing.T) {
			before := got.Load()
			a := connectingSender(t, Options{Trust: Trust{RootCAs: c.roots}}).post(t.Context(), samplePayload(server.URL))
			if a.outcome != c.want {
				t.Errorf("ended %s: %v, want %s", a.outcome, a.err, c.want)
			}
			if (got.Load() > before) != (c.want == Delivered) {
				t.Error("the receiver's handler disagrees")
			}
		})
	}
}

func TestConnectionsAreKept(t *testing.T) {
	var conns atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", drainBytes))
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s := connectingSender(t, Options{})
	for range 5 {
		if a := s.post(t.Context(), samplePayload(server.URL)); a.outcome != Delivered {
			t.Fatalf("ended %s: %v", a.outcome, a.err)
		}
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("5 attempts took %d connections, want 1", n)
	}
}

// Many deliveries at once over HTTP/2 share a connection, which serves those that
// come later too.
func TestConnectionsAreShared(t *testing.T) {
	const n = 500
	var conns atomic.Int32
	versions := make(chan int, n+1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		versions <- req.ProtoMajor
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	known := x509.NewCertPool()
	known.AddCert(server.Certificate())

	app := newApp("1", apps.Endpoint{URL: server.URL})
	d := start(t, Options{Allow: loopback, Trust: Trust{RootCAs: known}})
	emitOnNewChannels(d, app, 0, 1) // those that start together would all connect
	awaitHTTP2(t, versions, 1)
	emitOnNewChannels(d, app, 1, n)
	awaitHTTP2(t, versions, n)
	if err := d.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if got := conns.Load(); got != 1 || len(versions) > 0 {
		t.Errorf("%d deliveries took %d connections, want one; %d requests too many", n+1, got, len(versions))
	}
}

func awaitHTTP2(t *testing.T, versions <-chan int, n int) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for i := range n {
		select {
		case version := <-versions:
			if version != 2 {
				t.Fatalf("request %d came over HTTP/%d", i, version)
			}
		case <-deadline:
			t.Fatalf("got %d requests, want %d", i, n)
		}
	}
}

// The time for an attempt is for all of it: the name, the connection, TLS, the
// request, the answer's head and its body.
func TestTimeoutIsForTheWholeAttempt(t *testing.T) {
	const timeout = 200 * time.Millisecond
	silent, requests := rawReceiver(t, func(c net.Conn) { untilClosed(c, "") })
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, in the kernel, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	asked := make(chan struct{}, 16)
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	for name, c := range map[string]struct {
		url  string
		want Outcome
	}{
		"name":          {"http://slow.example/", TimedOut},
		"TLS handshake": {"https://" + listener.Addr().String(), TimedOut},
		"answer":        {silent, TimedOut},
	} {
		t.Run(name, func(t *testing.T) {
			a := connectingSender(t, Options{Timeout: timeout, Resolver: resolver}).post(t.Context(), samplePayload(c.url))
			if a.outcome != c.want || a.took < timeout || a.took > 10*timeout {
				t.Errorf("ended %s after %v: %v, want %s after %v", a.outcome, a.took, a.err, c.want, timeout)
			}
		})
	}
	if len(asked) == 0 || len(requests) == 0 {
		t.Error("a phase was not reached")
	}
}

// The function that reads the environment does so once per process, so a request
// cannot show this; a transport asks no proxy if it has no such function.
func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	if newTransport(Options{}.withDefaults()).Proxy != nil {
		t.Error("a proxy would be asked to connect, past the guard")
	}
}

func TestCredentialsOfTheURL(t *testing.T) {
	url, requests := rawReceiver(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	url = strings.Replace(url, "http://", "http://user:pass@", 1) + "?token=t#fragment"
	connectingSender(t, Options{}).post(t.Context(), samplePayload(url))
	got := string(<-requests)
	if !strings.HasPrefix(got, "POST /in?token=t HTTP/1.1\r\n") || !strings.Contains(got, "\r\nAuthorization: Basic dXNlcjpwYXNz\r\n") {
		t.Errorf("got\n%s", got)
	}
}

func TestErrorsTellNoSecrets(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := listener.Addr().String()
	_ = listener.Close()
	for _, url := range []string{
		"http://user:hunter2@" + closed + "/?token=hunter2", // refused
		"http://user:hunter2@10.0.0.1/?token=hunter2",       // not allowed
		"http://user:hunter2@host:port/?token=hunter2",      // not a URL
	} {
		a := connectingSender(t, Options{}).post(t.Context(), samplePayload(url))
		if a.err == nil || strings.Contains(a.err.Error(), "hunter2") || strings.Contains(a.err.Error(), string(testSecret)) {
			t.Errorf("%s: error %v", url, a.err)
		}
	}
}

func TestAbortedAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url, _ := rawReceiver(t, func(c net.Conn) {
		cancel()
		untilClosed(c, "")
	})
	if a := connectingSender(t, Options{}).post(ctx, samplePayload(url)); a.outcome != Aborted {
		t.Errorf("ended %s: %v, want %s", a.outcome, a.err, Aborted)
	}
}
