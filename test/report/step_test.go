package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

func TestStep(t *testing.T) {
	tests := map[string]struct {
		kind, script   string
		passed, failed int
	}{
		"a check that succeeds":             {kindCheck, "exit 0", 1, 0},
		"a check that fails":                {kindCheck, "exit 3", 0, 1},
		"go tests that pass":                {kindGo, `echo '{"Action":"run","Package":"p","Test":"T"}{"Action":"x"}'; echo '{"Action":"pass","Package":"p","Test":"T"}'`, 1, 0},
		"a go command that fails silently":  {kindGo, `echo '{"Action":"pass","Package":"p","Test":"T"}'; exit 1`, 1, 1},
		"a go command that runs nothing":    {kindGo, "exit 0", 0, 1},
		"a node command without a report":   {kindNode, "exit 0", 0, 1},
		"a node report that passes":         {kindNode, `printf 'ok 1 - a\n1..1\n' > "${NODE_OPTIONS##*=}"`, 1, 0},
		"a node command that fails after":   {kindNode, `printf 'ok 1 - a\n1..1\n' > "${NODE_OPTIONS##*=}"; exit 1`, 1, 1},
		"a node report that has no results": {kindNode, `printf '1..0\n' > "${NODE_OPTIONS##*=}"`, 0, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := step{
				name: "x", kind: test.kind, dir: t.TempDir(), command: []string{"sh", "-c", test.script},
				timeout: time.Minute, out: io.Discard,
			}
			r, err := s.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r.Passed != test.passed || r.Failed != test.failed {
				t.Errorf("got %d passed, %d failed, want %d, %d", r.Passed, r.Failed, test.passed, test.failed)
			}
		})
	}
}

func TestStepTimeoutEndsTheWholeGroup(t *testing.T) {
	s := step{
		name: "x", kind: kindCheck, dir: t.TempDir(), command: []string{"sh", "-c", "sleep 60 & sleep 60"},
		timeout: 50 * time.Millisecond, out: io.Discard,
	}
	start := time.Now()
	r, err := s.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed != 1 || time.Since(start) > killWait {
		t.Errorf("got %d failed after %s, want 1 well before %s", r.Failed, time.Since(start), killWait)
	}
}

func TestSummary(t *testing.T) {
	save := func(t *testing.T, dir string, r result) {
		t.Helper()
		if err := r.save(dir); err != nil {
			t.Fatal(err)
		}
	}
	tests := map[string]struct {
		results []result
		expect  string
		want    string // part of the error, "" for none
	}{
		"all passed":              {[]result{{Name: "a", Passed: 2}, {Name: "b", Passed: 1}}, "a,b", ""},
		"one failed":              {[]result{{Name: "a", Passed: 2, Failed: 1}}, "a", "not everything passed"},
		"nothing ran":             {[]result{{Name: "a"}}, "a", "not everything passed"},
		"an expected step is not": {[]result{{Name: "a", Passed: 2}}, "a,b", "not everything passed"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, r := range test.results {
				save(t, dir, r)
			}
			err := runSummary([]string{"-dir", dir, "-expect", test.expect}, func([]result) error { return nil })
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
