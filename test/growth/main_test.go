package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDrawing(t *testing.T) {
	dir := t.TempDir()
	file, plots := filepath.Join(dir, "r.json"), filepath.Join(dir, "plots")
	if err := run(t.Context(), io.Discard, []string{"-draw", "-results", file, "-plots", plots}); err == nil || !strings.Contains(err.Error(), "read results") {
		t.Errorf("without results: %v", err)
	}
	if err := sample().write(file); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), io.Discard, []string{"-draw", "-results", file, "-plots", plots}); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(file)
	if err != nil || string(after) != string(before) {
		t.Errorf("drawing changed the results: %v", err)
	}
	if found, err := filepath.Glob(filepath.Join(plots, "*.svg")); err != nil || len(found) != 2 {
		t.Errorf("plots %v, %v", found, err)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, args := range [][]string{{"-nope"}, {"now"}, {"-runs", "-1"}, {"-only", "nothing"}} {
		if err := run(t.Context(), io.Discard, append(args, "-results", filepath.Join(t.TempDir(), "r.json"))); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestEffort(t *testing.T) {
	for _, tt := range []struct {
		options options
		want    effort
	}{
		{options{}, fullEffort()},
		{options{quick: true}, quickEffort()},
		{options{runs: 5}, func() effort { e := fullEffort(); e.runs = 5; return e }()},
	} {
		if got := tt.options.effort(); got != tt.want {
			t.Errorf("%+v comes to %+v, want %+v", tt.options, got, tt.want)
		}
	}
}

func TestConnectionsOfALimit(t *testing.T) {
	for files, want := range map[uint64]int{64: 1, 1024: 424, 4096: 3000, 20_000: 19_000, 1 << 20: 100_000, 1 << 63: 100_000} {
		if got := connectionsOf(files); got != want {
			t.Errorf("%d files hold %d connections, want %d", files, got, want)
		}
	}
}
