package strictjson

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// scanner validates one text. Its methods take the index of a value's first
// byte and return the index behind the value, or -1 with err set.
type scanner struct {
	text []byte
	err  error

	escaped bool // whether the last string had escapes
}

func (s *scanner) fail(err error) int {
	s.err = err
	return -1
}

// at returns the byte at i, and NUL, which is allowed nowhere, behind the end.
func (s *scanner) at(i int) byte {
	if i < len(s.text) {
		return s.text[i]
	}
	return 0
}

// finish takes the end of the only value and demands that nothing follows.
func (s *scanner) finish(end int) int {
	if end < 0 || skipSpace(s.text, end) == len(s.text) {
		return end
	}
	return s.fail(ErrSyntax)
}

func (s *scanner) value(i, depth int) int {
	switch s.at(i) {
	case '"':
		return s.string(i)
	case '{':
		return s.object(i, depth+1)
	case '[':
		return s.array(i, depth+1)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	}
	return s.number(i)
}

func (s *scanner) object(i, depth int) int {
	if depth > MaxDepth {
		return s.fail(ErrDepth)
	}
	if i = skipSpace(s.text, i+1); s.at(i) == '}' {
		return i + 1
	}
	for {
		_, start := s.key(i)
		if start < 0 {
			return -1
		}
		end := s.value(start, depth)
		if end < 0 {
			return -1
		}
		i = skipSpace(s.text, end)
		switch s.at(i) {
		case ',':
			i = skipSpace(s.text, i+1)
		case '}':
			return i + 1
		default:
			return s.fail(ErrSyntax)
		}
	}
}

// members is object for the outermost one, whose members are cut out.
func (s *scanner) members(i int, each func(key []byte, value Value) error) int {
	var seen keySet
	if i = skipSpace(s.text, i+1); s.at(i) == '}' {
		return i + 1
	}
	for {
		end, start := s.key(i)
		if start < 0 {
			return -1
		}
		key := s.text[i+1 : end-1 : end-1]
		if s.escaped {
			key = appendUnescaped(nil, key)
		}
		if seen.add(key) {
			return s.fail(ErrTwice)
		}
		if end = s.value(start, 1); end < 0 {
			return -1
		}
		if err := each(key, s.text[start:end:end]); err != nil {
			return s.fail(err)
		}
		i = skipSpace(s.text, end)
		switch s.at(i) {
		case ',':
			i = skipSpace(s.text, i+1)
		case '}':
			return i + 1
		default:
			return s.fail(ErrSyntax)
		}
	}
}

// key validates a key and its colon. It returns the index behind the key and
// that of the value, which is -1 on an error.
func (s *scanner) key(i int) (end, value int) {
	if s.at(i) != '"' {
		return 0, s.fail(ErrSyntax)
	}
	if end = s.string(i); end < 0 {
		return 0, -1
	}
	i = skipSpace(s.text, end)
	if s.at(i) != ':' {
		return 0, s.fail(ErrSyntax)
	}
	return end, skipSpace(s.text, i+1)
}

func (s *scanner) array(i, depth int) int {
	if depth > MaxDepth {
		return s.fail(ErrDepth)
	}
	if i = skipSpace(s.text, i+1); s.at(i) == ']' {
		return i + 1
	}
	for {
		end := s.value(i, depth)
		if end < 0 {
			return -1
		}
		i = skipSpace(s.text, end)
		switch s.at(i) {
		case ',':
			i = skipSpace(s.text, i+1)
		case ']':
			return i + 1
		default:
			return s.fail(ErrSyntax)
		}
	}
}

// string looks at eight bytes at once. It leaves UTF-8 to a second look at those
// strings that are not plain ASCII: most are, and what ends them is ASCII anyway.
func (s *scanner) string(start int) int {
	s.escaped = false
	b, i := s.text, start+1
	var seen uint64
	for {
		var c byte
		if i+8 <= len(b) {
			word := binary.LittleEndian.Uint64(b[i:])
			seen |= word
			hit := special(word)
			if hit == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(hit) / 8
			c = b[i]
		} else if c = s.at(i); c >= ' ' && c != '"' && c != '\\' {
			seen |= uint64(c)
			i++
			continue
		}
		if c == '\\' {
			if n := escapeLen(b, i); n > 0 {
				s.escaped = true
				i += n
				continue
			}
		}
		if seen&high != 0 && !utf8.Valid(b[start:i]) {
			return s.fail(ErrUTF8)
		}
		if c != '"' {
			return s.fail(ErrSyntax)
		}
		return i + 1
	}
}

// escapeLen returns the length of the escape at b[i], 0 if it is not one. A lone
// surrogate is a valid escape here; decoding replaces it.
func escapeLen(b []byte, i int) int {
	if i+1 >= len(b) {
		return 0
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if i+6 <= len(b) && hex4(b[i+2:i+6]) >= 0 {
			return 6
		}
	}
	return 0
}

// hex4 returns the value of four hexadecimal digits, -1 if they are not that.
func hex4(b []byte) rune {
	var r rune
	for _, c := range b[:4] {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}

func (s *scanner) word(i int, word string) int {
	end := i + len(word)
	if end > len(s.text) || string(s.text[i:end]) != word {
		return s.fail(ErrSyntax)
	}
	return end
}

func (s *scanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	switch c := s.at(i); {
	case c == '0':
		i++
	case '1' <= c && c <= '9':
		i = skipDigits(s.text, i+1)
	default:
		return s.fail(ErrSyntax)
	}
	if s.at(i) == '.' {
		end := skipDigits(s.text, i+1)
		if end == i+1 {
			return s.fail(ErrSyntax)
		}
		i = end
	}
	if c := s.at(i); c == 'e' || c == 'E' {
		i++
		if c = s.at(i); c == '+' || c == '-' {
			i++
		}
		end := skipDigits(s.text, i)
		if end == i {
			return s.fail(ErrSyntax)
		}
		i = end
	}
	return i
}
