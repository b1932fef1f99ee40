package protocol

import (
	"crypto/rand"
	"encoding/binary"
	"strconv"
)

// SocketID names one connection, cluster-wide: two decimal integers and a dot.
type SocketID string

// socketIDPart is the number of values of each half: 1 … 9 999 999 999. Two
// halves carry 66 bits, over the 60 that §2.2 demands.
const socketIDPart = 9_999_999_999

// NewSocketID returns a random socket id. It cannot be guessed, and 66 random
// bits make a repetition within a signature's useful life negligible.
func NewSocketID() SocketID {
	buf := make([]byte, 0, 21)
	buf = strconv.AppendUint(buf, randomPart(), 10)
	buf = append(buf, '.')
	return SocketID(strconv.AppendUint(buf, randomPart(), 10))
}

// randomPart returns a uniform integer of 1 … socketIDPart.
func randomPart() uint64 {
	const limit = (1<<64 - 1) / socketIDPart * socketIDPart
	for {
		var raw [8]byte
		_, _ = rand.Read(raw[:]) // never fails, crashes the program instead
		if n := binary.LittleEndian.Uint64(raw[:]); n < limit {
			return 1 + n%socketIDPart
		}
	}
}

// ValidSocketID reports whether id has the form of a socket id: digits, a dot,
// digits. It says nothing about whether such a connection exists.
func ValidSocketID(id string) bool {
	dot := false
	digits := 0
	for i := range len(id) {
		switch c := id[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c == '.' && !dot && digits > 0:
			dot, digits = true, 0
		default:
			return false
		}
	}
	return dot && digits > 0
}
