package strictjson

import "errors"

// MaxDepth is how deep arrays and objects may nest. Official clients and server
// libraries send three levels; 128 leaves room for payloads while keeping the
// parser's recursion, and every later reader's, shallow.
const MaxDepth = 128

// Errors of [Parse] and [ParseObject]. They carry no part of the text: it may
// hold secrets.
var (
	ErrSyntax  = errors.New("invalid JSON")
	ErrDepth   = errors.New("JSON nested too deeply")
	ErrUTF8    = errors.New("JSON is not valid UTF-8")
	ErrTwice   = errors.New("JSON object names a key twice")
	ErrNotType = errors.New("JSON value has another type")
)

// Parse validates that text is exactly one JSON value (RFC 8259), white space
// around it allowed, and returns that value without the white space. The value
// shares memory with text.
func Parse(text []byte) (Value, error) {
	s := scanner{text: text}
	start := skipSpace(text, 0)
	end := s.finish(s.value(start, 0))
	if end < 0 {
		return nil, s.err
	}
	return Value(text[start:end:end]), nil
}

// ParseObject is [Parse] and [Value.Members] in one pass: it validates text and
// calls each for every member of the object that text must be. The key is valid
// only during the call. Whatever each has seen counts only if the error is nil:
// what follows in the text may be wrong. The error is one of Parse, [ErrNotType]
// for valid JSON of another type, [ErrTwice] at the second member of a name, or
// the first error of each.
func ParseObject(text []byte, each func(key []byte, value Value) error) error {
	s := scanner{text: text}
	start := skipSpace(text, 0)
	if s.at(start) != '{' {
		if _, err := Parse(text); err != nil {
			return err
		}
		return ErrNotType
	}
	if s.finish(s.members(start, each)) < 0 {
		return s.err
	}
	return nil
}
