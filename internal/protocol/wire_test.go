package protocol_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// eventOfSize returns an event frame with a payload of exactly size bytes.
func eventOfSize(t *testing.T, size int) protocol.Wire {
	t.Helper()
	const around = len(`{"event":"e","data":""}`)
	data := protocol.PayloadOfText(strings.Repeat("d", size-around))
	return protocol.Event{Name: "e", Data: data}.Encode()
}

func TestLengthForms(t *testing.T) {
	tests := []struct {
		size, header int
		length       byte // the second byte
	}{
		{23, 2, 23},
		{124, 2, 124},
		{125, 2, 125},
		{126, 4, 126},
		{127, 4, 126},
		{65_534, 4, 126},
		{65_535, 4, 126},
		{65_536, 10, 127},
		{65_537, 10, 127},
		{1 << 20, 10, 127},
	}
	for _, tt := range tests {
		w := eventOfSize(t, tt.size)
		if len(w) != tt.header+tt.size || w[0] != 0x81 || w[1] != tt.length {
			t.Errorf("payload of %d bytes: frame of %d, begins % x", tt.size, len(w), w[:2])
			continue
		}
		var length uint64
		switch tt.header {
		case 2:
			length = uint64(w[1])
		case 4:
			length = uint64(binary.BigEndian.Uint16(w[2:]))
		case 10:
			length = binary.BigEndian.Uint64(w[2:])
		}
		if length != uint64(tt.size) {
			t.Errorf("payload of %d bytes: header says %d", tt.size, length)
		}
		if w.FrameLen() != len(w) || len(w.Payload()) != tt.size || cap(w) != len(w) {
			t.Errorf("payload of %d bytes: FrameLen %d, Payload %d, capacity %d of %d",
				tt.size, w.FrameLen(), len(w.Payload()), cap(w), len(w))
		}
		if frames := testkit.Frames(t, w); len(frames) != 1 || frames[0].Event != "e" {
			t.Errorf("payload of %d bytes: frames %+v", tt.size, frames)
		}
	}
}

func TestFrameLenOfParts(t *testing.T) {
	for _, size := range []int{23, 126, 65_536} {
		w := eventOfSize(t, size)
		for _, part := range []int{0, 1, 2, 3, 4, 9, 10, 11, len(w) - 1} {
			if part < len(w) {
				if n := w[:part].FrameLen(); n != 0 {
					t.Errorf("%d of %d bytes: FrameLen %d, want 0", part, len(w), n)
				}
			}
		}
		two := append(append(protocol.Wire{}, w...), protocol.PingFrame()...)
		if n := two.FrameLen(); n != len(w) || string(two.Payload()) != string(w.Payload()) {
			t.Errorf("two frames: the first has %d bytes, want %d", n, len(w))
		}
		if rest := two[len(w):]; rest.FrameLen() != 2 || len(rest.Payload()) != 0 {
			t.Errorf("two frames: the second has %d bytes, want 2", rest.FrameLen())
		}
	}
}

func TestPingFrame(t *testing.T) {
	frames := testkit.Frames(t, protocol.PingFrame())
	if len(frames) != 1 || frames[0].Op != testkit.OpPing || frames[0].Raw != "" {
		t.Errorf("frames %+v", frames)
	}
}

func TestIsClose(t *testing.T) {
	for _, w := range []protocol.Wire{
		nil, {}, protocol.PingFrame(), protocol.Pong(), {0x08, 0x00},
	} {
		if protocol.IsClose(w) {
			t.Errorf("% x is taken for a close frame", []byte(w))
		}
	}
	if !protocol.IsClose(protocol.CloseFrame(protocol.CloseReconnect)) {
		t.Error("a close frame is not recognised")
	}
}

// P-031: reasons have at most 123 bytes and are valid UTF-8, whatever text they
// are made of; and nothing is cut that fits.
func TestCloseReason(t *testing.T) {
	tests := []struct{ name, reason, want string }{
		{"empty", "", ""},
		{"short", "Over capacity", "Over capacity"},
		{"123 bytes", strings.Repeat("a", 123), strings.Repeat("a", 123)},
		{"124 bytes", strings.Repeat("a", 124), strings.Repeat("a", 123)},
		{"a two-byte rune that ends at 123", strings.Repeat("a", 121) + "éb", strings.Repeat("a", 121) + "é"},
		{"a two-byte rune across 123", strings.Repeat("a", 122) + "é", strings.Repeat("a", 122)},
		{"a three-byte rune across 123", strings.Repeat("a", 121) + "€", strings.Repeat("a", 121)},
		{"a four-byte rune that ends at 123", strings.Repeat("a", 119) + "😀b", strings.Repeat("a", 119) + "😀"},
		{"a four-byte rune across 123", strings.Repeat("a", 120) + "😀", strings.Repeat("a", 120)},
		{"long runes only", strings.Repeat("😀", 100), strings.Repeat("😀", 30)},
		{"bytes that are no UTF-8", "a\xffb", "a\ufffdb"},
		{"124 continuation bytes", strings.Repeat("\x80", 124), "\ufffd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			frames := testkit.Frames(t, protocol.CloseFrame(protocol.CloseError{Code: 4100, Reason: tt.reason}))
			if len(frames) != 1 || frames[0].Code != 4100 || frames[0].Reason != tt.want {
				t.Errorf("frames %+v, want reason %q", frames, tt.want)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		reason := rapid.OneOf(rapid.String(), rapid.StringN(100, 200, -1),
			rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 200), func(b []byte) string { return string(b) })).Draw(t, "reason")
		code := rapid.IntRange(1000, 4999).Draw(t, "code")
		payload := protocol.CloseFrame(protocol.CloseError{Code: code, Reason: reason}).Payload()
		got := string(payload[2:])
		if int(binary.BigEndian.Uint16(payload)) != code || len(got) > 123 || !utf8.ValidString(got) {
			t.Fatalf("payload %q", payload)
		}
		if utf8.ValidString(reason) && (!strings.HasPrefix(reason, got) || len(got) < min(len(reason), 120)) {
			t.Fatalf("reason %q was cut to %q", reason, got)
		}
	})
}

func TestNeedsErrorFrame(t *testing.T) {
	application := []protocol.CloseError{
		protocol.CloseTLSOnly, protocol.CloseUnknownApp, protocol.CloseNoVersion, protocol.CloseOverCapacity,
		protocol.CloseReconnect, protocol.ClosePongTimeout,
		{Code: 4000},
		{Code: 4999},
	}
	other := []protocol.CloseError{
		protocol.CloseBinary, protocol.CloseInvalidUTF8, protocol.CloseServerError, protocol.CloseProtocol,
		{Code: protocol.CodeTooBig},
		{Code: protocol.CodeGoingAway},
		{Code: 3999},
		{Code: 5000},
	}
	for version, want := range map[int]bool{
		protocol.UnknownVersion: true, 4: true, 5: true, 6: false, 7: false, 8: false, math.MaxInt: false,
	} {
		for _, e := range application {
			if got := e.NeedsErrorFrame(version); got != want {
				t.Errorf("version %d, code %d: %v, want %v", version, e.Code, got, want)
			}
		}
		for _, e := range other {
			if e.NeedsErrorFrame(version) {
				t.Errorf("version %d, code %d: an error frame goes before a close that is not the application's", version, e.Code)
			}
		}
	}
}
