package protocol_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

func TestParseFrame(t *testing.T) {
	tests := []struct{ name, text, event, channel, data string }{
		{"event only", `{"event":"pusher:ping"}`, "pusher:ping", "", ""},
		{"event and data", `{"event":"pusher:ping","data":{}}`, "pusher:ping", "", "{}"},
		{"all keys, another order", `{"data":[1],"channel":"c","event":"client-x"}`, "client-x", `"c"`, "[1]"},
		{"white space", " { \"event\" : \"e\" ,\n\"data\" : { \"a\" : 1 } } ", "e", "", `{ "a" : 1 }`},
		{"nulls are absent", `{"event":"e","channel":null,"data":null}`, "e", "", ""},
		{"unknown keys are dropped", `{"event":"e","user_id":"1","x":{"event":"y"}}`, "e", "", ""},
		{"keys of another case are unknown", `{"event":"e","Event":"x","DATA":1,"Channel":"c"}`, "e", "", ""},
		{"an escaped key", `{"\u0065vent":"e"}`, "e", "", ""},
		{"an escaped event", `{"event":"\u0065\ud83d\ude00"}`, "e😀", "", ""},
		{"an empty event", `{"event":""}`, "", "", ""},
		{"values keep their characters", `{"event":"e","data":"\u0041\/","channel":1.50}`, "e", "1.50", `"\u0041\/"`},
		{"false is not absent", `{"event":"e","data":false}`, "e", "", "false"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := protocol.ParseFrame([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if string(f.Event) != tt.event || string(f.Channel) != tt.channel || string(f.Data) != tt.data {
				t.Errorf("%s: event %q, channel %s, data %s", tt.text, f.Event, f.Channel, f.Data)
			}
			if f.Channel.IsAbsent() != (tt.channel == "") || f.Data.IsAbsent() != (tt.data == "") {
				t.Errorf("%s: channel absent %v, data absent %v", tt.text, f.Channel.IsAbsent(), f.Data.IsAbsent())
			}
		})
	}
}

func TestParseFrameRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                  ``,
		"no JSON":                  `pusher:ping`,
		"an array":                 `["event"]`,
		"a number":                 `1`,
		"a string":                 `"{\"event\":\"e\"}"`,
		"null":                     `null`,
		"two objects":              `{"event":"e"}{"event":"e"}`,
		"no event":                 `{"data":{}}`,
		"event null":               `{"event":null}`,
		"event a number":           `{"event":1}`,
		"event an object":          `{"event":{}}`,
		"two events":               `{"event":"a","event":"b"}`,
		"two events, one escaped":  `{"event":"a","\u0065vent":"b"}`,
		"two channels":             `{"event":"a","channel":"b","channel":"c"}`,
		"two of an unknown key":    `{"event":"a","x":1,"x":1}`,
		"bad UTF-8":                "{\"event\":\"\xff\"}",
		"nested beyond the limit":  `{"event":"e","data":` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `}`,
		"an object that is cut":    `{"event":"e"`,
		"a trailing comma":         `{"event":"e",}`,
		"a byte order mark before": "\ufeff" + `{"event":"e"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if f, err := protocol.ParseFrame([]byte(text)); !errors.Is(err, protocol.ErrInvalidFrame) {
				t.Errorf("%s: frame %+v, error %v", text, f, err)
			}
		})
	}
}

func TestFrameObject(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"an object", `{"channel":"c"}`, `{"channel":"c"}`},
		{"a string of an object", `"{\"channel\":\"c\"}"`, `{"channel":"c"}`},
		{"a string of an object without escapes", `" { } "`, `{ }`},
		{"null", `null`, `{}`},
		{"an array", `[]`, ""},
		{"a number", `1`, ""},
		{"true", `true`, ""},
		{"an empty string", `""`, ""},
		{"a string of null", `"null"`, ""},
		{"a string of an array", `"[]"`, ""},
		{"a string of a string of an object", `"\"{}\""`, ""},
		{"a string of no JSON", `"{"`, ""},
		{"a string of JSON and more", `"{} x"`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := protocol.ParseFrame([]byte(`{"event":"pusher:subscribe","data":` + tt.data + `}`))
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Object()
			if string(got) != tt.want || (tt.want == "") != errors.Is(err, protocol.ErrInvalidFrame) {
				t.Errorf("%s: object %s, error %v, want %s", tt.data, got, err, tt.want)
			}
		})
	}
	if got, err := (protocol.Frame{}).Object(); err != nil || string(got) != "{}" {
		t.Errorf("absent data: object %s, error %v", got, err)
	}
}

// The connection ends for text that is not UTF-8, whatever else is wrong with it.
func TestParseFrameTellsInvalidUTF8(t *testing.T) {
	tests := []struct {
		name, text string
		want       bool
	}{
		{"in the event", "{\"event\":\"\xff\"}", true},
		{"in a key that nobody reads", "{\"event\":\"e\",\"\xff\":1}", true},
		{"deep in the data", "{\"event\":\"e\",\"data\":[{\"a\":\"\xe2\x82\"}]}", true},
		{"in front", "\xff{\"event\":\"e\"}", true},
		{"behind", "{\"event\":\"e\"}\x80", true},
		{"between", "{\"event\":\"e\"\xc3}", true},
		{"behind a syntax error", "{event:\"\xff\"}", true},
		{"behind a key named twice", "{\"event\":\"e\",\"event\":\"e\",\"data\":\"\xff\"}", true},
		{"nested too deeply", `{"event":` + strings.Repeat("[", 200) + "\xff", true},
		{"no JSON at all", "\xfe\xff", true},
		{"a raw surrogate", "{\"event\":\"\xed\xa0\x80\"}", true},
		{"an escaped surrogate is UTF-8", `{"event":"\ud800"`, false},
		{"a syntax error alone", `{"event":"é`, false},
		{"an event that is missing", `{"data":"é"}`, false},
		{"nothing", ``, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, err := protocol.ParseFrame([]byte(tt.text))
			if !errors.Is(err, protocol.ErrInvalidFrame) || errors.Is(err, strictjson.ErrUTF8) != tt.want {
				t.Errorf("%q: error %v, want invalid UTF-8 %v", tt.text, err, tt.want)
			}
			if f.Event != nil || f.Channel != nil || f.Data != nil {
				t.Errorf("%q: frame %+v beside an error", tt.text, f)
			}
		})
	}
}

func TestIsClientEvent(t *testing.T) {
	for event, want := range map[string]bool{
		"client-": true, "client-x": true, `\u0063lient-x`: true,
		"": false, "client": false, "Client-x": false, "pusher:client-x": false, " client-x": false,
	} {
		f, err := protocol.ParseFrame([]byte(`{"event":"` + event + `"}`))
		if err != nil || f.IsClientEvent() != want {
			t.Errorf("event %s: %v, %v, want %v", event, f.IsClientEvent(), err, want)
		}
	}
}

// FuzzParseFrame: no input panics; values are cut from the input itself; event,
// channel and data are what encoding/json finds; and what is refused is not a
// frame for encoding/json either, but for the strictness of package strictjson.
func FuzzParseFrame(f *testing.F) {
	for _, seed := range []string{
		`{"event":"pusher:ping","data":{}}`, `{"event": "pusher:pong"}`,
		`{"event":"pusher:subscribe","data":{"auth":"KEY:SIG","channel_data":"{\"user_id\":\"1\"}","channel":"presence-x"}}`,
		`{"event":"pusher:subscribe","data":"{\"channel\":\"my-channel\"}"}`,
		`{"event":"client-x","channel":"private-a","data":[1,2,{"a":null}],"user_id":"7"}`,
		`{"event":null,"channel":null,"data":null}`, `{"event":"a","\u0065vent":"b"}`, `[]`, `"x"`, "\xff", `{"event":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		frame, err := protocol.ParseFrame(text)
		var fields map[string]json.RawMessage
		stdErr := json.Unmarshal(text, &fields)
		if !bytes.Equal(text, before) {
			t.Fatal("ParseFrame wrote to its input")
		}
		if errors.Is(err, strictjson.ErrUTF8) == utf8.Valid(text) {
			t.Fatalf("error %v, valid UTF-8 %v", err, utf8.Valid(text))
		}
		if err != nil {
			checkRefused(t, text, fields, stdErr)
			return
		}
		var event string
		if stdErr != nil || json.Unmarshal(fields["event"], &event) != nil || event != string(frame.Event) {
			t.Fatalf("event %q, encoding/json has %q, %v", frame.Event, event, stdErr)
		}
		for key, value := range map[string]strictjson.Value{"channel": frame.Channel, "data": frame.Data} {
			want := fields[key]
			if string(want) == "null" {
				want = nil
			}
			if !bytes.Equal(value, want) {
				t.Fatalf("%s is %s, encoding/json has %s", key, value, want)
			}
			if value != nil && !within(text, value) {
				t.Fatalf("%s does not share memory with the input", key)
			}
		}
		if len(frame.Data) > 0 {
			checkClientEvent(t, frame)
		}
		if object, err := frame.Object(); err == nil && object.Kind() != strictjson.Object {
			t.Fatalf("object %s", object)
		}
	})
}

// checkRefused fails if a refused text is a frame all the same.
func checkRefused(t *testing.T, text []byte, fields map[string]json.RawMessage, stdErr error) {
	t.Helper()
	v, err := strictjson.Parse(text)
	if stdErr != nil || err != nil || v.Kind() != strictjson.Object {
		return
	}
	event := fields["event"]
	twins := v.Members(func([]byte, strictjson.Value) error { return nil })
	if twins == nil && len(event) > 0 && event[0] == '"' {
		t.Fatalf("refused, although its event is %s", event)
	}
}

// within reports whether part lies in the memory of whole.
func within(whole, part []byte) bool {
	for i := range whole {
		if &whole[i] == &part[0] {
			return len(part) <= len(whole)-i
		}
	}
	return false
}

// clientFrame is a client event whose data is an object of about size bytes.
func clientFrame(size int) []byte {
	const head, member = `{"event":"client-typing","channel":"presence-room","data":{"on":true,"at":1700000000`, `,"key":"some text"`
	members := max(0, size-len(head)-2+len(member)/2) / len(member)
	return []byte(head + strings.Repeat(member, members) + "}}")
}

func BenchmarkParseFrame(b *testing.B) {
	for _, size := range []int{102, 1_000, 10_000} {
		b.Run("size="+strconv.Itoa(size), func(b *testing.B) {
			// The members of its data have one name: duplicates are refused in the
			// envelope only.
			text := clientFrame(size)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := protocol.ParseFrame(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
