package strictjson

import (
	"bytes"
	"strings"
	"testing"
)

// TestSkipPlain puts every byte at every place in words of every neighbour that
// could carry or borrow into it.
func TestSkipPlain(t *testing.T) {
	const size = 20 // two words and a rest
	for _, fill := range []byte{'a', ' ', '!', '#', '[', ']', 0x7f, 0x80, 0x9f, 0xa2, 0xdc, 0xff} {
		for at := range size {
			for c := range 256 {
				text := bytes.Repeat([]byte{fill}, size)
				text[at] = byte(c)
				want := size
				if c < ' ' || c == '"' || c == '\\' {
					want = at
				}
				end, ascii := skipPlain(text, 0)
				if end != want {
					t.Fatalf("%q: stops at %d, want %d", text, end, want)
				}
				if beyond := strings.ContainsFunc(string(text[:end]), func(r rune) bool { return r >= 0x80 }); beyond && ascii {
					t.Fatalf("%q: bytes beyond ASCII are not seen", text[:end])
				}
			}
		}
	}
}

func TestSkipPlainStopsAtTheFirst(t *testing.T) {
	for first := range 16 {
		for second := first; second < 16; second++ {
			text := bytes.Repeat([]byte("a"), 16)
			text[second] = 0
			text[first] = '"'
			if end, _ := skipPlain(text, 0); end != first {
				t.Errorf("%q: stops at %d, want %d", text, end, first)
			}
			if end, _ := skipPlain(text, first); end != first {
				t.Errorf("%q from %d: stops at %d", text, first, end)
			}
		}
	}
}

// TestStringsOfEveryLength lets strings end at every place of a word, in front of
// every number of bytes that follow.
func TestStringsOfEveryLength(t *testing.T) {
	for n := range 40 {
		for _, piece := range []string{"a", `\n`, `\u0041`, "é", "😀", `\"`, `\\`} {
			token := `"` + strings.Repeat("x", n) + piece + `"`
			for rest := range 10 {
				text := "[" + token + "," + strings.Repeat("1", rest+1) + "]"
				v, err := Parse([]byte(text))
				if err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				var got []string
				if err = v.Elements(func(e Value) error { got = append(got, string(e)); return nil }); err != nil || got[0] != token {
					t.Fatalf("%s: elements %q, %v", text, got, err)
				}
			}
			for cut := 1; cut < len(token); cut++ {
				if v, err := Parse([]byte(token[:cut])); err == nil {
					t.Fatalf("%s: value %s", token[:cut], v)
				}
			}
		}
	}
}
