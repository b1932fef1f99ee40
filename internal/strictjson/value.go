package strictjson

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Value is the validated text of one JSON value, as [Parse] returns it, or nil
// for a value that is not there. It shares memory with the text it was cut from.
type Value []byte

// Kind tells the type of a value.
type Kind byte

// Kinds. Absent is the kind of a nil Value.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// Kind returns the type of v.
func (v Value) Kind() Kind {
	if len(v) == 0 {
		return Absent
	}
	switch v[0] {
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	case '"':
		return String
	case '[':
		return Array
	case '{':
		return Object
	}
	return Number
}

// IsAbsent reports whether v is not there or null: on input the two are the
// same everywhere (protocol.md §0).
func (v Value) IsAbsent() bool {
	k := v.Kind()
	return k == Absent || k == Null
}

// Members calls each for every member of the object v, in order, with the
// decoded key and the value. The key is valid only during the call. It returns
// the first error of each, [ErrNotType] if v is not an object, and [ErrTwice]
// if two members have the same key: then each has seen the first of them only.
func (v Value) Members(each func(key []byte, value Value) error) error {
	if v.Kind() != Object {
		return ErrNotType
	}
	var seen keySet
	for i := skipSpace(v, 1); v[i] != '}'; {
		end := skipValue(v, i)
		key := decodeKey(v[i:end])
		if seen.add(key) {
			return ErrTwice
		}
		start := skipSpace(v, skipSpace(v, end)+1)
		end = skipValue(v, start)
		if err := each(key, v[start:end:end]); err != nil {
			return err
		}
		if i = skipSpace(v, end); v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
	return nil
}

// Elements calls each for every element of the array v, in order. It returns
// the first error of each, and [ErrNotType] if v is not an array.
func (v Value) Elements(each func(Value) error) error {
	if v.Kind() != Array {
		return ErrNotType
	}
	for i := skipSpace(v, 1); v[i] != ']'; {
		end := skipValue(v, i)
		if err := each(v[i:end:end]); err != nil {
			return err
		}
		if i = skipSpace(v, end); v[i] == ',' {
			i = skipSpace(v, i+1)
		}
	}
	return nil
}

// Text returns the decoded content of the string v; ok is false if v is not a
// string. Lone surrogates become U+FFFD.
func (v Value) Text() (text string, ok bool) {
	if v.Kind() != String {
		return "", false
	}
	inner := v[1 : len(v)-1]
	if !hasEscape(inner) {
		return string(inner), true
	}
	return string(appendUnescaped(make([]byte, 0, len(inner)), inner)), true
}

// TextBytes is [Value.Text] without a copy where the string has no escapes: the
// result may share memory with v and must not be changed.
func (v Value) TextBytes() (text []byte, ok bool) {
	if v.Kind() != String {
		return nil, false
	}
	end := len(v) - 1
	inner := v[1:end:end] // appending to it must not write over the quote
	if !hasEscape(inner) {
		return inner, true
	}
	return appendUnescaped(make([]byte, 0, len(inner)), inner), true
}

// TextLen returns the length in bytes of the decoded content of the string v
// without decoding it, and 0 if v is not a string.
func (v Value) TextLen() int {
	if v.Kind() != String {
		return 0
	}
	inner := v[1 : len(v)-1]
	n := 0
	for {
		plain := bytes.IndexByte(inner, '\\')
		if plain < 0 {
			return n + len(inner)
		}
		r, size := unescape(inner[plain:])
		n += plain + utf8.RuneLen(r)
		inner = inner[plain+size:]
	}
}

// TextExceeds reports whether TextLen is more than limit. It only looks at the
// text where its size as JSON leaves that open: a token is never shorter than
// its content, and at most six times as long.
func (v Value) TextExceeds(limit int) bool {
	if v.Kind() != String {
		return limit < 0
	}
	inner := len(v) - 2
	return inner > limit && (inner/6 > limit || v.TextLen() > limit)
}

// unicodeEscape begins every escape that can be a surrogate.
var unicodeEscape = []byte(`\u`)

// HasLoneSurrogate reports whether the string v contains a \u escape that is
// half of a surrogate pair: valid JSON that several client platforms refuse.
func (v Value) HasLoneSurrogate() bool {
	if v.Kind() != String {
		return false
	}
	inner := v[1 : len(v)-1]
	if !bytes.Contains(inner, unicodeEscape) { // searched with vector instructions
		return false
	}
	for {
		plain := bytes.IndexByte(inner, '\\')
		if plain < 0 {
			return false
		}
		inner = inner[plain:]
		r, size := unescape(inner)
		if r == utf8.RuneError && size == 6 && hex4(inner[2:6]) != utf8.RuneError {
			return true
		}
		inner = inner[size:]
	}
}

func decodeKey(token Value) []byte {
	key, _ := token.TextBytes()
	return key
}

func hasEscape(b []byte) bool { return bytes.IndexByte(b, '\\') >= 0 }

// appendUnescaped decodes the inside of a valid string token.
func appendUnescaped(dst, inner []byte) []byte {
	for {
		plain := bytes.IndexByte(inner, '\\')
		if plain < 0 {
			return append(dst, inner...)
		}
		r, size := unescape(inner[plain:])
		dst = utf8.AppendRune(append(dst, inner[:plain]...), r)
		inner = inner[plain+size:]
	}
}

// unescape decodes the valid escape at the start of b, a surrogate pair as one.
// A lone surrogate is U+FFFD of size 6.
func unescape(b []byte) (r rune, size int) {
	switch b[1] {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return rune(b[1]), 2
	}
	r = hex4(b[2:6])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(b[8:12])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// keySet remembers the keys of one object: linear for the few keys of the
// protocol's objects, a map beyond, so that many keys do not cost quadratic time.
type keySet struct {
	few  [8][]byte
	n    int
	many map[string]struct{}
}

// add reports whether key was there already.
func (s *keySet) add(key []byte) bool {
	if s.many == nil {
		for _, k := range s.few[:s.n] {
			if string(k) == string(key) {
				return true
			}
		}
		if s.n < len(s.few) {
			s.few[s.n] = key
			s.n++
			return false
		}
		s.many = make(map[string]struct{}, 2*len(s.few))
		for _, k := range s.few {
			s.many[string(k)] = struct{}{}
		}
	}
	if _, ok := s.many[string(key)]; ok {
		return true
	}
	s.many[string(key)] = struct{}{}
	return false
}
