package bench

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // the protocol names bodies by it
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"net/http"
	"net/url"
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// signer signs POST requests to one path. It makes what [auth.SignedQuery]
// makes, from prepared pieces and without allocating: the generator shares the
// machine with the server. Not for concurrent use.
type signer struct {
	mac   hash.Hash
	head  []byte // what is signed up to the time
	query []byte // what is sent up to the time
	text  []byte // scratch
	sum   []byte // scratch
}

func newSigner(pair auth.Key, path string) *signer {
	const key = "auth_key="
	return &signer{
		mac:   hmac.New(sha256.New, []byte(string(pair.Secret))),
		head:  []byte(http.MethodPost + "\n" + path + "\n" + key + pair.Key),
		query: []byte(key + url.QueryEscape(pair.Key)),
	}
}

// appendQuery appends the query of a request made at a time, in seconds.
func (s *signer) appendQuery(b, body []byte, seconds int64) []byte {
	b = append(b, s.query...)
	start := len(b)
	b = append(b, "&auth_timestamp="...)
	b = strconv.AppendInt(b, seconds, 10)
	b = append(b, "&auth_version=1.0"...)
	if len(body) > 0 {
		digest := md5.Sum(body) //nolint:gosec // see the import
		b = append(b, "&body_md5="...)
		b = hex.AppendEncode(b, digest[:])
	}
	s.text = append(append(s.text[:0], s.head...), b[start:]...)
	s.mac.Reset()
	s.mac.Write(s.text)
	s.sum = s.mac.Sum(s.sum[:0])
	b = append(b, "&auth_signature="...)
	return hex.AppendEncode(b, s.sum)
}
