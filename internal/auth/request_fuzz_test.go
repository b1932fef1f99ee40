package auth_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// FuzzSignedRequest checks that a request signed by us is accepted, that the
// same request under another secret is not, and that what a stranger sends gets
// one bounded printable line, whatever it is.
func FuzzSignedRequest(f *testing.F) {
	f.Add("/apps/3/events", "", "name", "a b", "x=1&auth_signature=00", []byte(`{"name":"foo"}`))
	f.Add("/r/apps/3/users/user%201/x", "/r", "channels[]", "a,b", "a[]=1&a[]=2&b=%zz+%41", []byte(nil))
	f.Add("/apps/3/channels", "", "INFO", "\xff\r\n", "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0&auth_signature=0", []byte("{}"))
	f.Fuzz(func(t *testing.T, path, mount, name, value, wire string, body []byte) {
		params := url.Values{name: {value, value + "2"}}
		lowered := lowerASCII(name)
		query := auth.SignedQuery(pair, "POST", path, params, body, now)
		request := func(query string) auth.Request {
			return auth.Request{Method: "POST", Path: path, Mount: mount, Query: auth.ParseQuery(query), Body: body, Explain: true}
		}
		if r := request(query); !strings.HasPrefix(lowered, "auth_") && lowered != "body_md5" {
			if err := r.Verify(auth.Keys{pair}, now); err != nil {
				t.Fatalf("own signature refused: %v\nquery %q", err, query)
			}
			if got, _ := r.Query.Get(lowered); got != value {
				t.Fatalf("value %q, want %q", got, value)
			}
		}
		r := request(query)
		if err := r.Verify(auth.Keys{{Key: pair.Key, Secret: another.Secret}}, now); err == nil {
			t.Fatalf("signature accepted under another secret: %q", query)
		}
		r = request(wire)
		if err := r.Verify(auth.Keys{pair}, now); err != nil {
			assertOneLine(t, err.Error())
			if len(err.Error()) > 16<<10 {
				t.Fatalf("text of %d bytes", len(err.Error()))
			}
		}
	})
}

func lowerASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
