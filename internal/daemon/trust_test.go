package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// guestbook is a webhook receiver that demands a client certificate and tells
// whose came.
func guestbook(t *testing.T, pair tls.Certificate, clients *x509.CertPool) (url string, guests <-chan string) {
	t.Helper()
	came := make(chan string, 16)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		came <- r.TLS.PeerCertificates[0].Subject.CommonName + " " + r.Header.Get("X-Receiver-Token") + " " + r.Header.Get("X-Pusher-Key")
	}))
	server.TLS = &tls.Config{
		Certificates: []tls.Certificate{pair}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, came
}

// A receiver with a private authority that demands a client certificate: the
// files are read again by a reload, and the endpoint's settings change with it.
func TestReloadOfWebhookTrust(t *testing.T) {
	dir := t.TempDir()
	authority := testkit.NewAuthority(t, "private")
	soon := time.Now().Add(time.Hour)
	url, guests := guestbook(t, authority.Issue("receiver", soon), authority.Pool())
	files := config.Webhooks{
		CAFile: filepath.Join(dir, "ca.pem"), ClientCertFile: filepath.Join(dir, "cert.pem"), ClientKeyFile: filepath.Join(dir, "key.pem"),
	}
	writeClient := func(name string) {
		cert, key := testkit.PairPEM(t, authority.Issue(name, soon))
		writeFile(t, files.ClientCertFile, cert)
		writeFile(t, files.ClientKeyFile, key)
	}
	writeFile(t, files.CAFile, authority.PEM())
	writeClient("first")

	configure := func(c *config.Config, header auth.Secret, signing, opsToken string) *config.Config {
		hooks := c.Webhooks
		hooks.AllowAddresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
		hooks.GraceDelay, hooks.CAFile, hooks.ClientCertFile, hooks.ClientKeyFile = 0, files.CAFile, files.ClientCertFile, files.ClientKeyFile
		c = withApp(c, "older")
		c.Webhooks, c.Ops.Token = hooks, auth.Secret(opsToken)
		c.Apps[0].Keys = append(c.Apps[0].Keys, config.Key{Key: "newer", Secret: "0123456789abcdef"})
		hook := config.DefaultWebhook()
		hook.URL, hook.Events, hook.ChannelGlob = url, []string{"channel_occupied"}, "room-*"
		hook.Headers = []config.Header{{Name: "X-Receiver-Token", Value: header}}
		hook.SigningKey = signing
		c.Apps[0].Webhooks = []config.Webhook{hook}
		return c
	}
	logs := &testkit.LogCapture{}
	s := run(t, func(o *Options) {
		o.Log = logs.Logger()
		o.Config = configure(o.Config, "one", "", "0123456789abcdef")
		o.Reload = func() (*config.Config, error) {
			return configure(config.Defaults(), "two", "newer", "fedcba9876543210"), nil
		}
	})
	conn := s.dial("/app/older?protocol=7")
	receive(t, conn)
	occupy := func(channel, want string) {
		t.Helper()
		send(t, conn, `{"event":"pusher:subscribe","data":{"auth":"","channel":"`+channel+`"}}`)
		receive(t, conn)
		select {
		case got := <-guests:
			if got != want {
				t.Errorf("%s: %q came, want %q", channel, got, want)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: nobody came", channel)
		}
	}
	send(t, conn, `{"event":"pusher:subscribe","data":{"auth":"","channel":"elsewhere"}}`)
	receive(t, conn)
	occupy("room-1", "first one older")
	if status := s.api("0123456789abcdef"); status != http.StatusNotFound {
		t.Errorf("the token is answered with %d", status)
	}

	reload := func(want string) {
		t.Helper()
		before := len(logs.Records())
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		testkit.WaitFor(t, func() bool {
			return slices.ContainsFunc(logs.Records()[before:], func(r testkit.LogRecord) bool { return r.Message == want })
		}, want)
	}
	writeClient("second")
	writeFile(t, files.CAFile, []byte("no certificate"))
	reload("reload failed, the old configuration stays")
	occupy("room-2", "first one older")

	writeFile(t, files.CAFile, authority.PEM())
	reload("reloaded apps and certificate")
	occupy("room-3", "second two newer")
	if old, current := s.api("0123456789abcdef"), s.api("fedcba9876543210"); old != http.StatusUnauthorized || current != http.StatusNotFound {
		t.Errorf("after the reload the old token is answered with %d, the new one with %d", old, current)
	}
	for _, record := range logs.Records() {
		for name, value := range record.Attrs {
			if strings.Contains(value, "0123456789abcdef") || strings.Contains(value, "fedcba9876543210") {
				t.Errorf("the log tells a secret in %s: %s", name, value)
			}
		}
	}
}

// api asks for something below /api/ that is not there.
func (s *server) api(token string) int {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, "http://"+s.ops+"/api/none", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}
