package strictjson

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func mustParse(t testing.TB, text string) Value {
	t.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("parse %.80q: %v", text, err)
	}
	return v
}

func TestKind(t *testing.T) {
	tests := map[string]Kind{
		`null`: Null, `true`: Bool, `false`: Bool, `0`: Number, `-1.5e3`: Number,
		`""`: String, `"null"`: String, `[]`: Array, `[null]`: Array, `{}`: Object, ` {"a":1} `: Object,
	}
	for text, want := range tests {
		v := mustParse(t, text)
		if got := v.Kind(); got != want {
			t.Errorf("%s: kind %d, want %d", text, got, want)
		}
		if v.IsAbsent() != (want == Null) {
			t.Errorf("%s: absent %v", text, v.IsAbsent())
		}
	}
	if v := Value(nil); v.Kind() != Absent || !v.IsAbsent() {
		t.Errorf("the nil value: kind %d, absent %v", v.Kind(), v.IsAbsent())
	}
}

func TestMembers(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // key and raw value
	}{
		{"an empty object", ` { } `, nil},
		{"one member", `{"a":1}`, []string{"a", "1"}},
		{"every type, in order", `{"z":null,"y":true,"x":-1.5e+3,"w":"s","v":[1,{"a":2}],"u":{"b":[]}}`, []string{
			"z", "null", "y", "true", "x", "-1.5e+3", "w", `"s"`, "v", `[1,{"a":2}]`, "u", `{"b":[]}`,
		}},
		{"white space everywhere", "{ \"a\" :\t1 ,\r\n\"b\" : [ 1 , 2 ] ,\n\"c\":{ } }", []string{
			"a", "1", "b", "[ 1 , 2 ]", "c", "{ }",
		}},
		{"numbers keep their characters", `{"a":1.500,"b":12345678901234567890,"c":-0}`, []string{
			"a", "1.500", "b", "12345678901234567890", "c", "-0",
		}},
		{"strings that hold structure", `{"a":"}\"]{[,:","b":"\\"}`, []string{"a", `"}\"]{[,:"`, "b", `"\\"`}},
		{"escaped keys are decoded", `{"\u0061\n\"":1,"\ud83d\ude00":2}`, []string{"a\n\"", "1", "😀", "2"}},
		{"an empty key", `{"":0}`, []string{"", "0"}},
		{"keys that differ in case", `{"a":1,"A":2}`, []string{"a", "1", "A", "2"}},
		{"the same key on two levels", `{"a":{"a":1}}`, []string{"a", `{"a":1}`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			err := mustParse(t, tt.text).Members(func(key []byte, value Value) error {
				got = append(got, string(key), string(value))
				return nil
			})
			if err != nil || !slices.Equal(got, tt.want) {
				t.Fatalf("%s: got %q, %v, want %q", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestMembersRefusesTwins(t *testing.T) {
	var many strings.Builder
	for i := range 100 {
		fmt.Fprintf(&many, `"k%d":%d,`, i, i)
	}
	tests := []struct {
		name, text string
		seen       int // members that the callback saw
	}{
		{"side by side", `{"a":1,"a":1}`, 1},
		{"apart", `{"a":1,"b":2,"a":3}`, 2},
		{"one escaped", `{"a":1,"\u0061":2}`, 1},
		{"escaped in two ways", `{"\u00e9":1,"\u00E9":2}`, 1},
		{"one escaped beyond the first plane", `{"😀":1,"\ud83d\ude00":2}`, 1},
		{"escaped slash", `{"/":1,"\/":2}`, 1},
		{"empty keys", `{"":1,"":2}`, 1},
		{"two lone surrogates decode alike", `{"\ud800":1,"\udfff":2}`, 1},
		{"the eighth and the ninth", `{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"8":0}`, 8},
		{"the first and the ninth", `{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"1":0}`, 8},
		{"the ninth and the tenth", `{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"9":0}`, 9},
		{"among a hundred, early", "{" + many.String() + `"k3":0}`, 100},
		{"among a hundred, late", "{" + many.String() + `"k\u0039\u0039":0}`, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			seen := 0
			err := mustParse(t, tt.text).Members(func([]byte, Value) error { seen++; return nil })
			if !errors.Is(err, ErrTwice) || seen != tt.seen {
				t.Fatalf("%.60s: error %v after %d members, want %v after %d", tt.text, err, seen, ErrTwice, tt.seen)
			}
		})
	}
	t.Run("a hundred different keys are fine", func(t *testing.T) {
		seen := 0
		err := mustParse(t, "{"+many.String()+`"k100":0}`).Members(func([]byte, Value) error { seen++; return nil })
		if err != nil || seen != 101 {
			t.Fatalf("%d members, %v", seen, err)
		}
	})
}

func TestElements(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"an empty array", " [ ] ", nil},
		{"one element", `[1]`, []string{"1"}},
		{"every type, in order", `[null,false,1.0,"a,]",[[]],{"a":[1]}]`, []string{
			"null", "false", "1.0", `"a,]"`, "[[]]", `{"a":[1]}`,
		}},
		{"white space everywhere", "[ 1 ,\t\"a\" ,\r\n[ 2 ] ]", []string{"1", `"a"`, "[ 2 ]"}},
		{"equal elements", `[1,1,1]`, []string{"1", "1", "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			err := mustParse(t, tt.text).Elements(func(v Value) error {
				got = append(got, string(v))
				return nil
			})
			if err != nil || !slices.Equal(got, tt.want) {
				t.Fatalf("%s: got %q, %v, want %q", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestWalkingStops(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	if err := mustParse(t, `{"a":1,"b":2}`).Members(func([]byte, Value) error { calls++; return stop }); !errors.Is(err, stop) {
		t.Errorf("members: %v", err)
	}
	if err := mustParse(t, `[1,2]`).Elements(func(Value) error { calls++; return stop }); !errors.Is(err, stop) {
		t.Errorf("elements: %v", err)
	}
	if calls != 2 {
		t.Errorf("%d calls, want one each", calls)
	}
}

func TestWalkingTheWrongType(t *testing.T) {
	for _, text := range []string{`null`, `1`, `"a"`, `true`} {
		v := mustParse(t, text)
		if err := v.Members(nil); !errors.Is(err, ErrNotType) {
			t.Errorf("members of %s: %v", text, err)
		}
		if err := v.Elements(nil); !errors.Is(err, ErrNotType) {
			t.Errorf("elements of %s: %v", text, err)
		}
	}
	if err := mustParse(t, `[]`).Members(nil); !errors.Is(err, ErrNotType) {
		t.Errorf("members of an array: %v", err)
	}
	if err := mustParse(t, `{}`).Elements(nil); !errors.Is(err, ErrNotType) {
		t.Errorf("elements of an object: %v", err)
	}
	if Value(nil).Members(nil) == nil || Value(nil).Elements(nil) == nil {
		t.Error("the nil value was walked")
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		name, text, want string
		lone             bool
	}{
		{"empty", `""`, "", false},
		{"plain", `"abc"`, "abc", false},
		{"every short escape", `"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t", false},
		{"unicode escapes of one to three bytes", `"\u0041\u00e9\u20AC"`, "Aé€", false},
		{"NUL", `"a\u0000b"`, "a\x00b", false},
		{"a surrogate pair", `"\ud83d\ude00"`, "😀", false},
		{"the last code point", `"\udbff\udfff"`, "\U0010ffff", false},
		{"raw characters of all lengths", `"aé€😀"`, "aé€😀", false},
		{"an escaped U+FFFD is no lone surrogate", `"\ufffd\uFFFD"`, "\ufffd\ufffd", false},
		{"a raw U+FFFD is no lone surrogate", "\"\ufffd\"", "\ufffd", false},
		{"a lone high surrogate", `"a\ud800b"`, "a\ufffdb", true},
		{"a lone low surrogate", `"\udc00"`, "\ufffd", true},
		{"a high one at the end", `"\ud83d"`, "\ufffd", true},
		{"the wrong order", `"\ude00\ud83d"`, "\ufffd\ufffd", true},
		{"two high ones, then a low one", `"\ud83d\ud83d\ude00"`, "\ufffd😀", true},
		{"a high one, then another escape", `"\ud83d\u0041"`, "\ufffdA", true},
		{"a high one, then an escaped backslash", `"\ud83d\\ude00"`, "\ufffd\\ude00", true},
		{"a pair, then a lone one", `"\ud83d\ude00\ude00"`, "😀\ufffd", true},
		{"an escaped backslash before u", `"\\ud800"`, `\ud800`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := mustParse(t, tt.text)
			if got, ok := v.Text(); !ok || got != tt.want {
				t.Errorf("Text of %s: %q, %v, want %q", tt.text, got, ok, tt.want)
			}
			if got, ok := v.TextBytes(); !ok || string(got) != tt.want {
				t.Errorf("TextBytes of %s: %q, %v, want %q", tt.text, got, ok, tt.want)
			}
			if got := v.TextLen(); got != len(tt.want) {
				t.Errorf("TextLen of %s: %d, want %d", tt.text, got, len(tt.want))
			}
			if got := v.HasLoneSurrogate(); got != tt.lone {
				t.Errorf("HasLoneSurrogate of %s: %v, want %v", tt.text, got, tt.lone)
			}
		})
	}
}

func TestTextOfOtherTypes(t *testing.T) {
	for _, v := range []Value{nil, Value(`null`), Value(`12`), Value(`["a"]`), Value(`{"a":"b"}`), Value(`true`)} {
		text, ok := v.Text()
		bytes, okBytes := v.TextBytes()
		if ok || okBytes || text != "" || bytes != nil || v.TextLen() != 0 || v.HasLoneSurrogate() {
			t.Errorf("%s has a text", v)
		}
	}
}

func TestTextBytesCannotGrowIntoTheText(t *testing.T) {
	v := mustParse(t, `"abc"`)
	text, _ := v.TextBytes()
	if &text[0] != &v[1] {
		t.Error("a string without escapes was copied")
	}
	if _ = append(text, 'd'); string(v) != `"abc"` {
		t.Errorf("appending to the text changed the value to %s", v)
	}
}

// Promises that the hot paths rely on.
func TestAllocations(t *testing.T) {
	text := []byte(`{"event":"client-x","channel":"private-a","data":{"a":[1,2.5e3,"\u0041é",null,true],"b":{}}}`)
	plain, escaped := Value(`"plain text"`), Value(`"escaped \u0041 \ud83d\ude00"`)
	list := Value(`[1,"a",{}]`)
	buf := make([]byte, 0, 256)
	long := strings.Repeat("long text\n", 10)
	v := mustParse(t, string(text))
	tests := map[string]func(){
		"Parse":                   func() { _, _ = Parse(text) },
		"Parse of bad text":       func() { _, _ = Parse(text[:20]) },
		"ParseObject":             func() { _ = ParseObject(text, func([]byte, Value) error { return nil }) },
		"TextExceeds":             func() { escaped.TextExceeds(20) },
		"QuotedLen":               func() { v.QuotedLen() },
		"Members":                 func() { _ = v.Members(func([]byte, Value) error { return nil }) },
		"Elements":                func() { _ = list.Elements(func(Value) error { return nil }) },
		"TextBytes, no escapes":   func() { plain.TextBytes() },
		"TextLen":                 func() { escaped.TextLen() },
		"HasLoneSurrogate":        func() { escaped.HasLoneSurrogate() },
		"AppendString of bytes":   func() { AppendString(buf, plain) },
		"AppendString of string":  func() { AppendString(buf, "a\"b\n€\xff") },
		"AppendString, 100 bytes": func() { AppendString(buf, long) },
	}
	for name, f := range tests {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}
