package fastlane

import (
	"bytes"
	"strings"
)

// head is the head of a request that can be served here.
type head struct {
	path, query string // as received
	size        int    // bytes of the head, the empty line included
	length      int    // bytes of the body
	closes      bool   // the client wants no further answer on this connection
}

// verdict is what reading a head has come to.
type verdict uint8

const (
	served  verdict = iota // the head is there and understood
	partial                // so far it is, and more has to come
	foreign                // net/http has to look at it
)

// maxHead is the longest head that is served here, in bytes. The query of a
// signed request takes about 250.
const maxHead = 4 << 10

// maxLengthDigits keeps a length far below overflow; the API's limit for bodies
// is far below that.
const maxLengthDigits = 10

const (
	method  = "POST "
	version = " HTTP/1.1"
)

// readHead reads the head at the start of b. It understands what backends send
// and nothing else: one form of line ending, a body with a length, header lines
// that change nothing. Whatever is unusual, ambiguous or wrong is foreign, so
// that there is one place, net/http, where such things are decided.
func readHead(b []byte) (h head, v verdict) {
	if n := min(len(b), len(method)); string(b[:n]) != method[:n] {
		return head{}, foreign
	}
	line, rest, v := cutLine(b)
	if v != served {
		return head{}, v
	}
	target, ok := bytes.CutSuffix(line[len(method):], []byte(version))
	if !ok || !isTarget(target) {
		return head{}, foreign
	}
	fields := fields{length: -1}
	for {
		if line, rest, v = cutLine(rest); v != served {
			return head{}, v
		}
		if len(line) == 0 {
			break
		}
		if !fields.read(line) {
			return head{}, foreign
		}
	}
	if fields.length < 0 || !fields.host {
		return head{}, foreign
	}
	h = head{size: len(b) - len(rest), length: fields.length, closes: fields.closes}
	h.path, h.query, _ = strings.Cut(string(target), "?")
	return h, served
}

// cutLine cuts the first line off b.
func cutLine(b []byte) (line, rest []byte, v verdict) {
	end := bytes.IndexByte(b, '\n')
	switch {
	case end < 0:
		return nil, nil, partial
	case end == 0 || b[end-1] != '\r':
		return nil, nil, foreign
	}
	return b[:end-1], b[end+1:], served
}

// isTarget reports whether a request target is a path with a query, in bytes
// that mean nothing to the framing of a request.
func isTarget(target []byte) bool {
	if len(target) == 0 || target[0] != '/' {
		return false
	}
	for _, c := range target {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// fields is what the header lines of a request say that matters here.
type fields struct {
	length int // -1: not there
	host   bool
	closes bool
}

// read takes in a line and reports whether it leaves the request one that can
// be served here.
func (f *fields) read(line []byte) bool {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return false
	}
	name, value := line[:colon], bytes.Trim(line[colon+1:], " \t")
	if !isToken(name) || !isText(value) {
		return false
	}
	switch len(name) { // spares comparing most names with anything
	case len("host"):
		if is(name, "host") {
			return f.readHost(value)
		}
	case len("connection"):
		if is(name, "connection") {
			return f.readConnection(value)
		}
	case len("content-length"):
		if is(name, "content-length") {
			return f.readLength(value)
		}
	case len("expect"):
		return !is(name, "expect")
	case len("upgrade"):
		return !is(name, "upgrade") && !is(name, "trailer")
	case len("transfer-encoding"):
		return !is(name, "transfer-encoding")
	}
	return true
}

func (f *fields) readHost(value []byte) bool {
	if f.host || len(value) == 0 {
		return false
	}
	f.host = true
	for _, c := range value {
		if !isAlphanumeric(c) && strings.IndexByte(".-:[]_", c) < 0 {
			return false
		}
	}
	return true
}

func (f *fields) readConnection(value []byte) bool {
	if is(value, "close") {
		f.closes = true
		return true
	}
	return is(value, "keep-alive")
}

func (f *fields) readLength(value []byte) bool {
	if f.length >= 0 || len(value) == 0 || len(value) > maxLengthDigits {
		return false
	}
	f.length = 0
	for _, c := range value {
		if c < '0' || c > '9' {
			return false
		}
		f.length = 10*f.length + int(c-'0')
	}
	return true
}

// is compares with a word in lower case.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isToken reports whether b may be the name of a header line (RFC 9110 §5.6.2).
func isToken(b []byte) bool {
	for _, c := range b {
		if !tokens[c] {
			return false
		}
	}
	return true
}

// isText reports whether b may be the value of a header line: no control
// characters but tabs.
func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

var tokens = func() (set [256]bool) {
	for c := range set {
		set[c] = isAlphanumeric(byte(c)) || c > ' ' && strings.IndexByte("!#$%&'*+-.^_`|~", byte(c)) >= 0
	}
	return set
}()
