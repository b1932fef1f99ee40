package testkit

import (
	"encoding/binary"
	"strings"
	"testing"
)

// wire makes one frame with the length form that RFC 6455 asks for.
func wire(first byte, payload string) string {
	b := []byte{first, byte(len(payload))}
	switch {
	case len(payload) > 0xffff:
		b = binary.BigEndian.AppendUint64([]byte{first, 127}, uint64(len(payload)))
	case len(payload) > 125:
		b = binary.BigEndian.AppendUint16([]byte{first, 126}, uint16(len(payload)))
	}
	return string(b) + payload
}

func TestFrames(t *testing.T) {
	long := `{"event":"` + strings.Repeat("e", 70_000) + `"}`
	frames := Frames(t, []byte(
		wire(0x81, `{"event":"a","channel":"c","data":"{\"x\":\"\\u0001\"}","user_id":"7"}`)+
			wire(0x81, `{"event":"pusher:error","data":{"code":null}}`)+
			wire(0x81, `{"event":"a","data":"`+strings.Repeat("d", 126)+`"}`)+
			wire(0x81, long)+
			wire(0x89, "")+wire(0x8a, "pong")+
			wire(0x88, "\x10\x68Over capacity")+wire(0x88, "")))
	if len(frames) != 8 {
		t.Fatalf("%d frames, want 8", len(frames))
	}
	first := frames[0]
	if first.Op != OpText || first.Event != "a" || first.Channel != "c" ||
		first.Data != `{"x":"\u0001"}` || first.UserID != "7" || !strings.HasPrefix(first.Raw, `{"event":"a"`) {
		t.Errorf("first frame %+v", first)
	}
	if !first.Has("user_id") || first.Has("other") || first.Field("channel") != `"c"` || first.Field("other") != "" {
		t.Errorf("fields of the first frame: %v", first.fields)
	}
	if second := frames[1]; second.Data != `{"code":null}` || second.Has("channel") {
		t.Errorf("second frame %+v", second)
	}
	if len(frames[2].Data) != 126 || frames[3].Raw != long {
		t.Errorf("long frames are cut wrongly")
	}
	if frames[4].Op != OpPing || frames[5].Op != OpPong || frames[5].Raw != "pong" {
		t.Errorf("control frames %+v %+v", frames[4], frames[5])
	}
	if c := frames[6]; c.Op != OpClose || c.Code != 4200 || c.Reason != "Over capacity" {
		t.Errorf("close frame %+v", c)
	}
	if c := frames[7]; c.Op != OpClose || c.Code != 0 {
		t.Errorf("empty close frame %+v", c)
	}
	if got := Frames(t, nil); got != nil {
		t.Errorf("no bytes: %v", got)
	}
}

func TestParseFramesRefuses(t *testing.T) {
	good := wire(0x81, `{"event":"a"}`)
	tests := map[string]string{
		"a header that is cut off":          "\x81",
		"a 16-bit length that is cut off":   "\x81\x7e\x01",
		"a 64-bit length that is cut off":   "\x81\x7f\x00\x00\x00\x00\x00\x01\x00",
		"a payload that is cut off":         good[:len(good)-1],
		"a masked frame":                    "\x81\x80\x00\x00\x00\x00",
		"a fragment":                        wire(0x01, `{"event":"a"}`),
		"a continuation":                    wire(0x80, `{"event":"a"}`),
		"a reserved bit":                    wire(0xc1, `{"event":"a"}`),
		"a binary frame":                    wire(0x82, `{"event":"a"}`),
		"a reserved opcode":                 wire(0x8b, ""),
		"125 in the 16-bit form":            "\x81\x7e\x00\x7d" + strings.Repeat(" ", 125),
		"65,535 in the 64-bit form":         "\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff" + strings.Repeat(" ", 65_535),
		"a length beyond 63 bits":           "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
		"a ping of 126 bytes":               wire(0x89, strings.Repeat("p", 126)),
		"a close payload of one byte":       wire(0x88, "\x03"),
		"a close reason that is no UTF-8":   wire(0x88, "\x10\x68\xff"),
		"close code 1005":                   wire(0x88, "\x03\xed"),
		"close code 999":                    wire(0x88, "\x03\xe7"),
		"text that is no UTF-8":             wire(0x81, "{\"event\":\"\xff\"}"),
		"text that is no JSON":              wire(0x81, `{"event":"a"`),
		"two JSON values":                   wire(0x81, `{"event":"a"}{}`),
		"an array":                          wire(0x81, `["event"]`),
		"no event":                          wire(0x81, `{"data":"{}"}`),
		"an event that is no string":        wire(0x81, `{"event":1}`),
		"rubbish behind a frame":            good + "x",
		"a second frame that is not valid":  good + wire(0x81, "null"),
		"an unmasked frame, then masked":    good + "\x81\x80\x00\x00\x00\x00",
		"a 64-bit length of 2^63, cut off":  "\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
		"a 16-bit length and no such bytes": "\x81\x7e\x01\x00",
	}
	for name, w := range tests {
		t.Run(name, func(t *testing.T) {
			if frames, err := ParseFrames([]byte(w)); err == nil {
				t.Fatalf("accepted as %+v", frames)
			}
		})
	}
}
