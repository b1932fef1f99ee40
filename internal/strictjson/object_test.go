package strictjson

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func collect(all *[]string) func([]byte, Value) error {
	return func(key []byte, value Value) error {
		*all = append(*all, string(key), string(value))
		return nil
	}
}

func TestParseObject(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string // key and raw value
		err        error
	}{
		{"an empty object", " { } ", nil, nil},
		{"one member", `{"a":1}`, []string{"a", "1"}, nil},
		{"every type, in order", `{"z":null,"y":true,"x":-1.5e+3,"w":"s","v":[1,{"a":2}],"u":{"b":[]}}`, []string{
			"z", "null", "y", "true", "x", "-1.5e+3", "w", `"s"`, "v", `[1,{"a":2}]`, "u", `{"b":[]}`,
		}, nil},
		{"white space everywhere", "\r\n{ \"a\" :\t1 ,\r\n\"b\" : [ 1 , 2 ] ,\n\"c\":{ } } ", []string{
			"a", "1", "b", "[ 1 , 2 ]", "c", "{ }",
		}, nil},
		{"escaped keys are decoded", `{"\u0061\n\"":1,"\ud83d\ude00":2}`, []string{"a\n\"", "1", "😀", "2"}, nil},
		{"keys that differ in case", `{"a":1,"A":2}`, []string{"a", "1", "A", "2"}, nil},
		{"a key twice on an inner level", `{"a":{"b":1,"b":2}}`, []string{"a", `{"b":1,"b":2}`}, nil},
		{"128 levels", `{"a":` + nested("[", "", "]", MaxDepth-1) + "}", []string{"a", nested("[", "", "]", MaxDepth-1)}, nil},
		{"129 levels", `{"a":` + nested("[", "", "]", MaxDepth) + "}", nil, ErrDepth},
		{"a key twice", `{"a":1,"b":2,"a":3}`, []string{"a", "1", "b", "2"}, ErrTwice},
		{"a key twice, once escaped", `{"a":1,"\u0061":2}`, []string{"a", "1"}, ErrTwice},
		{"an array", `[1]`, nil, ErrNotType},
		{"a string", `"{}"`, nil, ErrNotType},
		{"null", " null ", nil, ErrNotType},
		{"nothing", "", nil, ErrSyntax},
		{"half a word", "nul", nil, ErrSyntax},
		{"an object and more", `{"a":1}{}`, []string{"a", "1"}, ErrSyntax},
		{"an open object", `{"a":1`, []string{"a", "1"}, ErrSyntax},
		{"a lone brace", `{`, nil, ErrSyntax},
		{"a trailing comma", `{"a":1,}`, []string{"a", "1"}, ErrSyntax},
		{"a leading comma", `{,"a":1}`, nil, ErrSyntax},
		{"no colon", `{"a" 1}`, nil, ErrSyntax},
		{"no value", `{"a":}`, nil, ErrSyntax},
		{"a key without quotes", `{a:1}`, nil, ErrSyntax},
		{"the wrong brace", `{"a":1]`, []string{"a", "1"}, ErrSyntax},
		{"bad UTF-8 in a key", "{\"\xff\":1}", nil, ErrUTF8},
		{"bad UTF-8 in a value", "{\"a\":[\"\xff\"]}", nil, ErrUTF8},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			err := ParseObject([]byte(tt.text), collect(&got))
			if !errors.Is(err, tt.err) || !slices.Equal(got, tt.want) {
				t.Fatalf("%.80s: got %q, %v, want %q, %v", tt.text, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestParseObjectStops(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	err := ParseObject([]byte(`{"a":1,"b":2}`), func([]byte, Value) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestParseObjectSharesItsText(t *testing.T) {
	text := []byte(`{"a":"b","c":1}`)
	err := ParseObject(text, func(key []byte, value Value) error {
		_, _ = append(key, "!!!"...), append(value, "!!!"...)
		return nil
	})
	if err != nil || string(text) != `{"a":"b","c":1}` {
		t.Errorf("%v: appending to what was cut out changed the text to %s", err, text)
	}
}

func TestTextExceeds(t *testing.T) {
	for _, text := range []string{
		``, `abc`, `\n\n\n`, `\u0041\u0041\u0041`, `\ud83d\ude00`, `\ud800`, "é€😀", strings.Repeat(`\u0001`, 20), `abc\n`,
	} {
		v := mustParse(t, `"`+text+`"`)
		n := v.TextLen()
		for limit := range 130 {
			if got := v.TextExceeds(limit); got != (n > limit) {
				t.Errorf("%s of length %d exceeds %d: %v", v, n, limit, got)
			}
		}
	}
	if mustParse(t, `[1,2,3]`).TextExceeds(0) || Value(nil).TextExceeds(0) {
		t.Error("a value without text exceeds nothing")
	}
}

func TestQuotedLen(t *testing.T) {
	for _, text := range []string{
		`{}`, `null`, `"a\"b\\"`, `{"a":"é😀","b":[1,2]}`, "{\r\n\t\"a\" : \"\\u0041\\n\"\r\n}", "[" + strings.Repeat(`"\\",`, 50) + "0]",
	} {
		v := mustParse(t, text)
		if got, want := v.QuotedLen(), len(AppendString(nil, v)); got != want {
			t.Errorf("%s: %d, want %d", v, got, want)
		}
	}
}
