package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// goEvent is one line of "go test -json".
type goEvent struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

type goTest struct {
	output   bytes.Buffer
	children int
	failed   int // children that failed
}

// goRun follows the tests of all packages until each has ended.
type goRun struct {
	out     io.Writer
	r       *result
	reasons skipReasons
	tests   map[string]*goTest // by package and name, and by package alone
}

// countGo reads events to the end of the stream. It prints a line for each
// package and the output of what failed.
func countGo(events io.Reader, out io.Writer, r *result, reasons skipReasons) {
	run := &goRun{out: out, r: r, reasons: reasons, tests: make(map[string]*goTest)}
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			run.line(line)
		}
		if err != nil {
			return
		}
	}
}

func (g *goRun) line(line []byte) {
	var e goEvent
	if json.Unmarshal(line, &e) != nil {
		_, _ = g.out.Write(line) // a message of the go command itself
		return
	}
	switch e.Action {
	case "build-output":
		fmt.Fprint(g.out, e.Output)
	case "run":
		if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
			g.test(e.Package, e.Test[:i]).children++
		}
	case "output":
		g.test(e.Package, e.Test).output.WriteString(e.Output)
	case "pass", "fail", "skip":
		g.end(e)
	}
}

func (g *goRun) test(pkg, name string) *goTest {
	key := pkg + "\x00" + name
	t := g.tests[key]
	if t == nil {
		t = &goTest{}
		g.tests[key] = t
	}
	return t
}

func (g *goRun) end(e goEvent) {
	t := g.test(e.Package, e.Test)
	delete(g.tests, e.Package+"\x00"+e.Test)
	if e.Test == "" {
		g.endPackage(e, t)
		return
	}
	name := e.Package + "." + e.Test
	switch e.Action {
	case "skip":
		g.r.skip(name, lastLine(t.output.String()), g.reasons)
	case "fail":
		g.tellParent(e)
		// A parent fails with its children; it counts only for itself.
		if t.failed == 0 {
			g.r.fail(name)
		}
		_, _ = t.output.WriteTo(g.out)
	case "pass":
		if t.children == 0 {
			g.r.pass()
		}
	}
}

// tellParent counts a failed test with its parent, which is a test or the package.
func (g *goRun) tellParent(e goEvent) {
	parent := ""
	if i := strings.LastIndexByte(e.Test, '/'); i >= 0 {
		parent = e.Test[:i]
	}
	g.test(e.Package, parent).failed++
}

func (g *goRun) endPackage(e goEvent, t *goTest) {
	if e.Action != "fail" {
		if e.Action == "pass" {
			fmt.Fprintf(g.out, "ok    %s (%.1fs)\n", e.Package, e.Elapsed)
		}
		return
	}
	fmt.Fprintf(g.out, "FAIL  %s (%.1fs)\n", e.Package, e.Elapsed)
	// Neither built nor ended well although its tests did: a panic outside of a
	// test, a leak found by TestMain, a timeout.
	if t.failed == 0 {
		g.r.fail(e.Package)
		_, _ = t.output.WriteTo(g.out)
		g.dumpRunning(e.Package)
	}
}

// dumpRunning prints what tests of the package said that never ended.
func (g *goRun) dumpRunning(pkg string) {
	for key, t := range g.tests {
		if strings.HasPrefix(key, pkg+"\x00") {
			_, _ = t.output.WriteTo(g.out)
			delete(g.tests, key)
		}
	}
}

// lastLine returns the last line of a skipped test's output that is not the
// runner's own: the message of t.Skip with its place.
func lastLine(output string) string {
	last := ""
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "---") && !strings.HasPrefix(line, "===") {
			last = line
		}
	}
	return last
}
