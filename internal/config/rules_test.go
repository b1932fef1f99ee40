package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestRules(t *testing.T) {
	keys := allKeys()
	for _, key := range keys {
		r, ok := rules[key]
		if !ok || !strings.HasSuffix(r.meaning, ".") {
			t.Errorf("the rule of %s is %+v, want one with a meaning", key, r)
		}
	}
	for key := range rules {
		if !slices.Contains(keys, key) {
			t.Errorf("there is a rule of %s, which is no key", key)
		}
	}
	for _, key := range flagged {
		if !slices.Contains(keys, key) {
			t.Errorf("there is a flag of %s, which is no key", key)
		}
	}
}

func TestDefaultsAreValid(t *testing.T) {
	c := Defaults()
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
	if warnings := c.Warnings(); len(warnings) > 0 {
		t.Errorf("warnings %v", warnings)
	}
}

// TestValidate checks a Config that no file made.
func TestValidate(t *testing.T) {
	c := Defaults()
	c.Listen = "somewhere"
	c.DrainWindow = 2 * time.Hour
	c.Apps = []App{DefaultApp()}
	want := []string{
		`listen: must be HOST:PORT, such as 127.0.0.1:6001 or [::1]:6001, not "somewhere"`,
		"drain_window: must be 0s to 1h, not 2h",
		"apps[0].id: is missing",
		"apps[0].keys: must have at least one key pair",
	}
	if got := lines(c.Validate()); !slices.Equal(got, want) {
		t.Errorf("faults:\n%s", strings.Join(got, "\n"))
	}
}

func TestListenAddresses(t *testing.T) {
	for _, address := range []string{
		"127.0.0.1:6001", ":0", "0.0.0.0:80", "[::]:65535", "[::1]:1", "[fe80::1%eth0]:6001", "localhost:6001", "node-1.example.com:6001", "node_1x:1",
	} {
		if wrong := checkListen(address); (wrong != "") != strings.Contains(address, "_") {
			t.Errorf("%s: %s", address, wrong)
		}
	}
	for _, address := range []string{"", ":", "6001", "127.0.0.1", "::1:6001", "1.2.3:80", "-a:80", "a b:80", "unix:/run/x.sock", "127.0.0.1:-1", "127.0.0.1:+1"} {
		if checkListen(address) == "" {
			t.Errorf("%q is taken", address)
		}
	}
}

func TestTokens(t *testing.T) {
	for _, token := range []string{"", "0123456789abcdef", "AZaz09-._~+/====", strings.Repeat("t", 200)} {
		if wrong := checkToken(token); wrong != "" {
			t.Errorf("%s %s", token, wrong)
		}
	}
	for _, token := range []string{"sesame", "0123456789abcde", "sesame sesame sesame", "sesame,sesame,sesame", "sesame\nsesame\nsesame", strings.Repeat("t", 201)} {
		if wrong := checkToken(token); wrong == "" || strings.Contains(wrong, "sesame") {
			t.Errorf("%q: %q", token, wrong)
		}
	}
}

func TestListenersOnOnePort(t *testing.T) {
	tests := []struct {
		listen, ops string
		allowed     bool
	}{
		{"127.0.0.1:6001", "127.0.0.1:6001", false},
		{"127.0.0.1:6001", ":6001", false},
		{":6001", "127.0.0.1:6001", false},
		{"127.0.0.1:6001", "127.0.0.2:6001", true},
		{"127.0.0.1:0", "127.0.0.1:0", true},
	}
	for _, tt := range tests {
		c := Defaults()
		c.Listen, c.Ops.Listen = tt.listen, tt.ops
		if err := c.Validate(); (err == nil) != tt.allowed {
			t.Errorf("listen %s, ops.listen %s: %v", tt.listen, tt.ops, err)
		}
	}
}

func TestWarnings(t *testing.T) {
	file := write(t, "c.yaml", `
listen: ":6001"
trusted_proxies: [0.0.0.0/0]
limits: {request_bytes: 2048}
apps:
  - {id: my-app, keys: [{key: k, secret: short}], max_event_bytes: 2049, webhooks: [{url: "https://a.example", events: [client_event, subscription_count]}]}
  - {id: 2, keys: [{key: k2, secret: 0123456789abcdef}], max_event_bytes: 2048, client_events: true, subscription_count: true, tls_only: true, webhooks: [{url: "https://a.example", events: [client_event, subscription_count]}]}
`)
	c, err := Load(LoadOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"apps[0].id: is not all digits, which several server libraries refuse",
		"apps[0].keys[0].secret: is short enough to be guessed; use 20 random characters or more",
		"apps[0].webhooks[0].events: lists client_event, but client_events is off for this app",
		"apps[0].webhooks[0].events: lists subscription_count, but subscription_count is off for this app",
		"apps[0].max_event_bytes: is more than limits.request_bytes lets through",
		"trusted_proxies[0]: is every address: any client can pretend to be another",
	}
	if got := c.Warnings(); !slices.Equal(got, want) {
		t.Errorf("warnings:\n%s", strings.Join(got, "\n"))
	}
	c.Apps[0].Webhooks[0].URL = "HTTP://a.example"
	c.Apps[0].Webhooks[0].Headers = []Header{{Name: "Authorization", Value: "v"}}
	c.Apps[0].Webhooks[0].Batching = true
	c.Webhooks.QueueBytes = c.Apps[0].Webhooks[0].BatchBytes - 1
	c.Apps[0].Webhooks[0].MaxInFlight, c.Webhooks.MaxInFlight = 34, 66
	c.Apps[1].Webhooks[0].URL = "http://127.0.0.1/"
	c.Apps[1].Webhooks[0].Headers = c.Apps[0].Webhooks[0].Headers
	if got := c.Warnings(); slices.ContainsFunc(got, func(w string) bool { return strings.HasPrefix(w, "apps[1].webhooks[0].headers") }) {
		t.Errorf("a warning of a receiver on this machine in\n%s", strings.Join(got, "\n"))
	}
	for _, want := range []string{
		"apps[0].webhooks[0].batch_bytes: is more than webhooks.queue_bytes lets wait",
		"apps[0].webhooks[0].max_in_flight: is more than the half of webhooks.max_in_flight that one receiver gets",
		"apps[0].webhooks[0].headers: are sent without TLS, for anybody on the way to read",
	} {
		if got := c.Warnings(); !slices.Contains(got, want) {
			t.Errorf("no warning %q in\n%s", want, strings.Join(got, "\n"))
		}
	}
	c.TrustedProxies = nil
	if got := c.Warnings(); !slices.Contains(got, "apps[1].tls_only: is on, but there is neither tls nor a trusted proxy that ends it: nobody can connect") {
		t.Errorf("warnings:\n%s", strings.Join(got, "\n"))
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"listen", "mount", "max_batch", "max_connections", "client_events"}
	for name, want := range map[string]string{
		"lisen": "listen", "Listen": "listen", "lsiten": "listen", "maxBatch": "max_batch", "max-batch": "max_batch",
		"max_conections": "max_connections", "clientEvent": "client_events", "xyz": "", "l": "", "": "", strings.Repeat("listen", 100): "",
	} {
		if got := nearest(name, candidates); got != want {
			t.Errorf("nearest(%q) = %q, want %q", name, got, want)
		}
	}
}
