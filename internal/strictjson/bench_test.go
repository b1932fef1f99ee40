package strictjson

import (
	"encoding/json"
	"strings"
	"testing"
)

// frames are client events: of some 100 bytes, and with a kilobyte of data as
// an object, as plain text, as JSON in a string and as text beyond ASCII.
var frames = []struct {
	name string
	text []byte
}{
	{"small", frame(`{"on":true,"at":1700000000,"a":"xy"}`)},
	{"object", frame("[" + strings.Repeat(`{"name":"Anna","n":12.5,"ok":true},`, 28) + "1]")},
	{"plain", frame(`"` + strings.Repeat("hello world, how are you", 42) + `"`)},
	{"escapes", frame(`"` + strings.Repeat(`{\"name\":\"é\",\"n\":12.5}`, 38) + `"`)},
	{"cyrillic", frame(`"` + strings.Repeat("Привет, как дела? ", 31) + `"`)},
}

func frame(data string) []byte {
	return []byte(`{"event":"client-typing","channel":"presence-room","data":` + data + "}")
}

// BenchmarkEnvelope validates a client frame and cuts it into its members.
func BenchmarkEnvelope(b *testing.B) {
	for _, f := range frames {
		b.Run("parser=one-pass/data="+f.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(f.text)))
			for b.Loop() {
				if err := ParseObject(f.text, func([]byte, Value) error { return nil }); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("parser=two-passes/data="+f.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(f.text)))
			for b.Loop() {
				v, err := Parse(f.text)
				if err != nil || v.Members(func([]byte, Value) error { return nil }) != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("parser=encoding-json/data="+f.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(f.text)))
			for b.Loop() {
				var envelope struct {
					Event   string
					Channel json.RawMessage
					Data    json.RawMessage
				}
				if err := json.Unmarshal(f.text, &envelope); err != nil || envelope.Event == "" {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkString(b *testing.B) {
	text := strings.Repeat(`{"name":"é","n":12.5}`, 40)
	buf := make([]byte, 0, 2*len(text))
	b.Run("encoder=strictjson", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			buf = AppendString(buf[:0], text)
		}
	})
	b.Run("encoder=encoding-json", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, err := json.Marshal(text); err != nil {
				b.Fatal(err)
			}
		}
	})
}
