package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"
)

// mention is one place in a test that names a statement.
type mention struct {
	number string
	file   string // relative to the root, with slashes
	line   int
	test   string // "" if it cannot be told
}

var (
	// numberRange matches what looks like a range, which names no statement.
	numberRange = regexp.MustCompile(`P-\d{3}\s*(?:…|\.{2,3}|[–—-]|\bto\b|\bthrough\b)\s*P-\d{3}\b|P-\d{3}(?:…|\.{2,3}|[–—-])\d{3}\b`)
	numberWord  = regexp.MustCompile(`(?:^|[^0-9A-Za-z_-])(P-\d{3})(?:$|[^0-9A-Za-z_])`)
)

// numbersIn returns the statements that a text names.
func numbersIn(text string) []string {
	text = numberRange.ReplaceAllString(text, " ")
	var numbers []string
	for {
		m := numberWord.FindStringSubmatchIndex(text)
		if m == nil {
			return numbers
		}
		numbers = append(numbers, text[m[2]:m[3]])
		text = text[m[3]:] // not past the separator, which may begin the next match
	}
}

// readMentions reads every test file below the folders that hold tests.
func readMentions(root string) ([]mention, error) {
	var all []mention
	for _, folder := range []string{"internal", "cmd", "test"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if entry.IsDir() {
				return skipFolder(root, path)
			}
			found, err := mentionsOf(path)
			if err != nil {
				return err
			}
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			for _, m := range found {
				m.file = filepath.ToSlash(rel)
				all = append(all, m)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read tests below %s: %w", folder, err)
		}
	}
	return all, nil
}

// skipFolder leaves out what is no test of ours, and this command's own tests,
// whose examples would count.
func skipFolder(root, path string) error {
	switch filepath.Base(path) {
	case "node_modules", "testdata", "vendor":
		return filepath.SkipDir
	}
	if path == filepath.Join(root, "test", "pcoverage") {
		return filepath.SkipDir
	}
	return nil
}

func mentionsOf(path string) ([]mention, error) {
	switch {
	case strings.HasSuffix(path, "_test.go"):
		return goMentions(path)
	case strings.HasSuffix(path, ".mjs"), strings.HasSuffix(path, ".js"):
		return jsMentions(path)
	}
	return nil, nil
}
