package protocol_test

import (
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

func TestPayloadOf(t *testing.T) {
	tests := []struct{ name, value, token, text string }{
		{"a string keeps its token", `"a\u0062\/<"`, `"a\u0062\/<"`, "ab/<"},
		{"an empty string", `""`, `""`, ""},
		{"a string of JSON is not encoded twice", `"{\"a\":1}"`, `"{\"a\":1}"`, `{"a":1}`},
		{"an object becomes its text", `{"a": 1.50, "b":"\u0041\n"}`, `"{\"a\": 1.50, \"b\":\"\\u0041\\n\"}"`, `{"a": 1.50, "b":"\u0041\n"}`},
		{"an array", `[1,"x"]`, `"[1,\"x\"]"`, `[1,"x"]`},
		{"a number", `1.50`, `"1.50"`, "1.50"},
		{"true", `true`, `"true"`, "true"},
		{"null", `null`, `"null"`, "null"},
		{"HTML characters stay", `{"a":"<&>"}`, `"{\"a\":\"<&>\"}"`, `{"a":"<&>"}`},
		{"a surrogate pair keeps its token", `"\ud83d\ude00"`, `"\ud83d\ude00"`, "😀"},
		{"a lone surrogate is replaced", `"a\ud83d\n"`, `"a` + "\ufffd" + `\n"`, "a\ufffd\n"},
		{"a lone surrogate inside an object is text", `{"a":"\ud83d"}`, `"{\"a\":\"\\ud83d\"}"`, `{"a":"\ud83d"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, err := strictjson.Parse([]byte(tt.value))
			if err != nil {
				t.Fatal(err)
			}
			p := protocol.PayloadOf(v)
			if string(p) != tt.token || p.Text() != tt.text || p.Len() != len(tt.text) {
				t.Errorf("%s: token %s, text %q, length %d, want %s, %q", tt.value, p, p.Text(), p.Len(), tt.token, tt.text)
			}
			for _, limit := range []int{0, len(tt.text) - 1, len(tt.text), len(tt.text) + 1, 1000} {
				if limit >= 0 && protocol.DataExceeds(v, limit) != (len(tt.text) > limit) {
					t.Errorf("%s: exceeds %d: %v", tt.value, limit, protocol.DataExceeds(v, limit))
				}
			}
			if strictjson.Value(p).HasLoneSurrogate() {
				t.Errorf("%s: token %s has a lone surrogate", tt.value, p)
			}
		})
	}
}

func TestPayloadOfText(t *testing.T) {
	for text, token := range map[string]string{
		"": `""`, "plain": `"plain"`, `{"a":"b"}`: `"{\"a\":\"b\"}"`, "é<\u2028\n": "\"é<\u2028\\n\"",
	} {
		for _, p := range []protocol.Payload{protocol.PayloadOfText(text), protocol.PayloadOfText([]byte(text))} {
			if string(p) != token || p.Text() != text || p.Len() != len(text) {
				t.Errorf("%q: token %s, text %q, length %d", text, p, p.Text(), p.Len())
			}
		}
	}
	if p := protocol.PayloadOfText("\xff"); string(p) != "\"\ufffd\"" || p.Len() != 3 {
		t.Errorf("a byte that is no UTF-8: token %q, length %d", p, p.Len())
	}
}
