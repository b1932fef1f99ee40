package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
	"encoding/hex"
	"hash"
	"sync"
)

// mac computes HMAC-SHA256 (RFC 2104) without garbage. crypto/hmac makes seven
// allocations for each text and hashes both pads of the secret each time, two of
// some five blocks. A mac keeps the states of the hash behind the pads, together
// with the secret they belong to: servers sign with few secrets, so that the one
// from the pool is nearly always ready for the secret in hand.
type mac struct {
	secret       Secret // owner of the states
	inner, outer []byte // empty until the first secret
	hash         digest

	// What is to be hashed goes through here, so that nobody's text has to be on
	// the heap because it is signed.
	chunk [512]byte
	n     int

	sum, claimed [sha256.Size]byte
}

// digest is what sha256.New is documented to return. Its errors are those of
// foreign states.
type digest interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

var macs = sync.Pool{New: func() any { return &mac{hash: sha256.New().(digest)} }}

// startMAC returns a mac that waits for a text. Call its free when done.
func startMAC(s Secret) *mac {
	m := macs.Get().(*mac)
	if m.secret != s || len(m.inner) == 0 {
		m.rekey(s)
	}
	m.n = 0 // a signature of a wrong form leaves its text behind
	_ = m.hash.UnmarshalBinary(m.inner)
	return m
}

func (m *mac) free() { macs.Put(m) }

func (m *mac) rekey(s Secret) {
	var key [sha256.BlockSize]byte
	if len(s) <= len(key) {
		copy(key[:], s)
	} else {
		sum := sha256.Sum256([]byte(s))
		copy(key[:], sum[:])
	}
	m.inner = m.appendPad(m.inner[:0], key, 0x36)
	m.outer = m.appendPad(m.outer[:0], key, 0x5c)
	m.secret = s
}

// appendPad appends the state of the hash behind key, masked.
func (m *mac) appendPad(state []byte, key [sha256.BlockSize]byte, mask byte) []byte {
	for i := range key {
		key[i] ^= mask
	}
	m.hash.Reset()
	m.n = copy(m.chunk[:], key[:])
	m.flush()
	clear(m.chunk[:len(key)])
	state, _ = m.hash.AppendBinary(state)
	return state
}

// write adds to the text.
func write[T ~string | ~[]byte](m *mac, text T) {
	for len(text) > 0 {
		n := copy(m.chunk[m.n:], text)
		text = text[n:]
		if m.n += n; m.n == len(m.chunk) {
			m.flush()
		}
	}
}

func (m *mac) flush() {
	m.hash.Write(m.chunk[:m.n])
	m.n = 0
}

// total returns the MAC of the text, valid until the next use of m.
func (m *mac) total() []byte {
	m.flush()
	inner := m.hash.Sum(m.sum[:0])
	_ = m.hash.UnmarshalBinary(m.outer)
	m.hash.Write(inner)
	return m.hash.Sum(m.sum[:0])
}

// hex returns the MAC as a signature is written.
func (m *mac) hex() string {
	var digits [2 * sha256.Size]byte
	hex.Encode(digits[:], m.total())
	return string(digits[:])
}

// matches reports whether signature, in upper or lower case, is the text's. It
// takes the same time for every wrong one of 64 digits.
func (m *mac) matches(signature string) bool {
	if len(signature) != hex.EncodedLen(len(m.claimed)) {
		return false
	}
	if _, err := hex.Decode(m.claimed[:], []byte(signature)); err != nil {
		return false
	}
	return subtle.ConstantTimeCompare(m.total(), m.claimed[:]) == 1
}
