package daemon

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// hooked gives the configuration an app whose receiver nobody is.
func hooked(c *config.Config) {
	app := config.DefaultApp()
	app.ID = "1"
	app.Keys = []config.Key{{Key: "key", Secret: auth.Secret("a-secret-of-some-length")}}
	app.ClientEvents = true
	app.Webhooks = []config.Webhook{{URL: "http://127.0.0.1:9/", Events: []string{"channel_occupied"}}}
	c.Apps = []config.App{app}
}

func TestWithoutADataDirectory(t *testing.T) {
	const line = "webhooks are kept in memory only: a crash loses those that wait (data_dir is not set)"
	const detail = `{"status":"ready","details":["webhooks are kept in memory only (data_dir is not set)"]}`
	for name, c := range map[string]struct {
		change func(*config.Config)
		lines  int
		ready  string
	}{
		"with a receiver":    {hooked, 1, detail},
		"without a receiver": {func(*config.Config) {}, 0, `{"status":"ready"}`},
	} {
		t.Run(name, func(t *testing.T) {
			log := &testkit.LogCapture{}
			s := run(t, func(o *Options) { c.change(o.Config); o.Log = log.Logger() })
			if got := len(log.Find(line)); got != c.lines {
				t.Errorf("the log says %d times that nothing is kept, want %d", got, c.lines)
			}
			if status, body := s.get(s.ops, "/ready"); status != http.StatusOK || strings.TrimSpace(body) != c.ready {
				t.Errorf("/ready answers %d %s", status, body)
			}
		})
	}
}

// What cannot be delivered before a stop is there after the next start.
func TestDataDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "data")
	log := &testkit.LogCapture{}
	change := func(o *Options) {
		hooked(o.Config)
		o.Config.DataDir, o.Log = dir, log.Logger()
		o.Config.Webhooks.GraceDelay = time.Minute
		o.Config.DrainWindow = 0
	}
	s := run(t, change)
	conn := s.dial("/app/key?protocol=7&client=js&version=8.4.0&flash=false")
	receive(t, conn)
	send(t, conn, `{"event":"pusher:subscribe","data":{"channel":"my-channel"}}`)
	receive(t, conn)
	if status, body := s.get(s.ops, "/ready"); status != http.StatusOK || strings.TrimSpace(body) != `{"status":"ready"}` {
		t.Errorf("/ready answers %d %s", status, body)
	}
	s.stop()
	if err := <-s.done; err != nil {
		t.Fatal(err)
	}
	s.done <- nil
	if found := log.Find("webhooks wait for the next start"); len(found) != 1 || found[0].Attrs["events"] != "1" {
		t.Errorf("the log says %v of what waits", found)
	}
	s = run(t, change)
	if _, body := s.get(s.ops, "/metrics"); !strings.Contains(body, `pipesocketd_webhook_queue_payloads{app="1"} 1`) {
		t.Error("nothing waits after the next start")
	}
	for name, mode := range map[string]os.FileMode{".": 0o700, "webhooks.db": 0o600, "pipesocketd.lock": 0o600} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v, want %v", name, info, err, mode)
		}
	}
}

// The settings of delivery reach the dispatcher.
func TestWebhookOptions(t *testing.T) {
	o := options(nil)
	o.Config.Webhooks.MaxInFlight, o.Config.Webhooks.Timeout, o.Config.Webhooks.QueueBytes = 7, time.Minute, 4321
	d := &daemon{o: o}
	if got := d.webhookOptions(webhook.Trust{}); got.MaxInFlight != 7 || got.Timeout != time.Minute || got.QueueBytes != 4321 {
		t.Errorf("options %+v", got)
	}
}

func TestPossibleConnections(t *testing.T) {
	for _, c := range []struct{ descriptors, webhooks, want int }{
		{20_000, 256, 19_488}, {20_000, 4096, 15_648}, {1024, 256, 512}, {1024, 4096, 512},
	} {
		if got := possibleConnections(c.descriptors, c.webhooks); got != c.want {
			t.Errorf("%d of %d descriptors beside %d webhooks in flight, want %d", got, c.descriptors, c.webhooks, c.want)
		}
	}
}

func TestUnusableDataDirectories(t *testing.T) {
	dir := t.TempDir()
	run(t, func(o *Options) { o.Config.DataDir = dir })
	notDir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "webhooks.db"), []byte(strings.Repeat("text ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ dir, want string }{
		"of another process": {dir, "another process uses it"},
		"a file":             {notDir, "make data_dir"},
		"with another file":  {foreign, "not a database"},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(nil)
			o.Config.DataDir = c.dir
			if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.dir) {
				t.Errorf("error %v", err)
			}
		})
	}
}
