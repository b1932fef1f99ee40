package auth

import (
	"iter"
	"slices"
	"strings"
)

// valueForm is a way to write the parameters into the text to sign.
type valueForm uint8

// The forms in the order in which they are tried. All but the first are habits
// of libraries in use (§6.3).
const (
	valuesDecoded     valueForm = iota // as documented
	valuesJoined                       // channels[]=a&channels[]=b as channels=a,b (PHP)
	valuesPlusLiteral                  // a plus on the wire is a plus
	valuesRaw                          // not decoded at all
)

// textSize holds the text of an ordinary request without growing.
const textSize = 320

// candidates yields the texts that the sender may have signed, the documented
// one first. An ordinary request has one; a request that leaves every habit
// possible has six, twice that under a mount prefix. The text is valid until
// the next one is asked for.
func (r *Request) candidates() iter.Seq2[[]byte, valueForm] {
	return func(yield func([]byte, valueForm) bool) {
		if !yield(r.documentedText(), valuesDecoded) {
			return
		}
		for _, form := range r.Query.forms() {
			params := r.Query.signed(form)
			for i, path := range r.paths(form) {
				if form == valuesDecoded && i == 0 {
					continue
				}
				r.Query.text = appendText(r.Query.text[:0], r.Method, path, params)
				if !yield(r.Query.text, form) {
					return
				}
			}
		}
	}
}

// documentedText returns the text of the documentation, in the query's memory.
func (r *Request) documentedText() []byte {
	q := r.Query
	if q.text == nil {
		q.text = make([]byte, 0, textSize)
	}
	q.text = appendText(q.text[:0], r.Method, r.Path, q.signed(valuesDecoded))
	return q.text
}

// paths returns the distinct paths that the sender may have signed: as
// received, percent-decoded, and both without the mount prefix. Whoever signs
// values as they are on the wire does so with the path as well.
func (r *Request) paths(form valueForm) []string {
	paths := append(make([]string, 0, 4), r.Path)
	if form <= valuesJoined && strings.IndexByte(r.Path, '%') >= 0 {
		if decoded := unescape(r.Path, false); decoded != r.Path {
			paths = append(paths, decoded)
		}
	}
	if r.Mount == "" {
		return paths
	}
	for _, p := range paths {
		if rest, ok := strings.CutPrefix(p, r.Mount); ok && strings.HasPrefix(rest, "/") {
			paths = append(paths, rest)
		}
	}
	return paths
}

// forms returns the forms that make a difference for these parameters.
func (q *Query) forms() []valueForm {
	var arrays, pluses, escapes bool
	for i := range q.params {
		p := &q.params[i]
		_, array := arrayName(p.name)
		arrays = arrays || array
		pluses = pluses || strings.IndexByte(p.raw, '+') >= 0
		escapes = escapes || strings.IndexByte(p.raw, '%') >= 0 && unescape(p.raw, false) != p.raw
	}
	forms := append(make([]valueForm, 0, 4), valuesDecoded)
	if arrays {
		forms = append(forms, valuesJoined)
	}
	if pluses {
		forms = append(forms, valuesPlusLiteral)
	}
	if escapes {
		forms = append(forms, valuesRaw)
	}
	return forms
}

// signed returns the parameters that the signature covers, values in the given
// form, sorted by name in byte order. Equal names keep the order of the wire.
// The result is valid until the next call.
func (q *Query) signed(form valueForm) []param {
	params := slices.Grow(q.sorted[:0], len(q.params))
	for _, p := range q.params {
		if p.name == paramSignature {
			continue
		}
		switch form {
		case valuesDecoded:
		case valuesJoined:
			p.name, _ = arrayName(p.name)
		case valuesPlusLiteral:
			p.value = unescape(p.raw, false)
		case valuesRaw:
			p.value = p.raw
		}
		params = append(params, p)
	}
	q.sorted = params
	slices.SortStableFunc(params, func(a, b param) int { return strings.Compare(a.name, b.name) })
	if form == valuesJoined {
		return join(params)
	}
	return params
}

// join makes one parameter of each run of equal names.
func join(sorted []param) []param {
	joined := sorted[:0]
	for start := 0; start < len(sorted); {
		end := start + 1
		for end < len(sorted) && sorted[end].name == sorted[start].name {
			end++
		}
		p := sorted[start]
		if end-start > 1 {
			values := make([]string, 0, end-start)
			for _, element := range sorted[start:end] {
				values = append(values, element.value)
			}
			p.value = strings.Join(values, ",")
		}
		joined = append(joined, p)
		start = end
	}
	return joined
}

// appendText appends METHOD \n PATH \n k1=v1&k2=v2 (§6.3).
func appendText(dst []byte, method, path string, params []param) []byte {
	dst = append(append(dst, method...), '\n')
	dst = append(append(dst, path...), '\n')
	for i := range params {
		if i > 0 {
			dst = append(dst, '&')
		}
		dst = append(append(dst, params[i].name...), '=')
		dst = append(dst, params[i].value...)
	}
	return dst
}
