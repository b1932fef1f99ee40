package auth_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// P-187
func TestSignatureErrorRepeatsWhatTheSenderKnows(t *testing.T) {
	const text = "POST\n/apps/3/events\n" + authParams + "&body_md5="
	body := `{"name":"foo"}`
	sent := strings.Repeat("ab", 32)
	r := auth.Request{
		Method: "POST", Path: "/apps/3/events", Body: []byte(body),
		Query: auth.ParseQuery("body_md5=" + md5Hex(body) + "&" + authParams + "&auth_signature=" + sent),
	}
	err := r.Verify(auth.Keys{pair}, now)
	want := `Invalid signature: you should have sent HmacSHA256Hex("` +
		strings.ReplaceAll(text, "\n", `\n`) + md5Hex(body) + `", your_secret_key), but you sent "` + sent + `"`
	if err == nil || err.Error() != want {
		t.Errorf("text\n got %v\nwant %s", err, want)
	}
	assertNothingSecret(t, err.Error(), text+md5Hex(body))
}

func TestExplanations(t *testing.T) {
	const body = `{"name":"foo"}`
	tests := []struct {
		name, wire string
		want       []string
	}{
		{
			"a wrong body_md5", authParams + "&body_md5=00&auth_signature=00",
			[]string{"Invalid body_md5: ", "the 14 bytes of the body is " + md5Hex(body), "body_md5 is 00", "server time 2012-11-16T17:49:39Z"},
		},
		{
			"no body_md5", authParams + "&auth_signature=00",
			[]string{"Invalid body_md5: ", "body_md5 is not there"},
		},
		{
			"a wrong signature", authParams + "&body_md5=" + md5Hex(body) + "&x=a+b&auth_signature=00",
			[]string{
				`Invalid signature: you should have sent HmacSHA256Hex("POST\n/r/apps/3/users/a%20b/x\n`, `but you sent "00"`,
				md5Hex(body), "server time 2012-11-16T17:49:39Z",
				`also tried "POST\n/apps/3/users/a b/x\n`, `also tried "POST\n/r/apps/3/users/a%20b/x\n` + authParams + "&body_md5=" + md5Hex(body) + `&x=a+b"`,
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := auth.Request{
				Method: "POST", Path: "/r/apps/3/users/a%20b/x", Mount: "/r", Body: []byte(body),
				Query: auth.ParseQuery(tt.wire), Explain: true,
			}
			err := r.Verify(auth.Keys{pair}, now)
			for _, want := range tt.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("text %v\nlacks %s", err, want)
				}
			}
			assertNothingSecret(t, err.Error(), "POST\n/r/apps/3/users/a%20b/x\n"+strings.TrimSuffix(tt.wire, "&auth_signature=00"))
			assertOneLine(t, err.Error())
		})
	}
}

// However a request is made, few texts are tried for it.
func TestCandidatesAreFew(t *testing.T) {
	for name, tt := range map[string]struct {
		path, mount, extra string
		want               int
	}{
		"an ordinary request":       {"/apps/3/channels", "", "&info=a,b", 1},
		"under a mount":             {"/r/apps/3/channels", "/r", "&info=a,b", 2},
		"an encoded comma":          {"/apps/3/channels", "", "&info=a%2Cb", 2},
		"every habit at once":       {"/apps/3/users/%41/x", "", "&a[]=+&a[]=%41", 6},
		"every habit under a mount": {"/r/apps/3/users/%41/x", "/r", "&a[]=+&a[]=%41", 12},
	} {
		t.Run(name, func(t *testing.T) {
			r := auth.Request{
				Method: "GET", Path: tt.path, Mount: tt.mount, Explain: true,
				Query: auth.ParseQuery(authParams + tt.extra + "&auth_signature=00"),
			}
			if got := 1 + strings.Count(r.Verify(auth.Keys{pair}, now).Error(), "also tried"); got != tt.want {
				t.Errorf("%d texts, want %d", got, tt.want)
			}
		})
	}
}

func TestSignatureErrorStaysOneBoundedLine(t *testing.T) {
	tests := map[string]string{
		"control characters": "x=a%0D%0AX-Injected:%201%00%1b[31m%7F&y=%C2%85%E2%80%A8%E2%80%AE",
		"not UTF-8":          "x=%ff%fe%80",
		"a huge value":       "x=" + strings.Repeat("%E2%82%AC+", 100_000),
		"many parameters":    strings.Repeat("a[]=1&", 10_000) + "b=%20",
	}
	for name, extra := range tests {
		t.Run(name, func(t *testing.T) {
			for _, explain := range []bool{false, true} {
				r := auth.Request{
					Method: "GET", Path: "/r/apps/3/channels/%41", Mount: "/r", Explain: explain,
					Query: auth.ParseQuery(authParams + "&auth_signature=" + strings.Repeat("%0a", 5_000) + "&" + extra),
				}
				err := r.Verify(auth.Keys{pair}, now)
				if got := reason(t, err); got != auth.RequestSignature {
					t.Fatalf("refused with %q, want %q", got, auth.RequestSignature)
				}
				assertOneLine(t, err.Error())
				if len(err.Error()) > 16<<10 {
					t.Errorf("explain=%v: text of %d bytes", explain, len(err.Error()))
				}
			}
		})
	}
}

// assertNothingSecret checks that the text has neither the secret nor the digest
// that would have been right for signed.
func assertNothingSecret(t *testing.T, text, signed string) {
	t.Helper()
	for _, secret := range []string{string(pair.Secret), pair.Secret.Sign([]byte(signed))} {
		if strings.Contains(text, secret) {
			t.Errorf("text holds a secret: %s", text)
		}
	}
}

func assertOneLine(t *testing.T, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("text is not UTF-8: %q", text)
	}
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }); i >= 0 {
		t.Errorf("text holds %q", text[i:min(len(text), i+8)])
	}
}

func TestEcho(t *testing.T) {
	tests := []struct {
		name, text string
		limit      int
		want       string
	}{
		{"plain", "abc", 10, "abc"},
		{"empty", "", 10, ""},
		{"exactly full", "abcdef", 6, "abcdef"},
		{"cut", "abcdefg", 6, "abc…"},
		{"cut between characters", "a€€€", 7, "a€…"},
		{"cut between escapes", "\n\n\n\n", 6, `\n…`},
		{"escapes", "a\n\r\t\x00\x1b\x7f", 40, `a\n\r\t\u0000\u001b\u007f`},
		{"other white space and reordering", "\u0085\u2028\u202e\u00a0", 40, `\u0085\u2028\u202e\u00a0`},
		{"beyond the basic plane", "😀\U000e0001", 40, `😀\U000e0001`},
		{"not UTF-8", "a\xffb", 10, "a\ufffdb"},
		{"quotes and backslashes stay", `"\`, 10, `"\`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := auth.Echo(tt.text, tt.limit); got != tt.want {
				t.Errorf("Echo(%q, %d) = %q, want %q", tt.text, tt.limit, got, tt.want)
			}
		})
	}
}
