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

// Beginnings of pushed messages, up to and with the kind.
var (
	messagePush  = []byte(">3\r\n$7\r\nmessage\r\n")
	smessagePush = []byte(">3\r\n$8\r\nsmessage\r\n")
)

// next returns a message that was published, or any other value.
func (r respReader) next() (message []byte, other value, err error) {
	first, err := r.r.Peek(1)
	if err != nil {
		return nil, value{}, err
	}
	if first[0] != '>' {
		other, err = r.any()
		return nil, other, err
	}
	ahead, err := r.r.Peek(len(smessagePush)) // no push is shorter
	if err != nil {
		return nil, value{}, err
	}
	if bytes.HasPrefix(ahead, messagePush) {
		return r.message(len(messagePush))
	}
	if bytes.HasPrefix(ahead, smessagePush) {
		return r.message(len(smessagePush))
	}
	other, err = r.any()
	return nil, other, err
}

// any reads a value of whichever kind.
func (r respReader) any() (value, error) {
	budget := maxElements
	return r.value(maxDepth, &budget)
}

// message reads name and contents of a message; the name is not needed.
func (r respReader) message(begun int) ([]byte, value, error) {
	if _, err := r.r.Discard(begun); err != nil {
		return nil, value{}, err
	}
	length, err := r.header('$', maxText)
	if err != nil {
		return nil, value{}, err
	}
	if _, err := r.r.Discard(length + 2); err != nil {
		return nil, value{}, err
	}
	if length, err = r.header('$', maxMessage); err != nil {
		return nil, value{}, err
	}
	message, err := r.bytes(length)
	return message, value{}, err
}

// bytes reads a string of known length and the line's end after it.
func (r respReader) bytes(length int) ([]byte, error) {
	text := make([]byte, length)
	if _, err := io.ReadFull(r.r, text); err != nil {
		return nil, err
	}
	var end [2]byte
	if _, err := io.ReadFull(r.r, end[:]); err != nil {
		return nil, err
	}
	if string(end[:]) != "\r\n" {
		return nil, fmt.Errorf("%w: a string is longer than it says", errProtocol)
	}
	if r.raw != nil {
		r.raw.Write(text)
		r.raw.Write(end[:])
	}
	return text, nil
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
