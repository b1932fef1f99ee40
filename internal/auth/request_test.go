package auth_test

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

const (
	clock = 1353088179
)

var (
	pair    = auth.Key{Key: "278d425bdf160c739803", Secret: "7ad3773142a6692b25b8"}
	another = auth.Key{Key: "another-key", Secret: "another-secret"}
	now     = time.Unix(clock, 0)
)

const authParams = "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"

// verify runs one request whose text to sign is text and whose query, without
// the signature, is wire.
func verify(method, path, mount, wire, text, body string) error {
	r := auth.Request{
		Method: method, Path: path, Mount: mount, Body: []byte(body),
		Query: auth.ParseQuery(wire + "&auth_signature=" + pair.Secret.Sign([]byte(text))),
	}
	return r.Verify(auth.Keys{another, pair}, now)
}

// reason returns the reason of a refusal, "" for none.
func reason(t *testing.T, err error) auth.RequestReason {
	t.Helper()
	if err == nil {
		return ""
	}
	refused, ok := errors.AsType[*auth.RequestError](err)
	if !ok {
		t.Fatalf("error %T %v, want *auth.RequestError", err, err)
	}
	return refused.Reason
}

func md5Hex(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

func TestRequestTolerances(t *testing.T) {
	const get = "GET\n/apps/3/channels\n"
	tests := []struct {
		name        string
		path, mount string
		wire, text  string
		want        auth.RequestReason
	}{
		// P-178
		{"the MD5 of nothing on a GET", "/apps/3/channels", "", authParams + "&body_md5=D41d8cd98f00b204e9800998ecf8427e", get + authParams + "&body_md5=D41d8cd98f00b204e9800998ecf8427e", ""},
		// P-179
		{"an empty info is part of the text", "/apps/3/channels", "", authParams + "&info=", get + authParams + "&info=", ""},
		{"an empty info left out of the text", "/apps/3/channels", "", authParams + "&info=", get + authParams, auth.RequestSignature},
		{"a name without equals sign", "/apps/3/channels", "", authParams + "&info", get + authParams + "&info=", ""},
		// P-180
		{"an unknown parameter that is signed", "/apps/3/channels", "", authParams + "&zz=1", get + authParams + "&zz=1", ""},
		{"an unknown parameter added afterwards", "/apps/3/channels", "", authParams + "&zz=1", get + authParams, auth.RequestSignature},
		// P-181
		{"an encoded comma", "/apps/3/channels", "", authParams + "&info=a%2Cb", get + authParams + "&info=a,b", ""},
		{"a raw comma", "/apps/3/channels", "", authParams + "&info=a,b", get + authParams + "&info=a,b", ""},
		{"raw semicolons and equals signs", "/apps/3/channels", "", authParams + "&x=a;b=c=", get + authParams + "&x=a;b=c=", ""},
		// P-182
		{"upper-case names are signed in lower case", "/apps/3/channels", "", authParams + "&INFO=X", get + authParams + "&info=X", ""},
		{"upper-case auth names", "/apps/3/channels", "", strings.ReplaceAll(authParams, "auth_k", "Auth_K"), get + authParams, ""},
		{"names sort by byte after lowering", "/apps/3/channels", "", "B=1&a=2&_=3&" + authParams, get + "_=3&a=2&" + authParams + "&b=1", ""},
		{"equal names keep their order", "/apps/3/channels", "", authParams + "&x=2&x=1", get + authParams + "&x=2&x=1", ""},
		{"equal names in another order", "/apps/3/channels", "", authParams + "&x=2&x=1", get + authParams + "&x=1&x=2", auth.RequestSignature},
		{"names are decoded", "/apps/3/channels", "", authParams + "&ch%61nnels%5B%5D=a", get + authParams + "&channels[]=a", ""},
		{"non-ASCII is signed as UTF-8", "/apps/3/channels", "", authParams + "&x=%C5%BC%E2%82%AC", get + authParams + "&x=ż€", ""},
		{"bytes that are not UTF-8 are signed as they are", "/apps/3/channels", "", authParams + "&X%FFA=%FE", get + authParams + "&x\xffa=\xfe", ""},
		// Spaces and pluses
		{"a plus is a space", "/apps/3/channels", "", authParams + "&x=a+b", get + authParams + "&x=a b", ""},
		{"an encoded space", "/apps/3/channels", "", authParams + "&x=a%20b", get + authParams + "&x=a b", ""},
		{"a plus is a plus", "/apps/3/channels", "", authParams + "&x=a+b%2C", get + authParams + "&x=a+b,", ""},
		{"raw values", "/apps/3/channels", "", authParams + "&x=a%20b%2c", get + authParams + "&x=a%20b%2c", ""},
		{"raw values with a plus", "/apps/3/channels", "", authParams + "&x=a+b%2c", get + authParams + "&x=a+b%2c", ""},
		{"re-encoded values are not guessed", "/apps/3/channels", "", authParams + "&x=a%20b%2c", get + authParams + "&x=a%20b%2C", auth.RequestSignature},
		{"an escape that is none", "/apps/3/channels", "", authParams + "&x=100%&y=%zz", get + authParams + "&x=100%&y=%zz", ""},
		// Arrays
		{"an array signed as sent", "/apps/3/channels", "", authParams + "&channels[]=b&channels[]=a", get + authParams + "&channels[]=b&channels[]=a", ""},
		{"an array signed joined", "/apps/3/channels", "", authParams + "&channels[]=b&channels[]=a", get + authParams + "&channels=b,a", ""},
		{"an indexed array signed joined", "/apps/3/channels", "", authParams + "&channels%5B0%5D=b&channels%5B1%5D=a", get + authParams + "&channels=b,a", ""},
		{"a joined array keeps the order of the wire", "/apps/3/channels", "", authParams + "&channels[]=b&channels[]=a", get + authParams + "&channels=a,b", auth.RequestSignature},
		{"an array of one signed joined", "/apps/3/channels", "", authParams + "&channels[]=a", get + authParams + "&channels=a", ""},
		// P-185
		{"the mount prefix signed", "/realtime/apps/3/channels", "/realtime", authParams, "GET\n/realtime/apps/3/channels\n" + authParams, ""},
		{"the mount prefix not signed", "/realtime/apps/3/channels", "/realtime", authParams, get + authParams, ""},
		{"the mount prefix not signed, array joined", "/realtime/apps/3/channels", "/realtime", authParams + "&channels[]=a&channels[]=b", get + authParams + "&channels=a,b", ""},
		{"another prefix not signed", "/realtimes/apps/3/channels", "/realtime", authParams, "GET\ns/apps/3/channels\n" + authParams, auth.RequestSignature},
		{"a prefix without a mount", "/realtime/apps/3/channels", "", authParams, get + authParams, auth.RequestSignature},
		// P-186
		{"an encoded user id signed encoded", "/apps/3/users/user%201/x", "", authParams, "GET\n/apps/3/users/user%201/x\n" + authParams, ""},
		{"an encoded user id signed decoded", "/apps/3/users/user%201/x", "", authParams, "GET\n/apps/3/users/user 1/x\n" + authParams, ""},
		{"a mounted user id signed decoded without the mount", "/r/apps/3/users/user%201/x", "/r", authParams, "GET\n/apps/3/users/user 1/x\n" + authParams, ""},
		{"a plus in the path is a plus", "/apps/3/users/a+b/x", "", authParams, "GET\n/apps/3/users/a b/x\n" + authParams, auth.RequestSignature},
		// The rest of the text
		{"another method", "/apps/3/channels", "", authParams, "POST\n/apps/3/channels\n" + authParams, auth.RequestSignature},
		{"another path", "/apps/3/channels", "", authParams, "GET\n/apps/4/channels\n" + authParams, auth.RequestSignature},
		{"a trailing newline", "/apps/3/channels", "", authParams, get + authParams + "\n", auth.RequestSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := reason(t, verify("GET", tt.path, tt.mount, tt.wire, tt.text, "")); got != tt.want {
				t.Errorf("path %q query %q signed %q: refused with %q, want %q", tt.path, tt.wire, tt.text, got, tt.want)
			}
		})
	}
}

func TestRequestBody(t *testing.T) {
	const body = `{"name":"foo","data":"{}","channel":"a"}`
	sum := md5Hex(body)
	text := func(params string) string { return "POST\n/apps/3/events\n" + params }
	tests := []struct {
		name       string
		body       string
		wire, text string
		want       auth.RequestReason
	}{
		{"the MD5 of the body", body, authParams + "&body_md5=" + sum, text(authParams + "&body_md5=" + sum), ""},
		{"the MD5 in upper case", body, authParams + "&body_md5=" + strings.ToUpper(sum), text(authParams + "&body_md5=" + strings.ToUpper(sum)), ""},
		// P-176
		{"a changed body byte", strings.Replace(body, "foo", "fop", 1), authParams + "&body_md5=" + sum, text(authParams + "&body_md5=" + sum), auth.RequestBodyMD5},
		{"a changed body with its own md5", strings.Replace(body, "foo", "fop", 1), authParams + "&body_md5=" + md5Hex(strings.Replace(body, "foo", "fop", 1)), text(authParams + "&body_md5=" + sum), auth.RequestSignature},
		// P-177
		{"a body without body_md5", body, authParams, text(authParams), auth.RequestBodyMD5},
		{"a body with an empty body_md5", body, authParams + "&body_md5=", text(authParams + "&body_md5="), auth.RequestBodyMD5},
		{"a body with the MD5 of nothing", body, authParams + "&body_md5=" + md5Hex(""), text(authParams + "&body_md5=" + md5Hex("")), auth.RequestBodyMD5},
		{"no body, and the MD5 of one", "", authParams + "&body_md5=" + sum, text(authParams + "&body_md5=" + sum), auth.RequestBodyMD5},
		{"no body and no body_md5", "", authParams, text(authParams), ""},
		{"an MD5 that is none", body, authParams + "&body_md5=zz", text(authParams + "&body_md5=zz"), auth.RequestBodyMD5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := reason(t, verify("POST", "/apps/3/events", "", tt.wire, tt.text, tt.body)); got != tt.want {
				t.Errorf("refused with %q, want %q", got, tt.want)
			}
		})
	}
}

func TestRequestParameters(t *testing.T) {
	without := func(name string) string {
		values, _ := url.ParseQuery(authParams + "&auth_signature=00")
		values.Del(name)
		return values.Encode()
	}
	with := func(name, value string) string {
		values, _ := url.ParseQuery(authParams + "&auth_signature=00")
		values.Set(name, value)
		return values.Encode()
	}
	tests := []struct {
		name, wire string
		reason     auth.RequestReason
		text       string
	}{
		{"nothing at all", "", auth.RequestMissing, "Missing parameter: auth_key"},
		{"no auth_key", without("auth_key"), auth.RequestMissing, "Missing parameter: auth_key"},
		{"an empty auth_key", with("auth_key", ""), auth.RequestMissing, "Missing parameter: auth_key"},
		{"no auth_timestamp", without("auth_timestamp"), auth.RequestMissing, "Missing parameter: auth_timestamp"},
		{"no auth_version", without("auth_version"), auth.RequestMissing, "Missing parameter: auth_version"},
		{"no auth_signature", without("auth_signature"), auth.RequestMissing, "Missing parameter: auth_signature"},
		// P-184
		{"another version", with("auth_version", "2.0"), auth.RequestVersion, "Unsupported auth_version"},
		{"a version before an unknown key", with("auth_version", "2.0") + "x&auth_key=x", auth.RequestVersion, "Unsupported auth_version"},
		{"an unknown key", with("auth_key", "key-of-another-app"), auth.RequestUnknownKey, "Unknown auth_key"},
		{"a timestamp in words", with("auth_timestamp", "now"), auth.RequestTimestamp, "Invalid auth_timestamp"},
		{"a timestamp with a sign", with("auth_timestamp", "+1353088179"), auth.RequestTimestamp, "Invalid auth_timestamp"},
		{"a timestamp with a fraction", with("auth_timestamp", "1353088179.5"), auth.RequestTimestamp, "Invalid auth_timestamp"},
		{"a timestamp that overflows", with("auth_timestamp", strings.Repeat("9", 40)), auth.RequestTimestamp, "Invalid auth_timestamp"},
		{"a timestamp in milliseconds", with("auth_timestamp", "1353088179000"), auth.RequestTimestamp, "Timestamp expired: Given timestamp (44847-08-28T19:30:00Z) not within 600s of server time (2012-11-16T17:49:39Z)"},
		// P-175
		{"a timestamp 601 s old", with("auth_timestamp", "1353087578"), auth.RequestTimestamp, "Timestamp expired: Given timestamp (2012-11-16T17:39:38Z) not within 600s of server time (2012-11-16T17:49:39Z)"},
		{"a timestamp 601 s early", with("auth_timestamp", "1353088780"), auth.RequestTimestamp, "Timestamp expired: Given timestamp (2012-11-16T17:59:40Z) not within 600s of server time (2012-11-16T17:49:39Z)"},
		{"a timestamp 600 s old", with("auth_timestamp", "1353087579"), auth.RequestSignature, ""},
		{"a timestamp 600 s early", with("auth_timestamp", "1353088779"), auth.RequestSignature, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := auth.Request{Method: "GET", Path: "/apps/3/channels", Query: auth.ParseQuery(tt.wire)}
			err := r.Verify(auth.Keys{pair}, now)
			if got := reason(t, err); got != tt.reason {
				t.Errorf("query %q: refused with %q (%v), want %q", tt.wire, got, err, tt.reason)
			}
			if tt.text != "" && err.Error() != tt.text {
				t.Errorf("text\n got %s\nwant %s", err, tt.text)
			}
		})
	}
}

// P-175
func TestRequestWindowIsInclusive(t *testing.T) {
	query := auth.SignedQuery(pair, "GET", "/apps/3/channels", nil, nil, now)
	for skew, want := range map[time.Duration]auth.RequestReason{
		-601 * time.Second:                     auth.RequestTimestamp,
		-600 * time.Second:                     "",
		0:                                      "",
		600 * time.Second:                      "",
		600*time.Second + 999*time.Millisecond: "", // clocks are compared in whole seconds
		601 * time.Second:                      auth.RequestTimestamp,
	} {
		r := auth.Request{Method: "GET", Path: "/apps/3/channels", Query: auth.ParseQuery(query)}
		if got := reason(t, r.Verify(auth.Keys{pair}, now.Add(skew))); got != want {
			t.Errorf("clock %v off: refused with %q, want %q", skew, got, want)
		}
	}
}

func TestRequestAcceptsEveryActiveKey(t *testing.T) {
	for _, p := range []auth.Key{pair, another} {
		r := auth.Request{
			Method: "GET", Path: "/apps/3/channels",
			Query: auth.ParseQuery(auth.SignedQuery(p, "GET", "/apps/3/channels", nil, nil, now)),
		}
		if err := r.Verify(auth.Keys{another, pair}, now); err != nil {
			t.Errorf("key %s: %v", p.Key, err)
		}
	}
}

func TestRequestSignatureOfAnotherKey(t *testing.T) {
	query := auth.SignedQuery(auth.Key{Key: pair.Key, Secret: another.Secret}, "GET", "/apps/3/channels", nil, nil, now)
	r := auth.Request{Method: "GET", Path: "/apps/3/channels", Query: auth.ParseQuery(query)}
	if got := reason(t, r.Verify(auth.Keys{another, pair}, now)); got != auth.RequestSignature {
		t.Errorf("refused with %q, want %q", got, auth.RequestSignature)
	}
}

func TestRequestSignatureForms(t *testing.T) {
	good := pair.Secret.Sign([]byte("GET\n/apps/3/channels\n" + authParams))
	for name, tt := range map[string]struct {
		signature string
		want      auth.RequestReason
	}{
		"upper case":  {strings.ToUpper(good), ""},
		"cut":         {good[:63], auth.RequestSignature},
		"longer":      {good + "0", auth.RequestSignature},
		"not hex":     {"z" + good[1:], auth.RequestSignature},
		"one digit":   {flip(good), auth.RequestSignature},
		"with key":    {pair.Key + ":" + good, auth.RequestSignature},
		"given twice": {good + "&auth_signature=00", ""},
		"wrong first": {"00&auth_signature=" + good, auth.RequestSignature},
	} {
		t.Run(name, func(t *testing.T) {
			r := auth.Request{
				Method: "GET", Path: "/apps/3/channels",
				Query: auth.ParseQuery(authParams + "&auth_signature=" + tt.signature),
			}
			if got := reason(t, r.Verify(auth.Keys{pair}, now)); got != tt.want {
				t.Errorf("refused with %q, want %q", got, tt.want)
			}
		})
	}
}

// flip changes the last digit of a hex text.
func flip(digest string) string {
	last := "0"
	if digest[len(digest)-1] == '0' {
		last = "1"
	}
	return digest[:len(digest)-1] + last
}
