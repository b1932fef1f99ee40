package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestVariableNames(t *testing.T) {
	byName := map[string]string{envFile: "the file"}
	for _, s := range Settings() {
		if s.Env == "" {
			continue
		}
		if other := byName[s.Env]; other != "" {
			t.Errorf("%s is the variable of both %s and %s", s.Env, other, s.Key)
		}
		byName[s.Env] = s.Key
		if serviceLink(s.Env, "x") {
			t.Errorf("%s of %s looks like a variable that Kubernetes makes", s.Env, s.Key)
		}
	}
	for name, key := range map[string]string{
		"PIPESOCKETD_LISTEN":                   "listen",
		"PIPESOCKETD_OPS_LISTEN":               "ops.listen",
		"PIPESOCKETD_DRAIN_WINDOW":             "drain_window",
		"PIPESOCKETD_WEBHOOKS_ALLOW_ADDRESSES": "webhooks.allow_addresses",
		"PIPESOCKETD_APP_ID":                   "apps[].id",
		"PIPESOCKETD_APP_KEY":                  "apps[].keys[].key",
		"PIPESOCKETD_APP_SECRET":               "apps[].keys[].secret",
		"PIPESOCKETD_APP_CLIENT_EVENTS":        "apps[].client_events",
		"PIPESOCKETD_APP_MAX_CONNECTIONS":      "apps[].max_connections",
	} {
		if byName[name] != key {
			t.Errorf("%s sets %q, want %q", name, byName[name], key)
		}
	}
}

// TestEveryVariable sets every key that has a variable, to a value that is not
// its default.
func TestEveryVariable(t *testing.T) {
	file := withCertificates(t, "testdata/good/everything.yaml")
	want, err := Load(LoadOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	want.Apps[0].Webhooks = nil
	want.Apps[0].Keys = []Key{{Key: "k-1", Secret: "s-1"}}
	var environ []string
	for _, l := range leaves(want) {
		name := envName(l.key)
		if name == "" {
			continue
		}
		value := scalar(l.value)
		switch {
		case l.value.Type() == typeSecret:
			value = l.value.String()
			if value == "<secret>" {
				value = "s-1"
			}
		case l.value.Kind() == reflect.Slice:
			value = strings.ReplaceAll(strings.Trim(value, "[]"), `"`, "")
			if value == "" {
				value = "," // the empty list
			}
		default:
			value = strings.Trim(value, `"`)
		}
		environ = append(environ, name+"="+value)
	}
	got, origins, err := LoadWithOrigins(LoadOptions{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	wantLeaves := leaves(want)
	for i, l := range leaves(got) {
		if w := wantLeaves[i]; envName(l.key) != "" && scalar(l.value) != scalar(w.value) {
			t.Errorf("%s = %s, want %s", l.path, scalar(l.value), scalar(w.value))
		}
		if name := envName(l.key); origins[l.path] != name {
			t.Errorf("%s comes from %q, want %q", l.path, origins[l.path], name)
		}
	}
	if got.Apps[0].Keys[0].Secret != "s-1" {
		t.Error("the secret is another one")
	}
}

func TestVariableFaults(t *testing.T) {
	tests := []struct {
		name    string
		environ []string
		want    []string
	}{
		{"unknown with a near one", []string{"PIPESOCKETD_LISTN=x"}, []string{"PIPESOCKETD_LISTN: is an unknown variable, did you mean PIPESOCKETD_LISTEN?"}},
		{"unknown app variable", []string{"PIPESOCKETD_APP_CLIENTEVENTS=true"}, []string{"PIPESOCKETD_APP_CLIENTEVENTS: is an unknown variable, did you mean PIPESOCKETD_APP_CLIENT_EVENTS?"}},
		{"double underscore", []string{"PIPESOCKETD_OPS__LISTEN=:1"}, []string{"PIPESOCKETD_OPS__LISTEN: is an unknown variable, did you mean PIPESOCKETD_OPS_LISTEN?"}},
		{"unknown but empty", []string{"PIPESOCKETD_XYZZY="}, nil},
		{"another prefix", []string{"PIPESOCKETDX=1", "PIPESOCKET_LISTEN=1", "pipesocketd_listen=1"}, nil},
		{"variables of Kubernetes", []string{
			"PIPESOCKETD_SERVICE_HOST=10.0.0.1", "PIPESOCKETD_SERVICE_PORT=6001", "PIPESOCKETD_SERVICE_PORT_HTTP=6001",
			"PIPESOCKETD_PORT=tcp://10.0.0.1:6001", "PIPESOCKETD_PORT_6001_TCP=tcp://10.0.0.1:6001", "PIPESOCKETD_PORT_6001_TCP_PROTO=tcp",
			"PIPESOCKETD_PORT_6001_TCP_PORT=6001", "PIPESOCKETD_PORT_6001_TCP_ADDR=10.0.0.1", "PIPESOCKETD_OPS_PORT=tcp://10.0.0.2:9601",
			"PIPESOCKETD_OPS_SERVICE_HOST=10.0.0.2",
		}, nil},
		{"duration without a unit", []string{"PIPESOCKETD_DRAIN_WINDOW=10"}, []string{"drain_window (PIPESOCKETD_DRAIN_WINDOW): must be a duration such as 30s or 1m30s, not the bare number 10: it lacks a unit"}},
		{"not a number", []string{"PIPESOCKETD_LIMITS_MESSAGE_BYTES=64k"}, []string{`limits.message_bytes (PIPESOCKETD_LIMITS_MESSAGE_BYTES): must be a whole number, not "64k"`}},
		{"not a switch", []string{"PIPESOCKETD_DEVELOPMENT=yes"}, []string{`development (PIPESOCKETD_DEVELOPMENT): must be true or false, not "yes"`}},
		{"out of range", []string{"PIPESOCKETD_DEFAULT_PROTOCOL=3"}, []string{"default_protocol (PIPESOCKETD_DEFAULT_PROTOCOL): must be 0, or 4 to 7, not 3"}},
		{"app without id", []string{"PIPESOCKETD_APP_KEY=a", "PIPESOCKETD_APP_SECRET=sesame"}, []string{"PIPESOCKETD_APP_ID: is missing: it tells which app the other PIPESOCKETD_APP_ variables are about"}},
		{"app without secret", []string{"PIPESOCKETD_APP_ID=1", "PIPESOCKETD_APP_KEY=a"}, []string{"apps[0].keys[0].secret (PIPESOCKETD_APP_SECRET): is missing: key and secret are set together"}},
		{"app without key", []string{"PIPESOCKETD_APP_ID=1", "PIPESOCKETD_APP_SECRET=sesame"}, []string{"apps[0].keys[0].key (PIPESOCKETD_APP_KEY): is missing: key and secret are set together"}},
		{"app without pair", []string{"PIPESOCKETD_APP_ID=1"}, []string{"apps[0].keys: must have at least one key pair"}},
		{"bad secret", []string{"PIPESOCKETD_APP_ID=1", "PIPESOCKETD_APP_KEY=a", "PIPESOCKETD_APP_SECRET=sesame street"}, []string{"apps[0].keys[0].secret (PIPESOCKETD_APP_SECRET): must consist of letters, digits, _ and -"}},
		{"bad token", []string{"PIPESOCKETD_OPS_TOKEN=sesame street is long"}, []string{"ops.token (PIPESOCKETD_OPS_TOKEN): must consist of letters, digits and -._~+/="}},
		{"well-known credentials", []string{"PIPESOCKETD_LISTEN=:6001", "PIPESOCKETD_APP_ID=1", "PIPESOCKETD_APP_KEY=k", "PIPESOCKETD_APP_SECRET=app-secret"}, []string{`apps[0].keys[0].secret (PIPESOCKETD_APP_SECRET): is well known (key "k") and not served beyond loopback: make one of your own, or set listen to a loopback address`}},
		{"beside a missing file", []string{"PIPESOCKETD_CONFIG=none.yaml", "PIPESOCKETD_LISTN=1"}, []string{"read config file: open none.yaml: no such file or directory", "PIPESOCKETD_LISTN: is an unknown variable, did you mean PIPESOCKETD_LISTEN?"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(LoadOptions{Environ: tt.environ})
			if got := lines(err); !slices.Equal(got, tt.want) {
				t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if err != nil && strings.Contains(err.Error(), "sesame") {
				t.Errorf("the error tells a secret: %v", err)
			}
		})
	}
}

func TestAppOfTheEnvironment(t *testing.T) {
	const file = `
apps:
  - {id: 1, keys: [{key: a, secret: s-a}, {key: b, secret: s-b}], client_events: true, max_batch: 5}
  - {id: 2, client_events: true, webhooks: [{url: "https://a.example", events: [cache_miss]}]}
`
	t.Run("completes the app of the file that has its id", func(t *testing.T) {
		c, origins, err := LoadWithOrigins(LoadOptions{File: write(t, "c.yaml", file), Environ: []string{
			"PIPESOCKETD_APP_ID=2", "PIPESOCKETD_APP_KEY=c", "PIPESOCKETD_APP_SECRET=s-c", "PIPESOCKETD_APP_MAX_BATCH=7",
		}})
		if err != nil {
			t.Fatal(err)
		}
		app := c.Apps[1]
		if len(c.Apps) != 2 || !slices.Equal(app.Keys, []Key{{Key: "c", Secret: "s-c"}}) || !app.ClientEvents || app.MaxBatch != 7 || len(app.Webhooks) != 1 {
			t.Errorf("apps %+v", c.Apps)
		}
		if c.Apps[0].MaxBatch != 5 || len(c.Apps[0].Keys) != 2 {
			t.Errorf("the other app became %+v", c.Apps[0])
		}
		if origins["apps[1].max_batch"] != "PIPESOCKETD_APP_MAX_BATCH" || origins["apps[1].keys[0].secret"] != "PIPESOCKETD_APP_SECRET" {
			t.Errorf("origins %v", origins)
		}
	})
	t.Run("replaces the key pairs of the file", func(t *testing.T) {
		c, err := Load(LoadOptions{File: write(t, "c.yaml", strings.Split(file, "  - {id: 2")[0]), Environ: []string{
			"PIPESOCKETD_APP_ID=1", "PIPESOCKETD_APP_KEY=c", "PIPESOCKETD_APP_SECRET=s-c",
		}})
		if err != nil || !slices.Equal(c.Apps[0].Keys, []Key{{Key: "c", Secret: "s-c"}}) || !c.Apps[0].ClientEvents {
			t.Errorf("Load = %+v, %v", c, err)
		}
	})
	t.Run("is one more app if no other has its id", func(t *testing.T) {
		c, err := Load(LoadOptions{File: write(t, "c.yaml", strings.Split(file, "  - {id: 2")[0]), Environ: []string{
			"PIPESOCKETD_APP_ID=3", "PIPESOCKETD_APP_KEY=c", "PIPESOCKETD_APP_SECRET=s-c", "PIPESOCKETD_APP_ACTIVITY_TIMEOUT=40s",
		}})
		if err != nil || len(c.Apps) != 2 || c.Apps[1].ID != "3" || c.Apps[1].ActivityTimeout.Seconds() != 40 || c.Apps[1].MaxBatch != 10 {
			t.Errorf("Load = %+v, %v", c, err)
		}
	})
}

// The environment is shared with whatever starts the server.
func TestForeignVariablesAreIgnoredWithAWarning(t *testing.T) {
	for _, name := range []string{"PIPESOCKETD_XYZZY", "PIPESOCKETD_PORT", "PIPESOCKETD_BINARY", "PIPESOCKETD_BIN", "PIPESOCKETD_TEST_DIR"} {
		c, err := Load(LoadOptions{Environ: []string{name + "=1"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if want := name + ": is an unknown variable and ignored"; !slices.Contains(c.Warnings(), want) {
			t.Errorf("%s: warnings are %q", name, c.Warnings())
		}
	}
}
