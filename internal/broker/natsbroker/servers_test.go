package natsbroker

import (
	"crypto/tls"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestCredentials(t *testing.T) {
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := user.Seed()
	public, _ := user.PublicKey()
	seedFile := filepath.Join(t.TempDir(), "node.nk")
	if err := os.WriteFile(seedFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		server      func(*server.Options)
		right, keen string // what comes before and after host:port
		wrong       string
	}{
		{"user and password", func(o *server.Options) { o.Username, o.Password = "node", "s3cr3t/@" }, "nats://node:s3cr3t%2F%40@", "", "nats://node:guessed@"},
		{"token", func(o *server.Options) { o.Authorization = "s3cr3t" }, "nats://s3cr3t@", "", "nats://guessed@"},
		{"nkey", func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, "nats://", "?nkey_file=" + seedFile, "nats://guessed@"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startServer(t, test.server)
			var log testkit.LogCapture
			n := started(t, Options{URL: test.right + s.Addr().String() + test.keen, Log: log.Logger()})
			n.do(sub(room("a")), pub(room("a"), "x"))
			n.want("x")
			refused := run(t, Options{URL: test.wrong + s.Addr().String(), Log: log.Logger()})
			testkit.WaitFor(t, func() bool { return len(log.Find("cannot connect to NATS")) > 0 }, "a refusal")
			if len(refused.up) > 0 {
				t.Error("it went up with wrong credentials")
			}
			n.stop()
			refused.stop()
			for _, secret := range []string{"s3cr3t", "guessed", string(seed)} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log holds %q:\n%s", secret, &log)
				}
			}
		})
	}
}

func TestURLs(t *testing.T) {
	t.Run("accepts", func(t *testing.T) {
		for url, want := range map[string][]string{
			"nats://a":                              {"nats://a:4222"},
			"nats://a:1,nats://b":                   {"nats://a:1", "nats://b:4222"},
			"tls://u:p@a:1, tls://b:2/":             {"tls://a:1", "tls://b:2"},
			"nats://u:p@[::1]:1,nats://u:p@b":       {"nats://[::1]:1", "nats://b:4222"},
			"nats://a?creds_file=/etc/node.creds":   {"nats://a:4222"},
			"nats://a:1?creds_file=x,nats://token@": nil,
		} {
			s, err := parseServers(url)
			if (err == nil) != (want != nil) || !slices.Equal(s.urls, want) {
				t.Errorf("%s: got %q and %v, want %q", url, s.urls, err, want)
			}
		}
	})
	t.Run("refuses without quoting", func(t *testing.T) {
		for _, url := range []string{
			"", "nats://", "a:4222", "http://u:hush@a", "nats://u:hu%sh@a", "nats://u:hush@a:port", "nats://u:hush@a/path",
			"nats://u:hush@a#x", "nats://u:hush@a,nats://u:other-hush@b", "nats://u:hush@a?tls=hush", "nats://hush@a?creds_file=x",
			"nats://a?nkey_file=/none", "nats:u:hush@a", "nats://u:hush@a,", "nats://a?creds_file=x,nats://b?creds_file=y", "nats://a?%zz",
		} {
			_, err := New(Options{URL: url, Prefix: "p"})
			if err == nil {
				t.Errorf("%s: accepted", url)
			} else if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error quotes the password: %v", err)
			}
		}
	})
	t.Run("prefixes", func(t *testing.T) {
		for prefix, want := range map[string]bool{
			"pipesocket": true, "a.b-c_D.9": true, "": false, ".": false, "a.": false, ".a": false, "a..b": false,
			"a b": false, "*": false, "a.>": false, "$SYS": false, "ü": false, strings.Repeat("a", 201): false,
		} {
			if _, err := New(Options{URL: "nats://a", Prefix: prefix}); (err == nil) != want {
				t.Errorf("prefix %q: %v", prefix, err)
			}
		}
	})
}

func TestTLS(t *testing.T) {
	authority, stranger := testkit.NewAuthority(t, "ours"), testkit.NewAuthority(t, "theirs")
	until := time.Now().Add(time.Hour)
	s, _ := startServer(t, func(o *server.Options) {
		o.TLS = true
		o.TLSConfig = &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{authority.Issue("server", until)},
			ClientCAs:    authority.Pool(),
			ClientAuth:   tls.RequireAndVerifyClientCert,
		}
	})
	plain, _ := startServer(t, nil)
	client := func(roots, own *testkit.Authority) *tls.Config {
		c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots.Pool()}
		if own != nil {
			c.Certificates = []tls.Certificate{own.Issue("node", until)}
		}
		return c
	}
	for _, test := range []struct {
		name string
		url  string
		tls  *tls.Config
		want bool
	}{
		{"right on both sides", "tls://" + s.Addr().String(), client(authority, authority), true},
		{"the scheme says nats, the configuration TLS", "nats://" + s.Addr().String(), client(authority, authority), true},
		{"a server of another authority", "tls://" + s.Addr().String(), client(stranger, authority), false},
		{"a node of another authority", "tls://" + s.Addr().String(), client(authority, stranger), false},
		{"a node without certificate", "tls://" + s.Addr().String(), client(authority, nil), false},
		{"a server without TLS, configured", "nats://" + plain.Addr().String(), client(authority, authority), false},
		{"a server without TLS, by scheme", "tls://" + plain.Addr().String(), nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log testkit.LogCapture
			n := run(t, Options{URL: test.url, TLS: test.tls, Log: log.Logger()})
			if test.want {
				await(t, n.up, "the link to go up")
				n.do(sub(room("a")), pub(room("a"), "x"))
				n.want("x")
				return
			}
			testkit.WaitFor(t, func() bool { return len(log.Find("cannot connect to NATS")) > 0 }, "a refusal")
			if len(n.up) > 0 {
				t.Error("it went up")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	s, _ := startServer(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "node", Password: "p", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Deny: []string{"test.ch.1.mute"}},
			Subscribe: &server.SubjectPermission{Deny: []string{"test.ch.1.deaf"}},
		}}}
	})
	n := started(t, Options{URL: "nats://node:p@" + s.Addr().String()})
	for i, c := range []broker.Command{pub(room("mute"), "x"), sub(room("deaf"))} {
		if err := n.try(c); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("command %d: %v, want a refusal", i, err)
		}
		if reason := await(t, n.down, "the end of a link that does less than it should"); !errors.Is(reason, nats.ErrPermissionViolation) {
			t.Errorf("down because of %v", reason)
		}
		await(t, n.up, "a new link")
	}
}
