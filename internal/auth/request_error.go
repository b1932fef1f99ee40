package auth

import (
	"strconv"
	"strings"
	"time"
)

// RequestError says why a signed request was refused. Its text is one line for
// the sender (§7.2).
type RequestError struct {
	Reason RequestReason
	Text   string
}

// Error implements error.
func (e *RequestError) Error() string { return e.Text }

// RequestReason says in one word why a request was refused; it is a metric label.
type RequestReason string

// Reasons for refusing a request.
const (
	RequestMissing    RequestReason = "missing_parameter"
	RequestVersion    RequestReason = "version"
	RequestUnknownKey RequestReason = "unknown_key"
	RequestTimestamp  RequestReason = "timestamp"
	RequestBodyMD5    RequestReason = "body_md5"
	RequestSignature  RequestReason = "signature"
)

// RequestReasons lists every reason, so that counters can be made ahead.
var RequestReasons = []RequestReason{
	RequestMissing, RequestVersion, RequestUnknownKey, RequestTimestamp, RequestBodyMD5, RequestSignature,
}

var (
	errVersion         = &RequestError{RequestVersion, "Unsupported auth_version"}
	errUnknownKey      = &RequestError{RequestUnknownKey, "Unknown auth_key"}
	errTimestampFormat = &RequestError{RequestTimestamp, "Invalid auth_timestamp"}
)

func errMissing(name string) *RequestError {
	return &RequestError{RequestMissing, "Missing parameter: " + name}
}

func errTimestamp(given, now time.Time) *RequestError {
	return &RequestError{RequestTimestamp, "Timestamp expired: Given timestamp (" + stamp(given) + ") not within " +
		strconv.Itoa(int(Window/time.Second)) + "s of server time (" + stamp(now) + ")"}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Longest echoes of what a sender sent, in bytes.
const (
	maxTextEcho      = 4 << 10
	maxSignatureEcho = 256
)

func (r *Request) errBodyMD5(sent string, now time.Time) *RequestError {
	text := "Invalid body_md5"
	if r.Explain {
		text += ": " + r.explainBody(sent) + "; server time " + stamp(now)
	}
	return &RequestError{RequestBodyMD5, text}
}

func (r *Request) explainBody(sent string) string {
	digest := bodyMD5(r.Body)
	text := "the MD5 of the " + strconv.Itoa(len(r.Body)) + " bytes of the body is " + string(digest[:])
	if sent == "" {
		return text + ", body_md5 is not there"
	}
	return text + ", body_md5 is " + Echo(sent, maxSignatureEcho)
}

// errSignature repeats the documented text, all of which the sender sent.
func (r *Request) errSignature(signature string, now time.Time) *RequestError {
	text := `Invalid signature: you should have sent HmacSHA256Hex("` + Echo(string(r.documentedText()), maxTextEcho) +
		`", your_secret_key), but you sent "` + Echo(signature, maxSignatureEcho) + `"`
	if r.Explain {
		text += r.explainSignature(now)
	}
	return &RequestError{RequestSignature, text}
}

func (r *Request) explainSignature(now time.Time) string {
	sent, _ := r.Query.Get(paramBodyMD5)
	var b strings.Builder
	b.WriteString(" (" + r.explainBody(sent) + "; server time " + stamp(now) + "; ")
	first, room := true, maxTextEcho
	for text := range r.candidates() {
		if first {
			first = false
			continue
		}
		if room <= 0 {
			b.WriteString("and more; ")
			break
		}
		echo := Echo(string(text), room)
		room -= len(echo)
		b.WriteString(`also tried "` + echo + `"; `)
	}
	b.WriteString("if the text is the one you signed, the secret is not that of this key)")
	return b.String()
}
