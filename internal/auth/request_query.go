package auth

import "strings"

// Query holds the parameters of a request in the order of the wire, their names
// in lower case. It shares memory with the query string it was parsed from. The
// zero value is a query without parameters; it is used by one goroutine.
type Query struct {
	params []param

	// Memory of the text to sign, kept from one request to the next.
	sorted []param
	text   []byte

	// Set by Request.VerifyWith: the signature covers values in which a plus is
	// a plus, so that is what the sender means.
	plusLiteral bool
}

type param struct {
	name  string // decoded, ASCII letters in lower case
	value string // decoded, a plus read as a space
	raw   string // as received
}

// ParseQuery returns a new query; see [Query.Parse].
func ParseQuery(raw string) *Query {
	q := &Query{params: make([]param, 0, strings.Count(raw, "&")+1)}
	q.Parse(raw)
	return q
}

// Parse makes q the parameters of a query string and forgets those it had; only
// their memory is used again. Pairs are split at "&" only and at the first "=",
// since several libraries send ";" and "=" as they are. An escape that is none
// stays as it is: what it means is for the signature to decide.
func (q *Query) Parse(raw string) {
	q.Forget()
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		q.params = append(q.params, param{
			name:  lower(unescape(name, true)),
			value: unescape(value, true),
			raw:   value,
		})
	}
}

// maxKeptParams bounds the memory that a query keeps: a signed request has five
// parameters, a trigger with everything in the query a few more.
const maxKeptParams = 32

// Forget lets go of the parameters and of the query string.
func (q *Query) Forget() {
	if cap(q.params) > maxKeptParams || cap(q.text) > maxKeptParams*textSize {
		*q = Query{}
		return
	}
	clear(q.params)
	clear(q.sorted)
	*q = Query{params: q.params[:0], sorted: q.sorted[:0], text: q.text[:0]}
}

// Get returns the first value of a parameter. The name is given in lower case.
func (q *Query) Get(name string) (value string, ok bool) {
	for i := range q.params {
		if q.params[i].name == name {
			return q.valueOf(&q.params[i]), true
		}
	}
	return "", false
}

// List returns the values of an array parameter, name[]=a&name[]=b or
// name[0]=a&name[1]=b, in the order of the wire. The name is given in lower
// case and without brackets.
func (q *Query) List(name string) (values []string, ok bool) {
	for i := range q.params {
		if array, is := arrayName(q.params[i].name); is && array == name {
			values = append(values, q.valueOf(&q.params[i]))
		}
	}
	return values, values != nil
}

func (q *Query) valueOf(p *param) string {
	if q.plusLiteral {
		return unescape(p.raw, false)
	}
	return p.value
}

// arrayName cuts the brackets of an element of an array.
func arrayName(name string) (array string, ok bool) {
	i := strings.LastIndexByte(name, '[')
	if i < 0 || name[len(name)-1] != ']' {
		return name, false
	}
	if strings.Trim(name[i+1:len(name)-1], "0123456789") != "" {
		return name, false
	}
	return name[:i], true
}

// lower folds ASCII letters only: every other byte is part of the signed text
// as it stands.
func lower(s string) string {
	for i := range len(s) {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for j := i; j < len(b); j++ {
				if 'A' <= b[j] && b[j] <= 'Z' {
					b[j] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// unescape decodes percent escapes, and with plus set a plus to a space. A
// percent sign without two hexadecimal digits stays.
func unescape(s string, plus bool) string {
	if strings.IndexByte(s, '%') < 0 && (!plus || strings.IndexByte(s, '+') < 0) {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '%' && i+2 < len(s) && hexDigit(s[i+1]) >= 0 && hexDigit(s[i+2]) >= 0:
			b = append(b, byte(hexDigit(s[i+1])<<4|hexDigit(s[i+2])))
			i += 2
		case c == '+' && plus:
			b = append(b, ' ')
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
