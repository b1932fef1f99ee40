package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed skips.txt
var skipsFile string

// skipReasons are the phrases that excuse a skipped test.
type skipReasons struct {
	strict  bool
	phrases []string
}

// loadSkipReasons reads skips.txt. Unless strict, every reason is good enough.
func loadSkipReasons(strict bool) (skipReasons, error) {
	return parseSkipReasons(skipsFile, strict)
}

func parseSkipReasons(text string, strict bool) (skipReasons, error) {
	reasons := skipReasons{strict: strict}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		phrase, why, _ := strings.Cut(line, "|")
		phrase = strings.TrimSpace(phrase)
		if phrase == "" || strings.TrimSpace(why) == "" {
			return skipReasons{}, fmt.Errorf("skips.txt: %q has no phrase or no explanation", line)
		}
		reasons.phrases = append(reasons.phrases, phrase)
	}
	return reasons, nil
}

// allow reports whether a test may be skipped with this message.
func (s skipReasons) allow(message string) bool {
	if !s.strict {
		return true
	}
	return slices.ContainsFunc(s.phrases, func(phrase string) bool { return strings.Contains(message, phrase) })
}
