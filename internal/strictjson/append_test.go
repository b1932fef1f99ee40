package strictjson

import "testing"

func TestAppendString(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", `""`},
		{"plain", "abc", `"abc"`},
		{"quotes and backslashes", `a"b\c`, `"a\"b\\c"`},
		{"a slash stays", "a/b", `"a/b"`},
		{"short escapes", "\b\f\n\r\t", `"\b\f\n\r\t"`},
		{"other control characters", "\x00\x01\x0b\x1f", `"\u0000\u0001\u000b\u001f"`},
		{"DEL stays", "\x7f", "\"\x7f\""},
		{"HTML characters stay", `<a href='x'>&</a>`, `"<a href='x'>&</a>"`},
		{"U+2028 and U+2029 stay", "a\u2028b\u2029c", "\"a\u2028b\u2029c\""},
		{"characters of all lengths stay", "aé€😀", `"aé€😀"`},
		{"U+FFFD stays", "\ufffd", "\"\ufffd\""},
		{"JSON in a string", `{"a":"\u0041"}`, `"{\"a\":\"\\u0041\"}"`},
		{"a byte that is no UTF-8", "a\xffb", "\"a\ufffdb\""},
		{"a form that is cut off at the end", "a\xe2\x82", "\"a\ufffd\ufffd\""},
		{"a form that is cut off by a letter", "\xe2\x82a", "\"\ufffd\ufffda\""},
		{"a raw surrogate", "\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
		{"escapes beside bad bytes", "\n\xff\n", "\"\\n\ufffd\\n\""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := AppendString([]byte("x:"), tt.text); string(got) != "x:"+tt.want {
				t.Errorf("string %q: %s, want x:%s", tt.text, got, tt.want)
			}
			if got := AppendString(nil, []byte(tt.text)); string(got) != tt.want {
				t.Errorf("bytes %q: %s, want %s", tt.text, got, tt.want)
			}
			if got := AppendEscaped(nil, tt.text); `"`+string(got)+`"` != tt.want {
				t.Errorf("escaped %q: %s, want %s without quotes", tt.text, got, tt.want)
			}
		})
	}
}

func TestAppendEscapedInPieces(t *testing.T) {
	got := AppendEscaped(AppendEscaped([]byte(`"`), `a"`), "\n€")
	if want := `"a\"\n€`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
