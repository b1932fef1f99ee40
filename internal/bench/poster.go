package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
)

// poster is the state of a connection that makes requests, one at a time. It is
// touched only inside the engine.
type poster struct {
	owner   *publisher
	began   int64 // when the request was begun, 0 while there is none
	out     []byte
	waiting bool // out is to be written once the connection is there
}

// answer is a response to a request, as far as it matters here.
type answer struct {
	status int
	text   []byte // of the body, as long as it has a length
	closes bool   // the connection serves no further request
}

// Bounds of an answer.
const (
	maxAnswerHead = 16 << 10
	maxAnswerBody = 64 << 10
)

var (
	errAnswer     = errors.New("the server's answer is not HTTP/1.1")
	errAnswerSize = errors.New("the server's answer is too long")
)

// cutAnswer cuts the first answer off b. n is its length, 0 if it is not all
// there yet.
func cutAnswer(b []byte) (a answer, n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxAnswerHead {
			return answer{}, 0, errAnswerSize
		}
		return answer{}, 0, nil
	}
	first, rest, _ := bytes.Cut(b[:end], []byte("\r\n"))
	code, ok := bytes.CutPrefix(first, []byte("HTTP/1.1 "))
	if !ok || len(code) < 3 {
		return answer{}, 0, errAnswer
	}
	status, ok := parseDigits(code[:3])
	if !ok || status < 200 {
		return answer{}, 0, errAnswer
	}
	a.status = int(status)
	length, chunked, err := a.header(rest)
	if err != nil {
		return answer{}, 0, err
	}
	body := b[end+4:]
	if chunked {
		n, err := chunkedLength(body)
		if n > 0 {
			n += end + 4
		}
		return a, n, err
	}
	if len(body) < length {
		return answer{}, 0, nil
	}
	a.text = body[:length]
	return a, end + 4 + length, nil
}

// header reads what tells where the answer ends. Without anything it ends with
// the head.
func (a *answer) header(lines []byte) (length int, chunked bool, err error) {
	for line := range bytes.SplitSeq(lines, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 {
				return 0, false, errAnswer
			}
			if length > maxAnswerBody {
				return 0, false, errAnswerSize
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = bytes.EqualFold(value, []byte("chunked"))
		case bytes.EqualFold(name, []byte("Connection")):
			a.closes = bytes.EqualFold(value, []byte("close"))
		}
	}
	return length, chunked, nil
}

// chunkedLength returns the length of a chunked body without trailers, 0 if it
// is not all there yet.
func chunkedLength(b []byte) (n int, err error) {
	for {
		line := bytes.Index(b[n:], []byte("\r\n"))
		if line < 0 {
			return 0, tooLong(b)
		}
		digits, _, _ := bytes.Cut(b[n:n+line], []byte(";"))
		size, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 31)
		if err != nil {
			return 0, errAnswer
		}
		if size > maxAnswerBody {
			return 0, errAnswerSize
		}
		if n += line + 2 + int(size) + 2; n > len(b) {
			return 0, tooLong(b)
		}
		if size == 0 {
			return n, nil
		}
	}
}

// tooLong is for a body whose end has not come.
func tooLong(b []byte) error {
	if len(b) > maxAnswerBody {
		return errAnswerSize
	}
	return nil
}

// received takes what has come in for a poster and returns how much was used.
func (p *poster) received(c *client, b []byte) (used int) {
	a, n, err := cutAnswer(b)
	switch {
	case err != nil:
		p.owner.lost(c, err)
		return 0
	case n == 0:
		return 0
	case p.began == 0 || n < len(b):
		p.owner.lost(c, errors.New("the server answered more than it was asked"))
		return 0
	case a.status > 299:
		err = fmt.Errorf("the server answered %d: %s", a.status, clip(string(a.text)))
	}
	p.owner.answered(c, a.closes, err)
	return n
}
