package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/config"
)

// An api answers like the HTTP API and keeps what it was asked.
type api struct {
	*httptest.Server
	pair auth.Key
	path string
	body event
}

func newAPI(t *testing.T, pair auth.Key) *api {
	t.Helper()
	a := &api{pair: pair}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		request := auth.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: auth.ParseQuery(r.URL.RawQuery), Body: raw}
		if err := request.Verify(auth.Keys{a.pair}, time.Now()); err != nil {
			http.Error(w, "Invalid signature", http.StatusUnauthorized)
			return
		}
		a.path = r.URL.Path
		if r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(raw, &a.body) != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		_, _ = w.Write([]byte(`{"channels":{}}`))
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *api) address() string { return strings.TrimPrefix(a.URL, "http://") }

func TestTrigger(t *testing.T) {
	development := auth.Key{Key: "app-key", Secret: "app-secret"}
	own := auth.Key{Key: "own-key", Secret: "own-secret"}
	configured := "apps:\n  - {id: 1, keys: [{key: first, secret: first-secret}]}\n  - {id: 2, keys: [{key: own-key, secret: own-secret}]}\n"
	tests := []struct {
		name  string
		pair  auth.Key
		env   func(a *api) []string
		file  string // ADDRESS in it is the server's
		args  func(a *api) []string
		stdin string
		path  string
		body  event
	}{
		{
			name: "the development app of a server that was told nothing",
			pair: development,
			env:  func(a *api) []string { return []string{"PIPESOCKETD_LISTEN=" + a.address()} },
			path: "/apps/1001/events",
			body: event{Name: "my-event", Channels: []string{"my-channel"}, Data: `{"hello":"world"}`},
		},
		{
			name: "everything by flags",
			pair: own,
			env:  func(*api) []string { return []string{"PIPESOCKETD_UNKNOWN=not even read"} },
			args: func(a *api) []string {
				return []string{
					"--url", a.URL + "/mount/", "--app-id", "7", "--key", "own-key", "--secret", "own-secret", "--channel", "a,b", "--channel", "private-c",
					"--event", "e", "--data", "<&>", "--socket-id", "1.2", "--info", "user_count",
				}
			},
			path: "/mount/apps/7/events",
			body: event{Name: "e", Channels: []string{"a,b", "private-c"}, Data: "<&>", SocketID: "1.2", Info: "user_count"},
		},
		{
			name: "the app of the environment",
			pair: own,
			env: func(a *api) []string {
				return []string{"PIPESOCKETD_LISTEN=" + a.address(), "PIPESOCKETD_MOUNT=/m", "PIPESOCKETD_APP_ID=7", "PIPESOCKETD_APP_KEY=own-key", "PIPESOCKETD_APP_SECRET=own-secret"}
			},
			path: "/m/apps/7/events",
			body: event{Name: "my-event", Channels: []string{"my-channel"}, Data: `{"hello":"world"}`},
		},
		{
			name:  "the first app of a file, data from standard input",
			pair:  auth.Key{Key: "first", Secret: "first-secret"},
			file:  "listen: ADDRESS\n" + configured,
			args:  func(*api) []string { return []string{"--data=-"} },
			stdin: "line\n",
			path:  "/apps/1/events",
			body:  event{Name: "my-event", Channels: []string{"my-channel"}, Data: "line\n"},
		},
		{
			name: "another app of a file",
			pair: own,
			file: configured,
			args: func(a *api) []string { return []string{"--url", a.URL, "--app-id=2"} },
			path: "/apps/2/events",
			body: event{Name: "my-event", Channels: []string{"my-channel"}, Data: `{"hello":"world"}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newAPI(t, tt.pair)
			var environ []string
			if tt.env != nil {
				environ = tt.env(a)
			}
			args := []string{"trigger"}
			if tt.args != nil {
				args = append(args, tt.args(a)...)
			}
			if tt.file != "" {
				args = append(args, "--config", file(t, "c.yaml", strings.ReplaceAll(tt.file, "ADDRESS", a.address())))
			}
			got := command(t, environ, tt.stdin, args...)
			if got != (result{0, "{\"channels\":{}}\n", ""}) {
				t.Fatalf("%+v", got)
			}
			if a.path != tt.path || !reflect.DeepEqual(a.body, tt.body) {
				t.Errorf("published %+v at %s, want %+v at %s", a.body, a.path, tt.body, tt.path)
			}
		})
	}
}

func TestTriggerFailures(t *testing.T) {
	a := newAPI(t, auth.Key{Key: "app-key", Secret: "another"})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	moved := httptest.NewServer(http.RedirectHandler(a.URL, http.StatusFound))
	defer moved.Close()
	tests := []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"the server refuses", []string{"--url", a.URL}, 1, "not published: the server answered 401 Unauthorized: Invalid signature"},
		{"the server redirects", []string{"--url", moved.URL}, 1, "not published: the server answered 302 Found"},
		{"nothing listens", []string{"--url", "http://u:sesame@" + closed.Addr().String()}, 1, "nothing listens at http://u:xxxxx@" + closed.Addr().String() + ": is the server running"},
		{"no URL", []string{"--url", "127.0.0.1:6001"}, 1, "--url must be an http or https URL with a host"},
		{"key without secret", []string{"--key", "k"}, 2, "--key and --secret are given together"},
		{"secret without key", []string{"--secret", "sesame"}, 2, "--key and --secret are given together"},
		{"unknown app", []string{"--app-id", "7"}, 2, `app "7" is not configured here: give --key and --secret`},
		{"unknown app of a file", []string{"--app-id", "7", "--config", file(t, "c.yaml", "apps: [{id: 1, keys: [{key: a, secret: sesame}]}]")}, 2, `app "7" is not configured here: give --key and --secret`},
		{"free port", []string{"--config", file(t, "c.yaml", "listen: 127.0.0.1:0")}, 2, "the configured port is 0"},
		{"too much data", []string{"--data=-"}, 2, "the data on standard input is more than 1 MiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, nil, strings.Repeat("x", maxAnswer+1), append([]string{"trigger"}, tt.args...)...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) || strings.Contains(got.stderr, "sesame") {
				t.Errorf("%+v, want exit code %d and %q", got, tt.code, tt.stderr)
			}
		})
	}
	t.Run("no answer in time", func(t *testing.T) {
		done := make(chan struct{})
		silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
		defer silent.Close()
		defer close(done)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		hurried := trigger{target: target{url: silent.URL, appID: "1", key: "k", secret: "s"}}
		if _, err := hurried.send(ctx); err == nil || err.Error() != "no answer from "+silent.URL+" within 10s" {
			t.Errorf("error %v", err)
		}
	})
}

func TestHealthcheck(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/ready" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte("draining\n"))
	}))
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	ways := map[string]func() result{
		"by --url": func() result {
			return command(t, []string{"PIPESOCKETD_X=1"}, "", "healthcheck", "--url", server.URL+"/")
		},
		"by --ops-listen": func() result { return command(t, nil, "", "healthcheck", "--ops-listen", address) },
		"by the configuration": func() result {
			return command(t, []string{"PIPESOCKETD_OPS_LISTEN=" + address}, "", "healthcheck", "--timeout=1m")
		},
	}
	for name, check := range ways {
		t.Run(name, func(t *testing.T) {
			status = http.StatusOK
			if got := check(); got != (result{0, "draining\n", ""}) {
				t.Errorf("ready: %+v", got)
			}
			status = http.StatusServiceUnavailable
			if got := check(); got != (result{1, "", "pipesocketd: not ready: the server answered 503 Service Unavailable: draining\n"}) {
				t.Errorf("not ready: %+v", got)
			}
		})
	}
	t.Run("nothing listens", func(t *testing.T) {
		closed, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = closed.Close()
		if got := command(t, nil, "", "healthcheck", "--url", "http://"+closed.Addr().String()); got.code != 1 || !strings.Contains(got.stderr, "connection refused") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a free port has no address", func(t *testing.T) {
		if got := command(t, nil, "", "healthcheck", "--ops-listen", "127.0.0.1:0"); got.code != 1 || !strings.Contains(got.stderr, "the configured port is 0") {
			t.Errorf("%+v", got)
		}
	})
}

func TestPublicURL(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:6001": "http://127.0.0.1:6001/m", ":6001": "http://127.0.0.1:6001/m", "0.0.0.0:80": "http://127.0.0.1:80/m",
		"[::]:6001": "http://[::1]:6001/m", "[fd00::1]:6001": "http://[fd00::1]:6001/m", "example.com:6001": "http://example.com:6001/m",
	} {
		c := &config.Config{Listen: listen, Mount: "/m"}
		if got, err := publicURL(c); err != nil || got != want {
			t.Errorf("publicURL for %s = %s, %v; want %s", listen, got, err, want)
		}
	}
	c := &config.Config{Listen: "127.0.0.1:443", TLS: config.TLS{CertFile: "c", KeyFile: "k"}}
	if got, err := publicURL(c); err != nil || got != "https://127.0.0.1:443" {
		t.Errorf("with TLS: %s, %v", got, err)
	}
}
