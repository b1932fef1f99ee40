package config

import (
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestLoadEveryKey(t *testing.T) {
	var loaded []*Config
	for _, name := range []string{"everything.yaml", "everything.toml", "everything.json"} {
		t.Run(name+" sets every key", func(t *testing.T) {
			file := withCertificates(t, "testdata/good/"+name)
			c, origins, err := LoadWithOrigins(LoadOptions{File: file})
			if err != nil {
				t.Fatal(err)
			}
			defaults := make(map[string]any)
			for _, l := range leaves(sample()) {
				defaults[l.key] = l.value.Interface()
			}
			for _, l := range leaves(c) {
				if l.path == "apps[0].keys[1].created" {
					continue // left out on purpose
				}
				if reflect.DeepEqual(l.value.Interface(), defaults[l.key]) {
					t.Errorf("%s is at its default, %v", l.path, l.value)
				}
				if origins[l.path] != file {
					t.Errorf("%s comes from %q, want %q", l.path, origins[l.path], file)
				}
			}
			c.TLS, c.Webhooks.CAFile, c.Cluster.TLS = TLS{}, "", ClusterTLS{} // in a directory of its own each time
			c.Webhooks.ClientCertFile, c.Webhooks.ClientKeyFile = "", ""
			loaded = append(loaded, c)
		})
	}
	t.Run("all formats give the same", func(t *testing.T) {
		for _, c := range loaded {
			if !reflect.DeepEqual(c, loaded[0]) {
				t.Errorf("%+v\nis not\n%+v", c, loaded[0])
			}
		}
	})
	t.Run("values are those of the file", func(t *testing.T) {
		c := loaded[0]
		checks := map[string]bool{
			"drain_window":    c.DrainWindow == 90*time.Second,
			"grace_delay":     c.Webhooks.GraceDelay == 0,
			"trusted_proxies": slices.Equal(c.TrustedProxies, prefixes("10.0.0.0/8", "192.0.2.7/32", "fd00::/64")),
			"allow_addresses": slices.Equal(c.Webhooks.AllowAddresses, prefixes("192.0.2.8/32")),
			"id":              c.Apps[0].ID == "1002",
			"secret":          string(c.Apps[0].Keys[1].Secret) == "s-2",
			"created":         c.Apps[0].Keys[0].Created.Equal(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)),
			"max_batch":       c.Apps[0].MaxBatch == 17,
			"glob":            c.Apps[0].Webhooks[0].ChannelGlob == "private-*-?-x",
			"header":          c.Apps[0].Webhooks[0].Headers[0] == Header{"X-Receiver-Token", "sesame 1"},
			"batch_wait":      c.Apps[0].Webhooks[0].BatchWait == 28*time.Millisecond,
			"token":           c.Ops.Token == "sesame-0123456789",
			"max_age":         c.Apps[0].History.MaxAge == 31*time.Hour,
			"events":          slices.Equal(c.Apps[0].Webhooks[0].Events, WebhookEvents()),
		}
		for name, ok := range checks {
			if !ok {
				t.Errorf("%s is not as written: %+v", name, c)
			}
		}
	})
}

func prefixes(texts ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range texts {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestLoadNothing(t *testing.T) {
	c, origins, err := LoadWithOrigins(LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, l := range leaves(c) {
		want := leaves(Defaults())[i]
		if scalarOrEmpty(l) != scalarOrEmpty(want) {
			t.Errorf("%s = %v, want %v", l.path, l.value, want.value)
		}
	}
	if len(origins) != 0 {
		t.Errorf("origins %v of nothing", origins)
	}
}

func scalarOrEmpty(l leaf) string {
	if isTableList(l.value.Type()) {
		return strings.Repeat("app ", l.value.Len())
	}
	return scalar(l.value)
}

func TestLoadAppDefaults(t *testing.T) {
	c, err := Load(LoadOptions{File: write(t, "c.yaml", "apps: [{id: 1, keys: [{key: a, secret: b}], enabled: null}]\n")})
	if err != nil {
		t.Fatal(err)
	}
	want := DefaultApp()
	want.ID, want.Keys = "1", []Key{{Key: "a", Secret: "b"}}
	got := c.Apps[0]
	got.AllowedOrigins, got.Webhooks = nil, nil // empty or nil, both are none
	if !reflect.DeepEqual(got, want) {
		t.Errorf("app %+v\nwant %+v", got, want)
	}
}

func TestPrecedence(t *testing.T) {
	file := write(t, "c.yaml", "log: {level: warn, format: text}\ndrain_window: 1s\nlimits: {exempt_addresses: [10.0.0.0/8]}\n")
	tests := []struct {
		name    string
		file    string
		environ []string
		args    []string
		level   string
		origin  string
	}{
		{"the default is last", "", nil, nil, "info", ""},
		{"a file goes before it", file, nil, nil, "warn", file},
		{"a variable goes before the file", file, []string{"PIPESOCKETD_LOG_LEVEL=error"}, nil, "error", "PIPESOCKETD_LOG_LEVEL"},
		{"a flag goes before the variable", file, []string{"PIPESOCKETD_LOG_LEVEL=error"}, []string{"--log-level=debug"}, "debug", "--log-level"},
		{"a flag set to the default counts too", file, nil, []string{"--log-level=info"}, "info", "--log-level"},
		{"an empty variable is not set", file, []string{"PIPESOCKETD_LOG_LEVEL="}, nil, "warn", file},
		{"the last of two variables counts", "", []string{"PIPESOCKETD_LOG_LEVEL=error", "PIPESOCKETD_LOG_LEVEL=debug"}, nil, "debug", "PIPESOCKETD_LOG_LEVEL"},
		{"PIPESOCKETD_CONFIG names the file", "", []string{"PIPESOCKETD_CONFIG=" + file}, nil, "warn", file},
		{"--config goes before PIPESOCKETD_CONFIG", "", []string{"PIPESOCKETD_CONFIG=none.yaml"}, []string{"--config", file}, "warn", file},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			flags := flagSet(t, tt.args...)
			c, origins, err := LoadWithOrigins(LoadOptions{File: tt.file, Environ: tt.environ, Flags: flags})
			if err != nil {
				t.Fatal(err)
			}
			if c.Log.Level != tt.level || origins["log.level"] != tt.origin {
				t.Errorf("log.level %q from %q, want %q from %q", c.Log.Level, origins["log.level"], tt.level, tt.origin)
			}
			if origin := origins["log.format"]; origin != "" && c.Log.Format != "text" {
				t.Errorf("log.format %q from %q was lost beside log.level", c.Log.Format, origin)
			}
		})
	}
	t.Run("lists are replaced, not joined", func(t *testing.T) {
		c, err := Load(LoadOptions{File: file, Environ: []string{"PIPESOCKETD_TRUSTED_PROXIES=10.1.2.3 , fd00::/8"}, Flags: flagSet(t, "--trusted-proxies=192.0.2.1", "--trusted-proxies=192.0.2.2")})
		if err != nil {
			t.Fatal(err)
		}
		if want := prefixes("192.0.2.1/32", "192.0.2.2/32"); !slices.Equal(c.TrustedProxies, want) {
			t.Errorf("trusted_proxies %v, want %v", c.TrustedProxies, want)
		}
		if want := prefixes("10.0.0.0/8"); !slices.Equal(c.Limits.ExemptAddresses, want) {
			t.Errorf("limits.exempt_addresses %v, want %v", c.Limits.ExemptAddresses, want)
		}
	})
	t.Run("variables of the process do not count", func(t *testing.T) {
		t.Setenv("PIPESOCKETD_LOG_LEVEL", "error")
		c, err := Load(LoadOptions{})
		if err != nil || c.Log.Level != "info" {
			t.Errorf("Load = %+v, %v", c, err)
		}
	})
}

func flagSet(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func TestEveryFlag(t *testing.T) {
	values := map[string]string{
		"listen": "127.0.0.1:1", "mount": "/m", "tls.cert_file": "", "tls.key_file": "", "ops.listen": "127.0.0.1:2",
		"ops.pprof": "true", "drain_window": "3s", "development": "true", "trusted_proxies": "[10.0.0.0/8]",
		"log.level": "debug", "log.format": "json", "webhooks.allow_addresses": `["::1/128"]`,
	}
	file := withCertificates(t, "testdata/good/everything.yaml")
	dir := file[:strings.LastIndexByte(file, '/')]
	values["tls.cert_file"], values["tls.key_file"] = dir+"/cert.pem", dir+"/key.pem"
	var args []string
	for _, key := range flagged {
		if values[key] == "" {
			t.Fatalf("no value to test --%s with", flagName(key))
		}
		args = append(args, "--"+flagName(key)+"="+strings.Trim(values[key], `["]`))
	}
	c, origins, err := LoadWithOrigins(LoadOptions{Flags: flagSet(t, args...)})
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range leaves(c) {
		if want, ok := values[l.key]; ok && (scalar(l.value) != want || origins[l.key] != "--"+flagName(l.key)) {
			t.Errorf("%s = %s from %q, want %s", l.key, scalar(l.value), origins[l.key], want)
		}
	}
}

func TestFlagFaults(t *testing.T) {
	_, err := Load(LoadOptions{Flags: flagSet(t, "--drain-window=5", "--mount=x", "--webhooks-allow-addresses=all")})
	want := []string{
		"drain_window (--drain-window): must be a duration such as 30s or 1m30s, not the bare number 5: it lacks a unit",
		`webhooks.allow_addresses (--webhooks-allow-addresses): must list addresses or CIDR prefixes such as 10.0.0.0/8, not "all"`,
		`mount (--mount): must begin with /, not "x"`,
	}
	if got := lines(err); !slices.Equal(got, want) {
		t.Errorf("faults:\n%s", strings.Join(got, "\n"))
	}
}

func lines(err error) []string {
	if err == nil {
		return nil
	}
	return strings.Split(err.Error(), "\n")
}

func TestLoadIsRepeatable(t *testing.T) {
	file := write(t, "c.yaml", "log: {level: warn}\napps: [{id: 1, keys: [{key: a, secret: b}]}]\n")
	first, err := Load(LoadOptions{File: file, Environ: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			again, err := Load(LoadOptions{File: file})
			if err != nil || !reflect.DeepEqual(again, first) {
				t.Errorf("another Load = %+v, %v", again, err)
			}
		})
	}
	wg.Wait()
	if err := os.WriteFile(file, []byte("log: {level: error}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	later, err := Load(LoadOptions{File: file})
	if err != nil || later.Log.Level != "error" || len(later.Apps) != 0 {
		t.Errorf("after a change Load = %+v, %v", later, err)
	}
}
