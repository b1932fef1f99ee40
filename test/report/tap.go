package main

import (
	"bufio"
	"io"
	"regexp"
	"strings"
)

// tapLine matches the result of one test: indentation, "not ", name, directive.
var tapLine = regexp.MustCompile(`^( *)(not )?ok \d+(?: - (.*?))?(?: # (SKIP|TODO)\b ?(.*))?$`)

// tapPlan matches the plan that ends the report; without it Node died early.
var tapPlan = regexp.MustCompile(`^1\.\.\d+$`)

type tapLevel struct{ children, failed int }

// countTAP reads the report of Node's test runner. Results come after those of
// their subtests, which are indented deeper.
func countTAP(report io.Reader, r *result, reasons skipReasons) {
	levels := make(map[int]tapLevel) // by indentation: results since their parent began
	planned := false
	lines := bufio.NewScanner(report)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		planned = planned || tapPlan.MatchString(lines.Text())
		match := tapLine.FindStringSubmatch(lines.Text())
		if match == nil {
			continue
		}
		depth := len(match[1])
		below := levels[depth+4]
		delete(levels, depth+4)
		here := levels[depth]
		here.children++
		name, directive := strings.ReplaceAll(match[3], `\#`, "#"), match[4]
		switch {
		case directive != "":
			r.skip(name, strings.ToLower(directive)+" "+match[5], reasons)
		case match[2] != "":
			here.failed++
			if below.failed == 0 {
				r.fail(name)
			}
		case below.children == 0:
			r.pass()
		}
		levels[depth] = here
	}
	if err := lines.Err(); err != nil {
		r.fail("read report: " + err.Error())
	}
	if !planned {
		r.fail("the report ends before the test run did")
	}
}
