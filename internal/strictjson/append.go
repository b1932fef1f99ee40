package strictjson

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends text as a JSON string token. Only what JSON demands is
// escaped: `<`, `>`, `&` and U+2028 stay as they are, so that payloads do not
// grow (protocol.md §0). Bytes that are not UTF-8 become U+FFFD.
func AppendString[T ~string | ~[]byte](dst []byte, text T) []byte {
	return append(AppendEscaped(append(dst, '"'), text), '"')
}

// AppendEscaped appends text as it stands inside a JSON string token, without
// the quotes. Use it where one string is built from several pieces.
func AppendEscaped[T ~string | ~[]byte](dst []byte, text T) []byte {
	return appendEscaped(dst, []byte(text)) // no copy, even of a string: nothing there keeps or changes it
}

// appendEscaped looks at eight bytes at once, here as in the scanner. What stands
// between two escapes is copied at once, and only looked at again if it is not
// plain ASCII.
func appendEscaped(dst, text []byte) []byte {
	start, i := 0, 0
	var seen uint64
	for {
		if i+8 <= len(text) {
			word := binary.LittleEndian.Uint64(text[i:])
			seen |= word
			hits := special(word)
			if hits == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(hits) / 8
		} else if i < len(text) {
			if c := text[i]; c >= ' ' && c != '"' && c != '\\' {
				seen |= uint64(c)
				i++
				continue
			}
		}
		if seen&high == 0 || utf8.Valid(text[start:i]) {
			dst = append(dst, text[start:i]...)
		} else {
			dst = appendReplaced(dst, text[start:i])
		}
		if i == len(text) {
			return dst
		}
		if short := shortEscapes[text[i]]; short != 0 {
			dst = append(dst, '\\', short)
		} else {
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[text[i]>>4], hexDigits[text[i]&15])
		}
		i++
		start, seen = i, 0
	}
}

// appendReplaced appends text with U+FFFD for each byte that is no UTF-8.
func appendReplaced(dst, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		dst = utf8.AppendRune(dst, r)
		text = text[n:]
	}
	return dst
}

// shortEscapes tells what follows the backslash in the two-byte escape of a
// byte, 0 where there is none.
var shortEscapes = [256]byte{
	'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't',
}

// QuotedLen returns the length of the JSON text of v as a JSON string token,
// which is what [AppendString] makes of it: a valid text has no bytes to escape
// but quotes, backslashes and white space.
func (v Value) QuotedLen() int {
	n := len(v) + len(`""`)
	for _, c := range [...]string{`"`, `\`, "\n", "\r", "\t"} {
		n += bytes.Count(v, []byte(c)) // counts with vector instructions
	}
	return n
}
