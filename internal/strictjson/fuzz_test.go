package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"testing"
	"unicode/utf8"
)

// FuzzParse compares with encoding/json in both directions. The two may differ
// in three places only, which doc.go names: UTF-8, depth and keys named twice.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"event":"pusher:subscribe","data":{"auth":"","channel":"my-channel"}}`,
		`{"event":"client-x","channel":"private-a","data":"{\"a\":1}"}`,
		` [1, -0.5e+10, "\u0041\ud83d\ude00\ud800", null, true, false, {"a":{}}, []] `,
		`{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2}}`, `"` + "\xff" + `"`, `01`, `{"a":1,}`, `"\u12`,
		nested("[", "", "]", MaxDepth), nested("[", "", "]", MaxDepth+1),
		`{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"1":0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		v, err := Parse(text)
		if !bytes.Equal(text, before) {
			t.Fatal("Parse wrote to its text")
		}
		if err != nil {
			if json.Valid(text) && utf8.Valid(text) && depth(text) <= MaxDepth {
				t.Fatalf("refused with %v, valid for encoding/json", err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatal("accepted, invalid for encoding/json")
		}
		if !utf8.Valid(text) || depth(text) > MaxDepth {
			t.Fatal("accepted in spite of its UTF-8 or its depth")
		}
		if !bytes.Equal(v, bytes.Trim(text, " \t\r\n")) {
			t.Fatalf("value %q is not the text without white space", v)
		}
		if quoted := AppendString(nil, v); len(quoted) != v.QuotedLen() {
			t.Fatalf("%d bytes as a string, want %d", len(quoted), v.QuotedLen())
		}
		sameValue(t, v)
	})
}

func sameValue(t *testing.T, v Value) {
	t.Helper()
	got, err := decode(v)
	if twins := hasTwins(v); errors.Is(err, ErrTwice) != twins {
		t.Fatalf("walking gives %v, keys named twice: %v", err, twins)
	}
	if err != nil {
		if !errors.Is(err, ErrTwice) {
			t.Fatalf("walking gives %v", err)
		}
		return
	}
	var want any
	decoder := json.NewDecoder(bytes.NewReader(v))
	decoder.UseNumber()
	if err := decoder.Decode(&want); err != nil {
		t.Fatalf("encoding/json does not decode it: %v", err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("walked value %#v, encoding/json has %#v", got, want)
	}
}

// decode builds from v, by this package alone, what encoding/json would.
func decode(v Value) (any, error) {
	switch v.Kind() {
	case Null:
		return nil, nil
	case Bool:
		return v[0] == 't', nil
	case Number:
		return json.Number(v), nil
	case String:
		text, _ := v.Text()
		if raw, _ := v.TextBytes(); string(raw) != text || v.TextLen() != len(text) ||
			v.TextExceeds(len(text)) || !v.TextExceeds(len(text)-1) {
			return nil, errors.New("Text, TextBytes, TextLen and TextExceeds disagree")
		}
		return text, nil
	case Array:
		list := []any{}
		err := v.Elements(func(e Value) error {
			x, err := decode(e)
			list = append(list, x)
			return err
		})
		return list, err
	case Object:
		object := map[string]any{}
		err := v.Members(func(key []byte, e Value) error {
			name := string(key)
			x, err := decode(e)
			object[name] = x
			return err
		})
		return object, err
	}
	return nil, errors.New("value of no kind")
}

// hasTwins looks for keys named twice with the tokens of encoding/json.
func hasTwins(text []byte) bool {
	type level struct {
		keys map[string]bool // nil in arrays
		key  bool            // a key comes next
	}
	stack := []level{{}}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return false
		}
		top := &stack[len(stack)-1]
		if name, ok := token.(string); ok && top.keys != nil && top.key {
			if top.keys[name] {
				return true
			}
			top.keys[name], top.key = true, false
			continue
		}
		top.key = top.keys != nil
		switch token {
		case json.Delim('{'):
			stack = append(stack, level{keys: map[string]bool{}, key: true})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
			stack[len(stack)-1].key = stack[len(stack)-1].keys != nil
		}
	}
}

// depth returns how deep a valid text nests.
func depth(text []byte) int {
	now, most, quoted := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			now++
			most = max(most, now)
		case c == ']' || c == '}':
			now--
		}
	}
	return most
}

// FuzzParseObject: the one pass finds what two passes and encoding/json find,
// and refuses the same texts.
func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{
		`{"event":"client-x","channel":"private-a","data":{"a":[1,2.5e3,"\u0041é",null,true],"b":{}}}`,
		` { "event" : "pusher:ping" , "data" : "{\"a\":1}" } `,
		`{"a":1,"\u0061":2}`, `{"a":{"b":1,"b":2}}`, "{\"\xff\":1}", "{\"a\":\"\xe2\x82\"}", `{"a":1,}`, `{"a":1}x`, `[]`, `{`, ``,
		`{"12345678":"12345678","1234567":"1234567\\","éééééééé":"\"\ud800"}`,
		`{"a":` + nested("[", "", "]", MaxDepth-1) + `}`, `{"a":` + nested("[", "", "]", MaxDepth) + `}`,
		`{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0,"1":0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		var got, want []string
		err := ParseObject(text, collect(&got))
		if !bytes.Equal(text, before) {
			t.Fatal("ParseObject wrote to its text")
		}
		v, wantErr := Parse(text)
		if wantErr == nil {
			wantErr = v.Members(collect(&want))
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("one pass gives %v, two give %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if !slices.Equal(got, want) {
			t.Fatalf("one pass finds %q, two find %q", got, want)
		}
		if !utf8.Valid(text) || depth(text) > MaxDepth {
			t.Fatal("accepted in spite of its UTF-8 or its depth")
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(text, &fields); err != nil || 2*len(fields) != len(got) {
			t.Fatalf("encoding/json finds %d members, %v; one pass %q", len(fields), err, got)
		}
		for i := 0; i < len(got); i += 2 {
			if string(fields[got[i]]) != got[i+1] {
				t.Fatalf("member %q is %s, encoding/json has %s", got[i], got[i+1], fields[got[i]])
			}
		}
	})
}

// FuzzAppendString: every text becomes a token that both parsers read back as
// the text, with U+FFFD for each byte that is no UTF-8.
func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{
		"", "abc", "a\"b\\c/\b\f\n\r\t\x00\x1f\x7f", "<>&\u2028\u2029", "é€😀\ufffd", "\xff\xed\xa0\x80\xe2\x82",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		want := string([]rune(text))
		token := AppendString(nil, text)
		if other := AppendString(nil, []byte(text)); !bytes.Equal(token, other) {
			t.Fatalf("as string %q, as bytes %q", token, other)
		}
		v, err := Parse(token)
		if err != nil {
			t.Fatalf("token %q: %v", token, err)
		}
		if got, ok := v.Text(); !ok || got != want || v.TextLen() != len(want) || v.HasLoneSurrogate() {
			t.Fatalf("token %q reads back as %q (%d), want %q", token, got, v.TextLen(), want)
		}
		var std string
		if err := json.Unmarshal(token, &std); err != nil || std != want {
			t.Fatalf("encoding/json reads token %q as %q, %v", token, std, err)
		}
		if longest := len(text)*6 + 2; len(token) > longest {
			t.Fatalf("token of %d bytes for %d", len(token), len(text))
		}
	})
}
