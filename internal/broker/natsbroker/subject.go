package natsbroker

import (
	"errors"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// maxPrefix keeps subjects far below the 4,096 bytes that a server takes in one
// line: an id of 200 bytes and a channel's name of 216 can become three times that.
const maxPrefix = 200

// checkPrefix refuses what would not be the beginning of a plain subject.
func checkPrefix(prefix string) error {
	if prefix == "" || len(prefix) > maxPrefix {
		return errors.New("the prefix must have 1 to 200 characters")
	}
	for token := range strings.SplitSeq(prefix, ".") {
		if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r > 0x7f || !plain(byte(r)) }) {
			return errors.New("the prefix may hold letters, digits, - and _, and single dots between them")
		}
	}
	return nil
}

// name returns the NATS subject that stands for s.
func name(prefix string, s broker.Subject) string {
	switch s.Kind {
	case broker.ToNode:
		return prefix + ".node." + s.Node.String()
	case broker.ToChannel:
		var room [256]byte
		b := append(room[:0], prefix...)
		b = append(b, ".ch."...)
		b = appendToken(b, s.App)
		b = append(b, '.')
		b = appendToken(b, s.Channel)
		return string(b)
	default:
		return prefix + ".all"
	}
}

// appendToken appends text as one token of a subject: bytes with a meaning for NATS,
// and all that is not plain, become % and two hex digits; nothing becomes a lone %.
// Distinct texts become distinct tokens.
func appendToken(b []byte, text string) []byte {
	const hex = "0123456789ABCDEF"
	if text == "" {
		return append(b, '%')
	}
	for i := range len(text) {
		c := text[i]
		if plain(c) || c == '=' || c == '@' || c == ',' || c == ';' {
			b = append(b, c)
			continue
		}
		b = append(b, '%', hex[c>>4], hex[c&15])
	}
	return b
}

func plain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}
