package auth

import (
	"log/slog"
	"time"
)

const redacted = "<secret>"

// Secret is the secret half of a key pair. Every way to print it gives
// "<secret>"; only signing reads it.
type Secret string

// String implements fmt.Stringer.
func (Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return redacted }

// MarshalText implements encoding.TextMarshaler.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Sign returns the HMAC-SHA256 of text as lower-case hex. The result is all that
// it allocates; text is not kept.
func (s Secret) Sign(text []byte) string {
	m := startMAC(s)
	defer m.free()
	write(m, text)
	return m.hex()
}

// Verify reports whether signature is the hex HMAC-SHA256 of text, in upper or
// lower case. It takes the same time for every wrong signature of 64 digits, and
// does not allocate.
func (s Secret) Verify(text []byte, signature string) bool {
	m := startMAC(s)
	defer m.free()
	write(m, text)
	return m.matches(signature)
}

// Key is one key pair of an app.
type Key struct {
	Key     string
	Secret  Secret
	Created time.Time // zero if unknown
}

// Keys are the active key pairs of an app, oldest first.
type Keys []Key

// Find returns the pair with the given key.
func (k Keys) Find(key string) (Key, bool) {
	for _, pair := range k {
		if pair.Key == key {
			return pair, true
		}
	}
	return Key{}, false
}

// Oldest returns the pair that signs webhooks (§8.1).
func (k Keys) Oldest() Key {
	if len(k) == 0 {
		return Key{}
	}
	return k[0]
}
