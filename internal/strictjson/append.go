package strictjson

import "unicode/utf8"

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
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := decodeRune(text[i:])
			if r != utf8.RuneError || n > 1 {
				i += n
				continue
			}
			dst = append(append(dst, text[start:i]...), "\ufffd"...)
		} else {
			dst = appendEscape(append(dst, text[start:i]...), c)
		}
		i++
		start = i
	}
	return append(dst, text[start:]...)
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, '\\', 'b')
	case '\f':
		return append(dst, '\\', 'f')
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// decodeRune is utf8.DecodeRune for both kinds of text; at most four bytes are
// looked at.
func decodeRune[T ~string | ~[]byte](text T) (rune, int) {
	var head [utf8.UTFMax]byte
	n := copy(head[:], text[:min(len(text), utf8.UTFMax)])
	return utf8.DecodeRune(head[:n])
}
