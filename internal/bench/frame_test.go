package bench

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

func serverFrame(op byte, payload string) []byte {
	b := appendServerFrame(nil, []byte(payload))
	b[0] = 0x80 | op
	return b
}

func TestCutFrame(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536, maxFrame} {
		text := strings.Repeat("a", size)
		whole := serverFrame(opText, text)
		f, n, err := cutFrame(append(whole, "rest"...))
		if err != nil || n != len(whole) || f.op != opText || string(f.payload) != text {
			t.Errorf("%d bytes: cut %d of %d with opcode %d, %v", size, n, len(whole), f.op, err)
		}
		for _, part := range []int{0, 1, 2, 3, 9, len(whole) - 1} {
			if part >= len(whole) {
				continue
			}
			if _, n, err := cutFrame(whole[:part]); n != 0 || err != nil {
				t.Errorf("%d bytes, of which %d are there: cut %d, %v", size, part, n, err)
			}
		}
	}
}

func TestCutFrameRefuses(t *testing.T) {
	tests := []struct {
		name string
		wire []byte
		want error
	}{
		{"reserved bits", []byte{0xc1, 0}, errReserved},
		{"the beginning of a fragmented message", []byte{0x01, 0}, errFragment},
		{"a continuation", []byte{0x80, 0}, errFragment},
		{"a masked frame", []byte{0x81, 0x80, 0, 0, 0, 0}, errMasked},
		{"a long control frame", []byte{0x89, 126, 0, 126}, errControl},
		{"a binary frame", []byte{0x82, 0}, nil},
		{"an unknown control frame", []byte{0x8b, 0}, nil},
		{"a frame that is too long", []byte{0x81, 127, 0, 0, 0, 0, 0, 0x20, 0, 1}, nil},
		{"a length beyond all", []byte{0x81, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, n, err := cutFrame(tt.wire)
			if err == nil || n != 0 || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("cut %d, error %v, want %v", n, err, tt.want)
			}
		})
	}
}

// unmask undoes appendFrame.
func unmask(t *testing.T, b []byte) (op byte, payload []byte) {
	t.Helper()
	head := 2
	size := int(b[1] & 0x7f)
	switch size {
	case 126:
		size, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case 127:
		size, head = int(binary.BigEndian.Uint64(b[2:])), 10
	}
	if b[0]&0xf0 != 0x80 || b[1]&0x80 == 0 || len(b) != head+4+size {
		t.Fatalf("head % x of a frame of %d bytes", b[:head], len(b))
	}
	key := b[head : head+4]
	for i, c := range b[head+4:] {
		payload = append(payload, c^key[i%4])
	}
	return b[0] & 0x0f, payload
}

func TestAppendFrame(t *testing.T) {
	for _, size := range []int{0, 5, 125, 126, 65535, 65536} {
		text := bytes.Repeat([]byte("xyz"), size)[:size]
		op, payload := unmask(t, appendFrame(nil, opText, text))
		if op != opText || !bytes.Equal(payload, text) {
			t.Errorf("%d bytes came back as %d with opcode %d", size, len(payload), op)
		}
	}
}

func TestStampedFrame(t *testing.T) {
	for i, before := range []string{"", "a", "ab", "abc", "", "a"} {
		d := newEventData([]int{64, 100, 200, 256, 16, 30}[i])
		f := newStampedFrame(append(d.append([]byte(before), 0, 0), "after"...), d, len(before))
		for _, number := range []uint64{1, 87_654_321_012} {
			_, got := unmask(t, f.with(1_700_000_000_000_000_001, number))
			want := string(d.append([]byte(before), 1_700_000_000_000_000_001, number)) + "after"
			if string(got) != want {
				t.Errorf("stamped %q, want %q", got, want)
			}
		}
	}
}

func FuzzCutFrame(f *testing.F) {
	f.Add(serverFrame(opText, `{"event":"pusher:pong","data":"{}"}`))
	f.Add(serverFrame(opPing, "x"))
	f.Add(serverFrame(opClose, "\x10\x04bye"))
	f.Add(serverFrame(opText, strings.Repeat("a", 70000)))
	f.Add([]byte{0x81, 127, 0, 0, 0, 0, 0, 4, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		fr, n, err := cutFrame(b)
		switch {
		case err != nil && n != 0:
			t.Fatalf("an error and %d bytes", n)
		case n < 0 || n > len(b) || len(fr.payload) > maxFrame:
			t.Fatalf("cut %d of %d bytes with a payload of %d", n, len(b), len(fr.payload))
		case n == 0:
			return
		case !bytes.HasSuffix(b[:n], fr.payload):
			t.Fatal("the payload is not the end of the frame")
		}
		// What is before the end of a frame is only its beginning.
		if _, less, err := cutFrame(b[:n-1]); less != 0 || err != nil {
			t.Fatalf("without its last byte the frame gives %d, %v", less, err)
		}
	})
}
