package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/bench"
)

func TestBenchCommandLine(t *testing.T) {
	other := file(t, "other.json", `{"name":"x"}`)
	tests := []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"alone it helps", nil, 0, ""},
		{"unknown scenario", []string{"fan"}, 2, `unknown command "fan"`},
		{"flag of another scenario", []string{"fanout", "--batch", "3"}, 2, "unknown flag: --batch"},
		{"the floor needs no server", []string{"limit", "--url", "http://127.0.0.1"}, 2, "unknown flag: --url"},
		{"bad value", []string{"fanout", "--size", "1"}, 1, "--size must be 16 to 131072, not 1"},
		{"a key without its secret", []string{"fanout", "--key", "k"}, 2, "--key and --secret are given together"},
		{"another machine", []string{"fanout", "--url", "http://192.0.2.1"}, 1, "is not this machine: load is put on a server elsewhere only with --allow-remote"},
		{"no server", []string{"fanout", "--url", "http://127.0.0.1:1"}, 1, "connect: connection refused"},
		{"a file that is no report", []string{"fanout", "--json", other}, 2, "is not a report of this tool"},
		{"compare without a second", []string{"compare", other}, 2, "accepts 2 arg(s), received 1"},
		{"the flag without a second", []string{"--compare", other}, 2, "accepts 2 arg(s), received 1"},
		{"compare a file that is not there", []string{"compare", "none.json", other}, 1, "read report: open none.json"},
		{"compare a file that is no report", []string{"compare", other, other}, 1, "is not a report of this tool"},
		{"writer without options", []string{writerCommand}, 1, "an option is out of its bounds"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, nil, "", append([]string{"bench"}, tt.args...)...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) {
				t.Errorf("exit code %d, want %d; standard error\n%s\nwant in it\n%s", got.code, tt.code, got.stderr, tt.stderr)
			}
		})
	}
}

func TestBenchHelpNamesScenarios(t *testing.T) {
	help := command(t, nil, "", "bench").stdout
	for _, s := range bench.Scenarios() {
		if !strings.Contains(help, s.Name) || !strings.Contains(help, s.Summary) {
			t.Errorf("no %s in\n%s", s.Name, help)
		}
		for _, name := range s.Flags {
			if text := command(t, nil, "", "bench", s.Name, "--help").stdout; !strings.Contains(text, "      --"+name) {
				t.Errorf("%s has no flag %s", s.Name, name)
			}
		}
	}
	if strings.Contains(help, writerCommand) {
		t.Error("the writer's command is shown")
	}
}

func TestBenchApp(t *testing.T) {
	environ := []string{"PIPESOCKETD_APP_ID=7", "PIPESOCKETD_APP_KEY=k", "PIPESOCKETD_APP_SECRET=s"}
	tests := []struct {
		name    string
		environ []string
		args    []string
		id      string
		key     auth.Key
	}{
		{"the development app", nil, nil, "1001", auth.Key{Key: "app-key", Secret: "app-secret"}},
		{"that of the environment", environ, nil, "7", auth.Key{Key: "k", Secret: "s"}},
		{"flags before the environment", environ, []string{"--app-id=8", "--key=a", "--secret=b"}, "8", auth.Key{Key: "a", Secret: "b"}},
		{"half a pair in the environment", environ[:2], nil, "7", auth.Key{Key: "app-key", Secret: "app-secret"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := program{environ: tt.environ}
			var o bench.Options
			var secret string
			flags := pflag.NewFlagSet("", pflag.ContinueOnError)
			serverFlags(flags, &o, &secret)
			if err := flags.Parse(tt.args); err != nil {
				t.Fatal(err)
			}
			o.Key.Secret = auth.Secret(secret)
			if err := p.benchEnvironment(flags, &o); err != nil {
				t.Fatal(err)
			}
			if o.AppID != tt.id || o.Key != tt.key {
				t.Errorf("app %s with key %s", o.AppID, o.Key.Key)
			}
		})
	}
}

func TestBenchCompare(t *testing.T) {
	report := func(value float64) string {
		path := filepath.Join(t.TempDir(), "r.json")
		run := bench.Result{Scenario: "fanout", Setup: "s", Figures: []bench.Figure{{Name: "cost", Unit: "s", Value: value, Better: bench.Lower}}}
		if err := bench.NewReport("v1", []bench.Result{run}).Append(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, name := range []string{"compare", "--compare"} {
		got := command(t, nil, "", "bench", name, report(4), report(3))
		if got.code != 0 || !strings.Contains(got.stdout, "| cost | s | 4.00 | 3.00 | 0.75 | better |") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
