package main

import (
	"io"
	"slices"
	"strings"
	"testing"
)

func TestCountGo(t *testing.T) {
	tests := map[string]struct {
		events                  string
		strict                  bool
		passed, failed, skipped int
		failures                []string
	}{
		"counts leaves, not the tests around them": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"run","Package":"p","Test":"TestA/x"}
				{"Action":"run","Package":"p","Test":"TestA/y"}
				{"Action":"pass","Package":"p","Test":"TestA/x"}
				{"Action":"pass","Package":"p","Test":"TestA/y"}
				{"Action":"pass","Package":"p","Test":"TestA"}
				{"Action":"pass","Package":"p","Elapsed":1}`,
			passed: 2,
		},
		"counts a failed subtest once": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"run","Package":"p","Test":"TestA/x"}
				{"Action":"fail","Package":"p","Test":"TestA/x"}
				{"Action":"fail","Package":"p","Test":"TestA"}
				{"Action":"fail","Package":"p"}`,
			failed: 1, failures: []string{"p.TestA/x"},
		},
		"counts a parent that fails by itself": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"run","Package":"p","Test":"TestA/x"}
				{"Action":"pass","Package":"p","Test":"TestA/x"}
				{"Action":"fail","Package":"p","Test":"TestA"}
				{"Action":"fail","Package":"p"}`,
			passed: 1, failed: 1, failures: []string{"p.TestA"},
		},
		"counts a package that does not build": {
			events: `{"ImportPath":"p","Action":"build-output","Output":"x.go:1: no\n"}
				{"ImportPath":"p","Action":"build-fail"}
				{"Action":"start","Package":"p"}
				{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
				{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			failed: 1, failures: []string{"p"},
		},
		"counts a package that fails after its tests passed": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"pass","Package":"p","Test":"TestA"}
				{"Action":"output","Package":"p","Output":"found unexpected goroutines\n"}
				{"Action":"fail","Package":"p"}`,
			passed: 1, failed: 1, failures: []string{"p"},
		},
		"counts a skipped test apart": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: no network\n"}
				{"Action":"output","Package":"p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
				{"Action":"skip","Package":"p","Test":"TestA"}
				{"Action":"pass","Package":"p"}`,
			skipped: 1,
		},
		"fails a skipped test without a named reason where that is asked": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: no network\n"}
				{"Action":"skip","Package":"p","Test":"TestA"}
				{"Action":"pass","Package":"p"}`,
			strict: true, failed: 1,
			failures: []string{"p.TestA (skipped without a named reason: a_test.go:3: no network)"},
		},
		"takes a named reason": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: known reason here\n"}
				{"Action":"skip","Package":"p","Test":"TestA"}
				{"Action":"pass","Package":"p"}`,
			strict: true, skipped: 1,
		},
		"does not count a package without tests": {
			events: `{"Action":"skip","Package":"p"}`,
		},
		"survives lines that are not events": {
			events: `go: downloading something
				{"Action":"run","Package":"p","Test":"TestA"}
				{"Action":"pass","Package":"p","Test":"TestA"}`,
			passed: 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &result{}
			countGo(strings.NewReader(test.events), io.Discard, r, skipReasons{strict: test.strict, phrases: []string{"known reason"}})
			if r.Passed != test.passed || r.Failed != test.failed || r.Skipped != test.skipped {
				t.Errorf("got %d passed, %d failed, %d skipped, want %d, %d, %d",
					r.Passed, r.Failed, r.Skipped, test.passed, test.failed, test.skipped)
			}
			if !slices.Equal(r.Failures, test.failures) {
				t.Errorf("failures: got %q, want %q", r.Failures, test.failures)
			}
		})
	}
}

func TestCountGoShowsWhatFailed(t *testing.T) {
	events := `{"Action":"run","Package":"p","Test":"TestA"}
		{"Action":"output","Package":"p","Test":"TestA","Output":"got 1, want 2\n"}
		{"Action":"fail","Package":"p","Test":"TestA"}
		{"Action":"fail","Package":"p"}
		{"Action":"run","Package":"q","Test":"TestB"}
		{"Action":"output","Package":"q","Test":"TestB","Output":"panic: boom\n"}
		{"Action":"fail","Package":"q"}`
	var out strings.Builder
	countGo(strings.NewReader(events), &out, &result{}, skipReasons{})
	for _, want := range []string{"got 1, want 2\n", "FAIL  p", "panic: boom\n", "FAIL  q"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, out.String())
		}
	}
}

func TestCountTAP(t *testing.T) {
	tests := map[string]struct {
		report                  string
		strict                  bool
		passed, failed, skipped int
		failures                []string
	}{
		"counts leaves": {
			report: "TAP version 13\n# Subtest: outer\n    # Subtest: a\n    ok 1 - a\n      ---\n      duration_ms: 1\n      ...\n" +
				"    ok 2 - b\n    1..2\nok 1 - outer\nok 2 - c\n1..2\n# pass 4\n",
			passed: 3,
		},
		"counts a failed subtest once": {
			report: "    not ok 1 - a\n    ok 2 - b\n    1..2\nnot ok 1 - outer\n1..1\n",
			passed: 1, failed: 1, failures: []string{"a"},
		},
		"counts a suite that fails by itself": {
			report: "    ok 1 - a\n    1..1\nnot ok 1 - outer\n1..1\n",
			passed: 1, failed: 1, failures: []string{"outer"},
		},
		"does not confuse the subtests of one test with those of the next": {
			report: "    not ok 1 - a\nnot ok 1 - one\nnot ok 2 - two\n1..2\n",
			failed: 2, failures: []string{"a", "two"},
		},
		"counts skipped and todo tests apart": {
			report:  "ok 1 - a # SKIP no network\nok 2 - b # TODO\nok 3 - c \\# 1\n1..3\n",
			passed:  1,
			skipped: 2,
		},
		"fails a skipped test without a named reason where that is asked": {
			report: "ok 1 - a # SKIP no network\nok 2 - b # SKIP known reason here\n1..2\n",
			strict: true, failed: 1, skipped: 1,
			failures: []string{"a (skipped without a named reason: skip no network)"},
		},
		"fails a report that ends early": {
			report: "TAP version 13\nok 1 - a\n",
			passed: 1, failed: 1, failures: []string{"the report ends before the test run did"},
		},
		"ignores what tests print": {
			report: "# ok 7 - printed\nok 1 - a\n1..1\n",
			passed: 1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := &result{}
			countTAP(strings.NewReader(test.report), r, skipReasons{strict: test.strict, phrases: []string{"known reason"}})
			if r.Passed != test.passed || r.Failed != test.failed || r.Skipped != test.skipped {
				t.Errorf("got %d passed, %d failed, %d skipped, want %d, %d, %d",
					r.Passed, r.Failed, r.Skipped, test.passed, test.failed, test.skipped)
			}
			if !slices.Equal(r.Failures, test.failures) {
				t.Errorf("failures: got %q, want %q", r.Failures, test.failures)
			}
		})
	}
}

func TestSkipReasons(t *testing.T) {
	for _, text := range []string{"lonely\n", "lonely |\n", "| why\n"} {
		if _, err := parseSkipReasons(text, true); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if _, err := loadSkipReasons(true); err != nil {
		t.Errorf("skips.txt: %v", err)
	}
}
