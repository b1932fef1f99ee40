package strictjson

import (
	"encoding/json"
	"strings"
	"testing"
)

var frames = map[string][]byte{
	"small": []byte(`{"event":"client-typing","channel":"presence-room","data":{"on":true,"at":1700000000}}`),
	"1KB": []byte(`{"event":"client-typing","channel":"presence-room","data":"` +
		strings.Repeat(`{\"name\":\"é\",\"n\":12.5}`, 40) + `"}`),
}

// BenchmarkEnvelope reads event, channel and raw data of a client frame.
func BenchmarkEnvelope(b *testing.B) {
	for size, text := range frames {
		b.Run("parser=strictjson/size="+size, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				var event string
				var channel, data Value
				v, err := Parse(text)
				if err == nil {
					err = v.Members(func(key []byte, value Value) error {
						switch string(key) {
						case "event":
							event, _ = value.Text()
						case "channel":
							channel = value
						case "data":
							data = value
						}
						return nil
					})
				}
				if err != nil || event == "" || channel == nil || data == nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("parser=encoding-json/size="+size, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				var f struct {
					Event   string
					Channel json.RawMessage
					Data    json.RawMessage
				}
				if err := json.Unmarshal(text, &f); err != nil || f.Event == "" {
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
