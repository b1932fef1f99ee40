package auth

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

const cutMark = "…"

// Echo makes text that a stranger sent fit to stand in one line of an answer or
// a log: a newline becomes the two characters \n, other characters that do not
// show or that reorder a line become escapes, bytes that are not UTF-8 become
// U+FFFD. The result is at most limit bytes long, a limit of three or more, and
// ends in "…" if something was cut off.
func Echo(text string, limit int) string {
	if len(text) <= limit && plain(text) {
		return text
	}
	var b strings.Builder
	end := 0 // as far as the mark still fits behind
	for _, r := range text {
		piece := echoRune(r)
		if b.Len()+len(piece) > limit {
			return b.String()[:end] + cutMark
		}
		b.WriteString(piece)
		if b.Len()+len(cutMark) <= limit {
			end = b.Len()
		}
	}
	return b.String()
}

func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}

func echoRune(r rune) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r == utf8.RuneError, unicode.IsPrint(r):
		return string(r)
	}
	if r > 0xffff {
		return fmt.Sprintf(`\U%08x`, r)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
