package strictjson

import (
	"encoding/binary"
	"math/bits"
)

// Constants for looking at eight bytes at once: a byte in every lane.
const (
	lanes  = 0x0101010101010101
	high   = 0x80 * lanes
	spaces = ' ' * lanes
	quotes = '"' * lanes
	slants = '\\' * lanes
)

// special returns the bytes of word that end a run of plain text in a string: a
// quote, a backslash or a control character. The lowest bit that is set is the
// high bit of the first such byte; what stands above it means nothing.
//
// Taking 1 from a lane borrows into its high bit exactly if the lane was zero,
// and taking a space exactly if it was less; lanes that had the high bit before
// are beyond ASCII and plain.
func special(word uint64) uint64 {
	return ((word - spaces) | ((word ^ quotes) - lanes) | ((word ^ slants) - lanes)) &^ word & high
}

// skipPlain returns the index of the first special byte of b at or behind i, or
// len(b). ascii is false if there may be bytes beyond ASCII on the way.
func skipPlain(b []byte, i int) (end int, ascii bool) {
	var seen uint64
	for ; i+8 <= len(b); i += 8 {
		word := binary.LittleEndian.Uint64(b[i:])
		seen |= word
		if hit := special(word); hit != 0 {
			return i + bits.TrailingZeros64(hit)/8, seen&high == 0
		}
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		seen |= uint64(c)
	}
	return i, seen&high == 0
}

func skipDigits(b []byte, i int) int {
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	return i
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\t' || b[i] == '\n' || b[i] == '\r') {
		i++
	}
	return i
}

// skipValue returns the index behind the value at v[i]; v is known to be valid.
func skipValue(v Value, i int) int {
	switch v[i] {
	case '"':
		return skipString(v, i)
	case '{', '[':
		for depth := 0; ; {
			switch v[i] {
			case '"':
				i = skipString(v, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
	}
	for i < len(v) {
		switch v[i] {
		case ',', '}', ']', ' ', '\t', '\n', '\r':
			return i
		}
		i++
	}
	return i
}

func skipString(v Value, i int) int {
	for i++; ; i += 2 {
		if i, _ = skipPlain(v, i); v[i] == '"' {
			return i + 1
		}
	}
}
