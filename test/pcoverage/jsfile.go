package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

var (
	jsTest    = regexp.MustCompile("\\b(?:test|it|describe|suite)(?:\\.\\w+)?\\s*\\(\\s*(?:'([^']*)'|\"([^\"]*)\"|`([^`]*)`)")
	jsComment = regexp.MustCompile(`^\s*(?://|/?\*)`)
)

// jsMentions finds the statements that a Node test file names. The test is the
// one that begins on the line, the one below if the line is a comment, else the
// last one that began above.
func jsMentions(path string) ([]mention, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read test: %w", err)
	}
	lines := strings.Split(string(text), "\n")
	var found []mention
	above := ""
	for i, line := range lines {
		if name := jsTestName(line); name != "" {
			above = name
		}
		numbers := numbersIn(line)
		if len(numbers) == 0 {
			continue
		}
		test := above
		if jsComment.MatchString(line) {
			if below := jsTestBelow(lines[i+1:]); below != "" {
				test = below
			}
		}
		for _, number := range numbers {
			found = append(found, mention{number: number, line: i + 1, test: test})
		}
	}
	return found, nil
}

func jsTestName(line string) string {
	m := jsTest.FindStringSubmatch(line)
	if m == nil {
		return ""
	}
	return m[1] + m[2] + m[3]
}

// jsTestBelow skips the rest of a comment and names the test that follows it.
func jsTestBelow(lines []string) string {
	for _, line := range lines {
		if !jsComment.MatchString(line) {
			return jsTestName(line)
		}
	}
	return ""
}
