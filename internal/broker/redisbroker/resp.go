package redisbroker

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds of what a server may send. They are far above what it has reason to: the
// longest answer is that to CLUSTER SLOTS, with some hundred bytes for each range.
const (
	maxLine     = 16 << 10 // of one line; also the size of a reading buffer, at least
	maxMessage  = 64 << 20 // of one published message
	maxText     = 1 << 20  // of any other string
	maxElements = 1 << 16  // of one answer, at all depths
	maxDepth    = 6
)

// errProtocol says that a server does not speak RESP3, or lies in it.
var errProtocol = errors.New("the server's answer is not understood")

// value is an answer of a server.
type value struct {
	kind     byte    // the first byte of its form in RESP3
	text     string  // of strings, numbers and errors
	elements []value // of arrays, sets, pushes; of maps: keys and values in turn
}

// respReader reads RESP3 from a server that is not trusted.
type respReader struct {
	r   *bufio.Reader
	raw *bytes.Buffer // gets the bytes of values as they are read, unless nil
}

func newRespReader(from io.Reader, size int) respReader {
	return respReader{r: bufio.NewReaderSize(from, max(size, maxLine))}
}

// push is what comes without being asked for, and confirmations.
type push struct {
	kind    pushKind
	message []byte // of a published message; never nil then
}

type pushKind uint8

const (
	noPush pushKind = iota // an answer
	otherPush
	messagePush
	subscribed
	unsubscribed
	ssubscribed
	sunsubscribed
)

// pushKinds has the names that matter. Other pushes are skipped: servers may tell
// more than they are asked.
var pushKinds = map[string]pushKind{
	"message": messagePush, "smessage": messagePush,
	"subscribe": subscribed, "unsubscribe": unsubscribed,
	"ssubscribe": ssubscribed, "sunsubscribe": sunsubscribed,
}

// next returns a push or an answer.
func (r respReader) next() (push, value, error) {
	first, err := r.r.Peek(1)
	if err != nil {
		return push{}, value{}, err
	}
	if first[0] != '>' {
		v, err := r.any()
		return push{}, v, err
	}
	p, err := r.push()
	return p, value{}, err
}

// push reads a push. Those that matter have three parts: two strings, and a third
// one or a number.
func (r respReader) push() (push, error) {
	elements, err := r.header('>', maxElements)
	if err != nil {
		return push{}, err
	}
	if elements == 0 {
		return push{}, fmt.Errorf("%w: an empty push", errProtocol)
	}
	kind, err := r.pushKind()
	switch {
	case err != nil:
		return push{}, err
	case kind == otherPush:
		return push{kind: kind}, r.skip(elements - 1)
	case elements != 3:
		return push{}, fmt.Errorf("%w: a push of %d parts", errProtocol, elements)
	}
	name, err := r.header('$', maxText)
	if err != nil {
		return push{}, err
	}
	if _, err := r.r.Discard(name + 2); err != nil {
		return push{}, err
	}
	if kind != messagePush {
		_, err := r.line() // how many subscriptions there are now
		return push{kind: kind}, err
	}
	size, err := r.header('$', maxMessage)
	if err != nil {
		return push{}, err
	}
	message, err := r.bytes(size)
	return push{kind, message}, err
}

func (r respReader) pushKind() (pushKind, error) {
	length, err := r.header('$', maxLine-2)
	if err != nil {
		return noPush, err
	}
	name, err := r.r.Peek(length)
	if err != nil {
		return noPush, err
	}
	kind, known := pushKinds[string(name)]
	if !known {
		kind = otherPush
	}
	_, err = r.r.Discard(length + 2)
	return kind, err
}

func (r respReader) skip(values int) error {
	budget := maxElements
	for range values {
		if _, err := r.value(maxDepth, &budget); err != nil {
			return err
		}
	}
	return nil
}

// any reads a value of whichever kind.
func (r respReader) any() (value, error) {
	budget := maxElements
	return r.value(maxDepth, &budget)
}

// bytes reads a string of known length and the line's end after it.
func (r respReader) bytes(length int) ([]byte, error) {
	text := make([]byte, length)
	if _, err := io.ReadFull(r.r, text); err != nil {
		return nil, err
	}
	end, err := r.r.Peek(2)
	if err != nil {
		return nil, err
	}
	if string(end) != "\r\n" {
		return nil, fmt.Errorf("%w: a string is longer than it says", errProtocol)
	}
	if r.raw != nil {
		r.raw.Write(text)
		r.raw.Write(end)
	}
	_, err = r.r.Discard(2)
	return text, err
}

// header reads a line that has to be of one kind, with a length.
func (r respReader) header(kind byte, limit int) (int, error) {
	line, err := r.line()
	if err != nil {
		return 0, err
	}
	if line[0] != kind {
		return 0, fmt.Errorf("%w: %q where %q belongs", errProtocol, line[0], kind)
	}
	return length(line[1:], limit)
}

// line reads a line of at least one byte, without its end. It is valid until the
// next reading.
func (r respReader) line() ([]byte, error) {
	line, err := r.r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(line) > maxLine {
		return nil, fmt.Errorf("%w: a line of over %d bytes", errProtocol, maxLine)
	}
	if err != nil {
		return nil, err
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return nil, fmt.Errorf("%w: a line without its end", errProtocol)
	}
	if r.raw != nil {
		r.raw.Write(line)
	}
	return line[:len(line)-2], nil
}

func length(digits []byte, limit int) (int, error) {
	n := 0
	for _, c := range digits {
		if c < '0' || c > '9' || n > limit {
			return 0, fmt.Errorf("%w: a length of %.20q", errProtocol, digits)
		}
		n = 10*n + int(c-'0')
	}
	if len(digits) == 0 || n > limit {
		return 0, fmt.Errorf("%w: a length of %.20q", errProtocol, digits)
	}
	return n, nil
}

// value reads any value, of which budget says how many there may be.
func (r respReader) value(depth int, budget *int) (value, error) {
	line, err := r.line()
	if err != nil {
		return value{}, err
	}
	if *budget--; *budget < 0 || depth == 0 {
		return value{}, fmt.Errorf("%w: too much of it", errProtocol)
	}
	v := value{kind: line[0]}
	switch line[0] {
	case '+', '-', ':', ',', '#', '(', '_':
		v.text = string(line[1:])
		return v, nil
	case '$', '=', '!':
		if string(line[1:]) == "-1" {
			return value{kind: '_'}, nil
		}
		n, err := length(line[1:], maxText)
		if err != nil {
			return value{}, err
		}
		text, err := r.bytes(n)
		v.text = string(text)
		return v, err
	case '*', '~', '>', '%':
		return r.elements(v, line[1:], depth, budget)
	default:
		return value{}, fmt.Errorf("%w: a value that begins with %q", errProtocol, line[0])
	}
}

func (r respReader) elements(v value, count []byte, depth int, budget *int) (value, error) {
	if string(count) == "-1" {
		return value{kind: '_'}, nil
	}
	n, err := length(count, maxElements)
	if err != nil {
		return value{}, err
	}
	if v.kind == '%' {
		n *= 2
	}
	v.elements = make([]value, 0, min(n, 64))
	for range n {
		e, err := r.value(depth-1, budget)
		if err != nil {
			return value{}, err
		}
		v.elements = append(v.elements, e)
	}
	return v, nil
}

// get returns the text under a key of a map.
func (v value) get(key string) string {
	for i := 0; i+1 < len(v.elements); i += 2 {
		if v.elements[i].text == key {
			return v.elements[i+1].text
		}
	}
	return ""
}

// appendCommand appends a command of so many arguments in all; appendArgument has to
// follow as often.
func appendCommand(to []byte, arguments int) []byte { return appendHeader(to, '*', arguments) }

func appendArgument[T string | []byte](to []byte, argument T) []byte {
	to = appendHeader(to, '$', len(argument))
	return append(append(to, argument...), "\r\n"...)
}

func appendHeader(to []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(to, kind), int64(n), 10), "\r\n"...)
}
