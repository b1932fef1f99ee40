package config

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

func TestResolveApps(t *testing.T) {
	// Who may be given the well-known credentials depends on the host alone.
	hosts := map[string]CredentialKind{
		"127.0.0.1:6001":          Development,
		"127.8.9.10:0":            Development,
		"[::1]:6001":              Development,
		"[::ffff:127.0.0.1]:6001": Development,
		"localhost:6001":          Development,
		"LOCALHOST:6001":          Development,
		":6001":                   Generated,
		"0.0.0.0:6001":            Generated,
		"[::]:6001":               Generated,
		"[::ffff:0.0.0.0]:6001":   Generated,
		"192.168.1.2:6001":        Generated,
		"128.0.0.1:6001":          Generated,
		"localhost.example:6001":  Generated,
		"example.com:6001":        Generated,
		"nonsense":                Generated,
	}
	for listen, kind := range hosts {
		t.Run(listen+" gets "+kind.String()+" credentials", func(t *testing.T) {
			c := Defaults()
			c.Listen = listen
			served, credentials, err := ResolveApps(c, rand.Reader)
			if err != nil || len(served) != 1 {
				t.Fatalf("ResolveApps = %v, %v", served, err)
			}
			app := served[0]
			wellKnown := app.Keys[0] == auth.Key{Key: "app-key", Secret: "app-secret"}
			if credentials.Kind != kind || app.ID != "1001" || !app.Enabled || wellKnown != (kind == Development) || app.ClientEvents != (kind == Development) || credentials.Explain != (kind == Development) {
				t.Errorf("app %+v, credentials %+v", app, credentials)
			}
			if credentials.AppID != app.ID || credentials.Key != app.Keys[0].Key || credentials.Secret != app.Keys[0].Secret {
				t.Errorf("credentials %+v are not those of the app", credentials)
			}
		})
	}

	t.Run("generated credentials are the random bytes in hex", func(t *testing.T) {
		c := Defaults()
		c.Listen = ":6001"
		_, credentials, err := ResolveApps(c, bytes.NewReader(bytes.Repeat([]byte{0xab, 0x01}, 13)))
		if err != nil || credentials.Key != strings.Repeat("ab01", 5) || string(credentials.Secret) != strings.Repeat("ab01", 8) {
			t.Errorf("credentials %+v, %v", credentials, err)
		}
	})
	t.Run("generated credentials differ each time and look like hosted ones", func(t *testing.T) {
		c := Defaults()
		c.Listen = ":6001"
		seen := make(map[string]bool)
		for range 100 {
			_, credentials, err := ResolveApps(c, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			if !regexp.MustCompile(`^[0-9a-f]{20}$`).MatchString(credentials.Key) || !regexp.MustCompile(`^[0-9a-f]{20,}$`).MatchString(string(credentials.Secret)) {
				t.Fatalf("key %q, secret %q", credentials.Key, string(credentials.Secret))
			}
			seen[credentials.Key], seen[string(credentials.Secret)] = true, true
		}
		if len(seen) != 200 {
			t.Errorf("%d different values of 200", len(seen))
		}
	})
	t.Run("a source of randomness that fails is an error", func(t *testing.T) {
		c := Defaults()
		c.Listen = ":6001"
		for _, random := range []io.Reader{iotest.ErrReader(errors.ErrUnsupported), io.LimitReader(rand.Reader, 15)} {
			if served, _, err := ResolveApps(c, random); err == nil || served != nil {
				t.Errorf("ResolveApps = %v, %v", served, err)
			}
		}
	})
	t.Run("configured apps are served as they are, on any listener", func(t *testing.T) {
		for _, listen := range []string{"127.0.0.1:6001", ":6001"} {
			c := Defaults()
			c.Listen, c.Development = listen, true
			app := DefaultApp()
			app.ID, app.Keys = "7", []Key{{Key: "k", Secret: "s"}}
			c.Apps = []App{app, app}
			served, credentials, err := ResolveApps(c, iotest.ErrReader(errors.ErrUnsupported))
			if err != nil || len(served) != 2 || credentials != (Credentials{Kind: Configured, AppID: "7", Key: "k", Secret: "s", Explain: true}) {
				t.Errorf("ResolveApps = %v, %+v, %v", served, credentials, err)
			}
		}
	})
}

func TestWellKnownCredentialsBesideLoopback(t *testing.T) {
	for listen, allowed := range map[string]bool{"127.0.0.1:6001": true, "localhost:6001": true, "0.0.0.0:6001": false, ":6001": false, "10.0.0.1:6001": false} {
		c := Defaults()
		c.Listen = listen
		app := DefaultApp()
		app.ID, app.Keys = "1001", []Key{{Key: "other", Secret: "fine"}, {Key: DevelopmentKey, Secret: DevelopmentSecret}}
		c.Apps = []App{app}
		err := c.Validate()
		if (err == nil) != allowed || err != nil && !strings.HasPrefix(err.Error(), "apps[0].keys[1].secret: is well known") {
			t.Errorf("on %s: %v", listen, err)
		}
	}
}
