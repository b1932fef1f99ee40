package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestNumbersIn(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string
	}{
		"one":                          {"P-001 connects", []string{"P-001"}},
		"several":                      {"P-001, P-002 P-003/P-004", []string{"P-001", "P-002", "P-003", "P-004"}},
		"side by side":                 {"P-001 P-002", []string{"P-001", "P-002"}},
		"in punctuation":               {"(P-010).", []string{"P-010"}},
		"a range with an ellipsis":     {"P-120…P-125", nil},
		"a range with dots":            {"P-120...P-125", nil},
		"a range with a dash":          {"P-120–P-125", nil},
		"a range with a short end":     {"P-120-125", nil},
		"a range in words":             {"P-120 to P-125", nil},
		"a dash before a count":        {"P-194 - 100 channels", []string{"P-194"}},
		"a number after a range":       {"P-120…P-125, P-130", []string{"P-130"}},
		"part of a longer word":        {"HTTP-200 XP-100 P-1234 P-12 P-123a", nil},
		"lower case is something else": {"p-001", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := numbersIn(test.text); !slices.Equal(got, test.want) {
				t.Errorf("numbersIn(%q): got %q, want %q", test.text, got, test.want)
			}
		})
	}
}

// tree writes files into a new folder that looks like the repository.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, folder := range []string{"internal", "cmd", "test", "docs"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const (
	goFile = `package x

import "testing"

// TestDoc covers P-001.
func TestDoc(t *testing.T) {}

func TestTable(t *testing.T) {
	tests := map[string]int{
		"P-002 by name": 1,
		// P-003
		"by comment": 2,
	}
	_ = tests
	// P-004 in the body

	t.Log()
}

// P-005, P-006 above the function.
func FuzzBoth(f *testing.F) {}
`
	jsFile = "// P-001\ntest('first', () => {\n  // P-002 inside\n  assert(1);\n});\n" +
		"/*\n * P-003\n */\nit(\"second\", () => {});\ntest(`P-004 third`, () => {});\n"
)

func TestReadMentions(t *testing.T) {
	root := tree(t, map[string]string{
		"internal/x/x_test.go":                goFile,
		"internal/x/x.go":                     "package x // P-100\n",
		"internal/x/testdata/y_test.go":       "package y // P-101\n",
		"test/e2e/a.test.mjs":                 jsFile,
		"test/e2e/node_modules/lib/x.js":      "// P-102\n",
		"test/pcoverage/pcoverage_test.go":    "package main // P-103\n",
		"cmd/pipesocketd/main_integration.go": "package main // P-104\n",
	})
	all, err := readMentions(root)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, m.number+" "+m.file+" "+m.test)
	}
	slices.Sort(got)
	want := []string{
		"P-001 internal/x/x_test.go TestDoc",
		"P-001 test/e2e/a.test.mjs first",
		"P-002 internal/x/x_test.go TestTable/P-002 by name",
		"P-002 test/e2e/a.test.mjs first",
		"P-003 internal/x/x_test.go TestTable/by comment",
		"P-003 test/e2e/a.test.mjs second",
		"P-004 internal/x/x_test.go TestTable",
		"P-004 test/e2e/a.test.mjs P-004 third",
		"P-005 internal/x/x_test.go FuzzBoth",
		"P-006 internal/x/x_test.go FuzzBoth",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const protocolFile = "# P\n\n## 12. Checklist\n\n### One (§1)\n\n- **P-001** The first | thing.\n\n### Two\n\n- **P-002** The second <thing>.\n"

func TestCheck(t *testing.T) {
	const firstTest = "package x\n\n// TestA is P-001.\nfunc TestA() {}\n"
	tests := map[string]struct {
		files map[string]string
		want  []string // parts of the error; none: no error
	}{
		"everything covered": {
			files: map[string]string{"internal/x/a_test.go": firstTest, "internal/x/b_test.go": "package x // P-002\n"},
		},
		"what comes later is excused": {
			files: map[string]string{"internal/x/a_test.go": firstTest, laterPath: "# why\nP-002 more nodes\n"},
		},
		"a statement without a test": {
			files: map[string]string{"internal/x/a_test.go": firstTest},
			want:  []string{"P-002 has no test: The second <thing>."},
		},
		"a number that the protocol does not have": {
			files: map[string]string{"internal/x/a_test.go": firstTest, "internal/x/b_test.go": "package x // P-002 P-999\n"},
			want:  []string{"internal/x/b_test.go:1 names P-999"},
		},
		"an excuse that is no longer true": {
			files: map[string]string{"internal/x/a_test.go": firstTest, laterPath: "P-001 never\nP-002 more nodes\n"},
			want:  []string{"P-001 has a test (internal/x/a_test.go:3)"},
		},
		"an excuse for nothing": {
			files: map[string]string{"internal/x/a_test.go": firstTest, laterPath: "P-002 more nodes\nP-998 what\n"},
			want:  []string{laterPath + " names P-998"},
		},
		"several faults at once": {
			files: map[string]string{"internal/x/b_test.go": "package x // P-999\n"},
			want:  []string{"P-001 has no test", "P-002 has no test", "P-999"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.files[protocolPath] = protocolFile
			root := tree(t, test.files)
			var out strings.Builder
			err := run(&out, root, tablePath, true)
			if len(test.want) == 0 && err != nil {
				t.Fatalf("got %v, want no fault", err)
			}
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %q in it", err, want)
				}
			}
		})
	}
}

func TestCheckWantsAFreshTable(t *testing.T) {
	root := tree(t, map[string]string{
		protocolPath:           protocolFile,
		"internal/x/a_test.go": "package x // P-001 P-002\n",
	})
	check := func() error { return run(&strings.Builder{}, root, "", true) }
	if err := check(); err == nil || !strings.Contains(err.Error(), "out of date") {
		t.Errorf("without a table: got %v, want that it is out of date", err)
	}
	if err := run(&strings.Builder{}, root, tablePath, false); err != nil {
		t.Fatal(err)
	}
	if err := check(); err != nil {
		t.Errorf("with a fresh table: %v", err)
	}
	if err := os.WriteFile(filepath.Join(root, "internal/x/b_test.go"), []byte("package x // P-001\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := check(); err == nil || !strings.Contains(err.Error(), "out of date") {
		t.Errorf("after a new test: got %v, want that the table is out of date", err)
	}
}

func TestMarkdown(t *testing.T) {
	root := tree(t, map[string]string{
		protocolPath: protocolFile,
		"internal/x/a_test.go": "package x\n\n\n// TestA is P-001.\nfunc TestA() {}\n\n// TestB is P-001 | too.\nfunc TestB() {}\n\n" +
			"// TestB is still P-001.\nfunc TestB2() {}\n",
		"test/b.mjs": "test('P-001 <x|y>')\n",
		laterPath:    "P-002 soon\n",
	})
	c, err := load(root)
	if err != nil {
		t.Fatal(err)
	}
	got := string(c.markdown())
	for _, want := range []string{
		"## One (§1)\n\n| Number | Statement | Tests |\n|---|---|---|\n",
		"| P-001 | The first \\| thing. | `internal/x/a_test.go`: TestA; TestB; TestB2<br>`test/b.mjs`: P-001 &lt;x\\|y> |\n",
		"| P-002 | The second &lt;thing>. | later: soon |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the table lacks %q:\n%s", want, got)
		}
	}
}

// TestProtocol reads the real document: the tool must find all of its statements.
func TestProtocol(t *testing.T) {
	statements, err := readStatements("../../" + protocolPath)
	if err != nil {
		t.Fatal(err)
	}
	last := statements[len(statements)-1].number
	if len(statements) < 252 || !strings.HasPrefix(last, "P-") {
		t.Errorf("found %d statements up to %s, want at least 252", len(statements), last)
	}
	for _, s := range statements {
		if s.section == "" || s.text == "" {
			t.Errorf("%s has section %q and text %q", s.number, s.section, s.text)
		}
	}
}
