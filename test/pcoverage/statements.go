package main

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// statement is one line of docs/protocol.md §12.
type statement struct {
	number  string // "P-001"
	section string // the heading it stands under
	text    string
}

var (
	statementLine = regexp.MustCompile(`^- \*\*(P-\d{3})\*\* (.+)$`)
	headingLine   = regexp.MustCompile(`^### (.+)$`)
)

// readStatements returns the statements in the order of the document.
func readStatements(path string) ([]statement, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read statements: %w", err)
	}
	defer file.Close()
	var all []statement
	seen := make(map[string]bool)
	section := ""
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if m := headingLine.FindStringSubmatch(lines.Text()); m != nil {
			section = m[1]
		}
		m := statementLine.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		if seen[m[1]] {
			return nil, fmt.Errorf("read statements: %s stands twice in %s", m[1], path)
		}
		seen[m[1]] = true
		all = append(all, statement{number: m[1], section: section, text: m[2]})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read statements: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("read statements: none in %s", path)
	}
	return all, nil
}

// readLater returns number → reason. A file that does not exist is an empty one.
func readLater(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read later: %w", err)
	}
	later := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		number, reason, _ := strings.Cut(line, " ")
		if strings.TrimSpace(reason) == "" {
			return nil, fmt.Errorf("read later: %s has no reason", number)
		}
		later[number] = strings.TrimSpace(reason)
	}
	return later, nil
}
