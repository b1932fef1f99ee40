package daemon

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// The two packages may not import one another, so this is where they are kept
// in step.
func TestWebhookEventsOfConfigAreTheNoticesOfTheHub(t *testing.T) {
	var notices []string
	for _, n := range hub.NoticeNames {
		notices = append(notices, string(n))
	}
	configured := slices.Clone(config.WebhookEvents())
	slices.Sort(notices)
	slices.Sort(configured)
	if !slices.Equal(notices, configured) {
		t.Errorf("config knows %q, the hub %q", configured, notices)
	}
}

func withApp(c *config.Config, key string) *config.Config {
	app := config.DefaultApp()
	app.ID = "7"
	app.Keys = []config.Key{{Key: key, Secret: "0123456789abcdef"}}
	c.Apps = []config.App{app}
	return c
}

func TestReload(t *testing.T) {
	var next atomic.Pointer[func() (*config.Config, error)]
	logs := &testkit.LogCapture{}
	s := run(t, func(o *Options) {
		o.Log = logs.Logger()
		withApp(o.Config, "first")
		o.Reload = func() (*config.Config, error) { return (*next.Load())() }
	})
	connect := func(key string) int {
		conn := s.dial("/app/" + key + "?protocol=7")
		_, _, err := conn.Read(t.Context())
		_ = conn.CloseNow()
		return int(websocket.CloseStatus(err))
	}
	reload := func(want string, outcome func() (*config.Config, error)) {
		t.Helper()
		before := len(logs.Records())
		next.Store(&outcome)
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		testkit.WaitFor(t, func() bool {
			return slices.ContainsFunc(logs.Records()[before:], func(r testkit.LogRecord) bool { return r.Message == want })
		}, want)
	}
	const failed = "reload failed, the old configuration stays"

	reload(failed, func() (*config.Config, error) { return nil, errors.New("cannot read it") })
	reload(failed, func() (*config.Config, error) { return config.Defaults(), nil })
	if code := connect("first"); code != -1 {
		t.Errorf("after failed reloads the old key is closed with %d", code)
	}
	stays := s.dial("/app/first?protocol=7")
	receive(t, stays)
	reload("reloaded apps and certificate", func() (*config.Config, error) {
		return withApp(config.Defaults(), "second"), nil
	})
	if code := connect("first"); code != 4001 { // P-083 for connecting
		t.Errorf("after the reload the old key is closed with %d, want 4001", code)
	}
	if code := connect("second"); code != -1 {
		t.Errorf("after the reload the new key is closed with %d", code)
	}
	send(t, stays, `{"event":"pusher:ping","data":{}}`)
	if m := receive(t, stays); m.Event != "pusher:pong" {
		t.Errorf("the connection from before got %+v", m)
	}
	reload("reloaded apps and certificate", func() (*config.Config, error) {
		c := withApp(config.Defaults(), "second")
		c.Apps[0].Enabled = false
		return c, nil
	})
	if _, _, err := stays.Read(t.Context()); websocket.CloseStatus(err) != 4003 {
		t.Errorf("a connection of a disabled app ended with %v, want 4003", err)
	}
}

func TestReadiness(t *testing.T) {
	s := run(t, func(o *Options) { o.Config.Limits.MaxConnections = 1 })
	conn := s.dial("/app/app-key?protocol=7")
	receive(t, conn)
	if status, body := s.get(s.public, "/ready"); status != http.StatusServiceUnavailable || strings.Contains(body, "limit") {
		t.Errorf("a full server says %d %q in public, want 503 without a reason", status, body)
	}
	if status, body := s.get(s.ops, "/ready"); status != http.StatusServiceUnavailable || !strings.Contains(body, "limits.max_connections") {
		t.Errorf("a full server says %d %q to the operator, want 503 and the setting", status, body)
	}
	if status, _ := s.get(s.public, "/live"); status != http.StatusOK {
		t.Errorf("a full server is not live: %d", status)
	}
	refused := s.dial("/app/app-key?protocol=7")
	if _, _, err := refused.Read(t.Context()); websocket.CloseStatus(err) != 4100 { // P-019
		t.Errorf("the connection over the limit ended with %v, want 4100", err)
	}
}

func TestStartFailures(t *testing.T) {
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for name, change := range map[string]func(*config.Config){
		"open listen":      func(c *config.Config) { c.Listen = taken.Addr().String() },
		"open ops.listen":  func(c *config.Config) { c.Ops.Listen = taken.Addr().String() },
		"webhooks.ca_file": func(c *config.Config) { c.Webhooks.CAFile = "none" },
		"webhooks.client_cert_file": func(c *config.Config) {
			c.Webhooks.ClientCertFile, c.Webhooks.ClientKeyFile = "none", "none"
		},
		"tls.cert_file": func(c *config.Config) { c.TLS = config.TLS{CertFile: "none", KeyFile: "none"} },
	} {
		t.Run(name, func(t *testing.T) {
			err := Run(t.Context(), options(change))
			if err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("Run: %v, want an error about %s", err, name)
			}
		})
	}
}

func TestForceCutsTheStopShort(t *testing.T) {
	force := make(chan struct{})
	s := run(t, func(o *Options) { o.Force = force })
	conn := s.dial("/app/app-key?protocol=7") // never reads, so never answers the close frame
	receive(t, conn)
	close(force)
	s.stop()
	if err := <-s.done; err != nil {
		t.Errorf("Run: %v", err)
	}
	s.done <- nil
}

func TestGettingStarted(t *testing.T) {
	s := run(t, func(o *Options) { o.Config.Listen, o.Config.Mount = "0.0.0.0:0", "/rt" })
	text := s.out.String()
	if strings.Contains(text, "app-key") || strings.Contains(text, "app-secret") {
		t.Error("well-known credentials on a public address")
	}
	if !strings.Contains(text, `wsPath: "/rt"`) || !strings.Contains(text, "localhost") {
		t.Errorf("the snippet does not fit mount and address:\n%s", text)
	}
	var id, key, secret string
	for line := range strings.SplitSeq(text, "\n") {
		fields := strings.Fields(strings.ReplaceAll(line, ",", ""))
		if len(fields) == 7 && fields[0] == "app" {
			id, key, secret = fields[2], fields[4], fields[6]
		}
	}
	if id != "1001" || len(key) != 20 || len(secret) < 20 {
		t.Errorf("credentials printed: %q %q, secret of %d characters", id, key, len(secret))
	}
	if again := auth.Secret(secret).String(); again != "<secret>" {
		t.Errorf("a secret prints as %q", again)
	}
}
