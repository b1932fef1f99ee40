package auth

import (
	"crypto/md5" //nolint:gosec // the protocol's body_md5; the signature over it is what protects the body
	"encoding/hex"
	"strconv"
	"strings"
	"time"
)

// Window is how far a request's timestamp may lie from the server's clock, on
// either side, the limit included (§6.3). Within it a request can be replayed,
// as against the hosted service.
const Window = 600 * time.Second

// emptyMD5 is the MD5 of nothing, which the Python library sends with a GET.
const emptyMD5 = "d41d8cd98f00b204e9800998ecf8427e"

// Parameters that every signed request carries. They are never passed on to an
// endpoint.
const (
	paramKey       = "auth_key"
	paramTimestamp = "auth_timestamp"
	paramVersion   = "auth_version"
	paramSignature = "auth_signature"
	paramBodyMD5   = "body_md5"

	authVersion = "1.0"
)

// Request is what the signature of an HTTP API request covers (§6.3). It is
// used by one goroutine.
type Request struct {
	Method string
	Path   string // as received: still escaped, without the query
	Mount  string // prefix of Path that the sender may have left out of the signed text, "" for none
	Query  *Query
	Body   []byte // only read

	// Explain makes error texts tell what was compared (development mode). They
	// hold nothing that the sender does not have.
	Explain bool
}

// Verify checks the request in the order of §6.3. The error is a
// [*RequestError]; its text goes to the sender.
func (r *Request) Verify(keys Keys, now time.Time) error {
	pair, err := r.Credentials(keys, now)
	if err != nil {
		return err
	}
	return r.VerifyWith(pair, now)
}

// Credentials does the first half of [Request.Verify], for which the body is
// not needed: all parameters there, a known version, a key of the app, a
// timestamp within [Window]. It returns the pair to pass to
// [Request.VerifyWith]. Nothing is proven yet.
func (r *Request) Credentials(keys Keys, now time.Time) (Key, error) {
	for _, name := range [...]string{paramKey, paramTimestamp, paramVersion, paramSignature} {
		if v, _ := r.Query.Get(name); v == "" {
			return Key{}, errMissing(name)
		}
	}
	if version, _ := r.Query.Get(paramVersion); version != authVersion {
		return Key{}, errVersion
	}
	key, _ := r.Query.Get(paramKey)
	pair, ok := keys.Find(key)
	if !ok {
		return Key{}, errUnknownKey
	}
	if err := r.checkTimestamp(now); err != nil {
		return Key{}, err
	}
	return pair, nil
}

func (r *Request) checkTimestamp(now time.Time) error {
	sent, _ := r.Query.Get(paramTimestamp)
	seconds, ok := parseSeconds(sent)
	if !ok {
		return errTimestampFormat
	}
	const window = int64(Window / time.Second)
	if d := now.Unix() - seconds; d < -window || d > window {
		return errTimestamp(time.Unix(seconds, 0), now)
	}
	return nil
}

// parseSeconds reads a decimal integer: digits only, and few enough of them
// that a difference of two cannot overflow.
func parseSeconds(s string) (int64, bool) {
	if len(s) > 18 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// VerifyWith does the second half of [Request.Verify]: body_md5 belongs to the
// body, and the signature is that of pair. Texts other than the one of the
// documentation, which some libraries sign, are tried only after a mismatch.
func (r *Request) VerifyWith(pair Key, now time.Time) error {
	if err := r.checkBody(now); err != nil {
		return err
	}
	signature, _ := r.Query.Get(paramSignature)
	for text, form := range r.candidates() {
		if pair.Secret.Verify(text, signature) {
			r.Query.plusLiteral = form == valuesPlusLiteral
			return nil
		}
	}
	return r.errSignature(signature, now)
}

func (r *Request) checkBody(now time.Time) error {
	sent, _ := r.Query.Get(paramBodyMD5)
	if len(r.Body) == 0 && (sent == "" || strings.EqualFold(sent, emptyMD5)) {
		return nil
	}
	if digest := bodyMD5(r.Body); strings.EqualFold(sent, string(digest[:])) {
		return nil
	}
	return r.errBodyMD5(sent, now)
}

// bodyMD5 returns the digest as lower-case hex.
func bodyMD5(body []byte) (digest [2 * md5.Size]byte) {
	sum := md5.Sum(body) //nolint:gosec // see the import
	hex.Encode(digest[:], sum[:])
	return digest
}
