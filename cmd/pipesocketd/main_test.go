package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/daemon"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// A result is what a run of the command left behind.
type result struct {
	code           int
	stdout, stderr string
}

// command runs a command line in an environment of its own, with a server that
// ends at once.
func command(t *testing.T, environ []string, stdin string, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := program{
		stdin: strings.NewReader(stdin), stdout: &stdout, stderr: &stderr, environ: environ,
		signals: make(chan os.Signal), notify: func() {},
		serve: func(context.Context, daemon.Options) error { return nil },
	}
	code := p.run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExitCodes(t *testing.T) {
	bad := file(t, "bad.yaml", "drain_window: 10\nlisten: x\n")
	tests := []struct {
		name    string
		environ []string
		args    []string
		code    int
		stderr  string
	}{
		{"no subcommand serves", nil, nil, 0, ""},
		{"serve", nil, []string{"serve", "--listen", "127.0.0.1:0"}, 0, ""},
		{"unknown subcommand", nil, []string{"serv"}, 2, "unknown command \"serv\" for \"pipesocketd\"\n\nDid you mean this?\n\tserve\n"},
		{"unknown flag", nil, []string{"--nope"}, 2, "pipesocketd: unknown flag: --nope\nRun 'pipesocketd --help' for usage.\n"},
		{"argument too many", nil, []string{"serve", "now"}, 2, "unknown command \"now\" for \"pipesocketd serve\""},
		{"flag without its value", nil, []string{"--listen"}, 2, "flag needs an argument: --listen"},
		{"bad switch", nil, []string{"--development=perhaps"}, 2, "invalid argument \"perhaps\""},
		{"bad value", nil, []string{"--drain-window=10"}, 2, "pipesocketd: the configuration is not valid:\n  drain_window (--drain-window): must be a duration such as 30s or 1m30s, not the bare number 10: it lacks a unit\n"},
		{"all faults of a file", nil, []string{"--config", bad}, 2, "the configuration is not valid:\n  drain_window: must be a duration such as 30s or 1m30s, not the bare number 10: it lacks a unit\n  listen: must be HOST:PORT"},
		{"unknown variable", []string{"PIPESOCKETD_LISTN=x"}, nil, 2, "  PIPESOCKETD_LISTN: is an unknown variable, did you mean PIPESOCKETD_LISTEN?\n"},
		{"missing file", nil, []string{"--config", "none.yaml"}, 2, "  read config file: open none.yaml: no such file or directory\n"},
		{"check of a bad file", nil, []string{"config", "check", bad}, 2, "  drain_window: must be a duration"},
		{"print of a bad file", nil, []string{"config", "print", bad}, 2, "  drain_window: must be a duration"},
		{"trigger with a bad configuration", []string{"PIPESOCKETD_CONFIG=" + bad}, []string{"trigger"}, 2, "  drain_window: must be a duration"},
		{"healthcheck with a bad configuration", []string{"PIPESOCKETD_CONFIG=" + bad}, []string{"healthcheck"}, 1, "  drain_window: must be a duration"},
		{"help", nil, []string{"--help"}, 0, ""},
		{"version", nil, []string{"version"}, 0, ""},
		{"version as a flag", nil, []string{"--version"}, 0, ""},
		{"config alone helps", nil, []string{"config"}, 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, tt.environ, "", tt.args...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) || (tt.stderr == "") != (got.stderr == "") {
				t.Errorf("exit code %d, want %d; standard error\n%s\nwant in it\n%s", got.code, tt.code, got.stderr, tt.stderr)
			}
			if tt.code != 0 && got.stdout != "" {
				t.Errorf("standard output of a failure: %s", got.stdout)
			}
		})
	}
}

func TestVersion(t *testing.T) {
	got := command(t, nil, "", "version").stdout
	if !strings.HasPrefix(got, "pipesocketd "+buildVersion()+" (") || strings.Count(got, "\n") != 1 {
		t.Errorf("version %q", got)
	}
}

func TestConfigCommands(t *testing.T) {
	path := file(t, "c.yaml", "log: {level: debug}\napps:\n  - {id: my-app, keys: [{key: k, secret: sesame-street}]}\n")
	t.Run("check praises and warns", func(t *testing.T) {
		got := command(t, nil, "", "config", "check", "-c", path)
		if got.stdout != "the configuration is valid: 1 app\n" || got.stderr != "warning: apps[0].id: is not all digits, which several server libraries refuse\n" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("check counts", func(t *testing.T) {
		if got := command(t, nil, "", "config", "check"); got.stdout != "the configuration is valid: no app, so that one is made at the start\n" {
			t.Errorf("%+v", got)
		}
		two := file(t, "two.yaml", "apps: [{id: 1, keys: [{key: a, secret: x}]}, {id: 2, keys: [{key: b, secret: x}]}]\n")
		if got := command(t, nil, "", "config", "check", two); got.stdout != "the configuration is valid: 2 apps\n" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("print tells origins and no secret", func(t *testing.T) {
		got := command(t, []string{"PIPESOCKETD_MOUNT=/m"}, "", "config", "print", path, "--log-format=json")
		for _, line := range []string{"listen: 127.0.0.1:6001  # default", "mount: /m  # PIPESOCKETD_MOUNT", "  level: debug  # " + path, "  format: json  # --log-format", "        secret: <secret>  # " + path} {
			if !strings.Contains(got.stdout, line+"\n") {
				t.Errorf("no %q in\n%s", line, got.stdout)
			}
		}
		if strings.Contains(got.stdout, "sesame") || got.stderr != "" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("defaults load", func(t *testing.T) {
		defaults := command(t, nil, "", "config", "defaults")
		if got := command(t, nil, "", "config", "check", file(t, "d.yaml", defaults.stdout)); got.code != 0 || got.stderr != "" {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a broken standard output is a failure", func(t *testing.T) {
		var stderr bytes.Buffer
		p := program{stdin: strings.NewReader(""), stdout: brokenWriter{}, stderr: &stderr}
		for _, args := range [][]string{{"config", "defaults"}, {"config", "print"}, {"config", "check"}} {
			if code := p.run(t.Context(), args); code != exitFailure {
				t.Errorf("%v: exit code %d, %s", args, code, stderr.String())
			}
		}
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.ErrUnsupported }
