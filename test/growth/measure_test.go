package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/config"
)

func TestConfigurationIsValid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "growth.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(config.LoadOptions{File: file})
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Apps) != 1 || c.DrainWindow != 0 {
		t.Errorf("%d apps, drained over %s", len(c.Apps), c.DrainWindow)
	}
}

// One series for real: build, serve, load, write, draw.
func TestRunMeasuresASeries(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the cost of a process is read from /proc")
	}
	t.Setenv("PIPESOCKETD_LISTEN", "127.0.0.1:1") // is not for the server under load
	dir := t.TempDir()
	file := filepath.Join(dir, "r.json")
	if err := sample().write(file); err != nil {
		t.Fatal(err)
	}
	var progress strings.Builder
	if err := run(t.Context(), &progress, []string{"-quick", "-only", "connections", "-results", file, "-plots", filepath.Join(dir, "plots")}); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	r, err := readResults(file)
	if err != nil {
		t.Fatal(err)
	}
	s := r.series("connections")
	if s == nil || len(s.Points) == 0 || !s.Quick || len(r.Series) != 3 || !strings.HasPrefix(r.Server, "pipesocketd ") || r.Host.Cores < runtime.NumCPU() {
		t.Fatalf("results %+v", r)
	}
	for i := range s.Points {
		for _, figure := range []string{figureRSS, figureLive, figureConnect} {
			if v, ok := s.Points[i].value(loadIdle, figure); !ok || v <= 0 {
				t.Errorf("%s at %d is %v", figure, s.Points[i].X, v)
			}
		}
	}
	for _, want := range []string{"connections 1,000, idle: ", "KiB per connection", "drawn: " + filepath.Join(dir, "plots", "connections.svg")} {
		if !strings.Contains(progress.String(), want) {
			t.Errorf("no %q in the progress\n%s", want, &progress)
		}
	}
}

func TestFailuresAreNotedAndToldInTheEnd(t *testing.T) {
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "program")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const ready = "trap 'exit 0' TERM\necho pipesocketd ready: public=http://127.0.0.1:1 ops=http://127.0.0.1:2\nwhile :; do sleep 0.02; done"
	tests := []struct {
		name, server, tool, want string
	}{
		{"a server that does not start", script("echo broken >&2; exit 3"), "false", "it did not say that it was ready\nbroken"},
		{"a server that is not there", "/nonexistent/server", "false", "start server: "},
		{"a tool that fails", script(ready), script("echo oops >&2; exit 1"), "exit status 1\noops"},
		{"a tool without a report", script(ready), script("exit 0"), "read report: "},
		{"a server that stops badly", script(strings.Replace(ready, "exit 0", "exit 4", 1)), script("exit 0"), "stop server: exit status 4"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var progress strings.Builder
			m := meter{server: tt.server, tool: tt.tool, dir: t.TempDir(), runs: 1, all: 1, progress: &progress}
			s := series{name: "s", points: []point{{x: 1000, note: "as far as it goes", loads: []load{{name: "l", args: []string{"fanout"}}}}}}
			r, _, err := m.measure(t.Context(), &s)
			if !errors.Is(err, errLoads) || !strings.Contains(r.Points[0].Lines[0].Failure, tt.want) {
				t.Errorf("error %v, failure %q\nwant %s", err, r.Points[0].Lines[0].Failure, tt.want)
			}
			if !strings.Contains(progress.String(), "s: as far as it goes\n[1/1] s 1,000, l: FAILED: ") {
				t.Errorf("progress %s", &progress)
			}
		})
	}
}

func TestPinned(t *testing.T) {
	if got := pinned(0, 0, "a", "b"); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("on all processors %q", got)
	}
	got := pinned(2, 3, "a", "b")
	if !slices.Equal(got[max(len(got)-2, 0):], []string{"a", "b"}) || len(got) > 2 && !slices.Equal(got[1:3], []string{"-c", "2-4"}) {
		t.Errorf("on three processors %q", got)
	}
}
