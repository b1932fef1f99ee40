package protocol_test

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// textFrame writes a text frame on its own account, whatever the payload.
func textFrame(payload []byte) protocol.Wire {
	w := protocol.Wire{0x81}
	switch n := len(payload); {
	case n < 126:
		w = append(w, byte(n))
	case n <= 0xffff:
		w = binary.BigEndian.AppendUint16(append(w, 126), uint16(n))
	default:
		w = binary.BigEndian.AppendUint64(append(w, 127), uint64(n))
	}
	return append(w, payload...)
}

// orders returns the frame of an event as backends publish them, some bytes
// longer than size: a list of records with few equal values.
func orders(t testing.TB, random *rand.Rand, size int) protocol.Wire {
	t.Helper()
	words := strings.Fields("delivered shipped pending order customer Berlin Kraków update volume currency typing sensor refund ticket urgent")
	word := func() string { return words[random.IntN(len(words))] }
	for records := []any{}; ; {
		records = append(records, map[string]any{
			"id": random.IntN(1e9), "user": fmt.Sprintf("u-%d", random.IntN(1e5)), "status": word(),
			"price": float64(random.IntN(1e6)) / 100, "text": word() + " " + word() + " " + word(),
			"at": fmt.Sprintf("2026-11-23T%02d:%02d:%02d.%03dZ", random.IntN(24), random.IntN(60), random.IntN(60), random.IntN(1000)),
		})
		data, err := json.Marshal(records)
		if err != nil {
			t.Fatal(err)
		}
		w := protocol.Event{Name: "orders-updated", Channel: "private-orders-1", Data: protocol.PayloadOfText(data)}.Encode()
		if len(w.Payload()) >= size {
			return w
		}
	}
}

func seeded() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

func randomBytes(n int) []byte {
	random := seeded()
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

// hexText shrinks to a little more than half.
func hexText(n int) []byte { return fmt.Appendf(nil, "%x", randomBytes(n))[:n] }

// inflate returns the payload of one compressed text frame, and an error if w is
// anything else or does not stand for itself.
func inflate(w []byte) ([]byte, error) {
	if len(w) < 2 || w[0] != 0xc1 {
		return nil, fmt.Errorf("frame begins with % x, not as a compressed text", w[:min(len(w), 2)])
	}
	plain := append(protocol.Wire{0x81}, w[1:]...)
	if plain.FrameLen() != len(w) || !bytes.Equal(textFrame(plain.Payload()), plain) {
		return nil, fmt.Errorf("%d bytes are not one frame in the shortest form", len(w))
	}
	// The tail that is never sent, and an empty last block, without which the
	// reader could not tell a whole message from one that is cut off.
	rest := bytes.NewReader(append(plain.Payload(), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	payload, err := io.ReadAll(flate.NewReader(rest))
	if err == nil && rest.Len() > 0 {
		err = fmt.Errorf("%d bytes behind the last block", rest.Len())
	}
	return payload, err
}

func TestDeflate(t *testing.T) {
	event := orders(t, seeded(), 1024)
	size := len(event.Payload())
	joined := append(slices.Clone(event), event...)
	tests := []struct {
		name   string
		frame  protocol.Wire
		least  int
		shrink bool
	}{
		{"an event", event, 512, true},
		{"an event of exactly the least size", event, size, true},
		{"an event one byte below the least size", event, size + 1, false},
		{"no least size", event, 0, true},
		{"an empty text", textFrame(nil), 0, false},
		{"a text that does not shrink", textFrame([]byte("abc")), 0, false},
		{"bytes that do not shrink", textFrame(randomBytes(70_000)), 512, false},
		{"a megabyte of zeros", textFrame(make([]byte, 1<<20)), 512, true},
		{"nothing", nil, 0, false},
		{"a PING", protocol.PingFrame(), 0, false},
		{"a close with a long reason", protocol.CloseFrame(protocol.CloseError{Code: 4000, Reason: strings.Repeat("x", 123)}), 0, false},
		{"two frames", joined, 0, false},
		{"a frame that is cut off", event[:size], 0, false},
		{"a header that is cut off", event[:3], 0, false},
		{"a compressed frame", protocol.Deflate(event, 0), 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := slices.Clone(tt.frame)
			twin := protocol.Deflate(tt.frame, tt.least)
			if !bytes.Equal(tt.frame, before) {
				t.Fatal("Deflate wrote to its input")
			}
			if !tt.shrink {
				if !bytes.Equal(twin, tt.frame) || len(twin) > 0 && &twin[0] != &tt.frame[0] {
					t.Fatalf("got % x…, want the frame itself", twin[:min(len(twin), 8)])
				}
				return
			}
			payload, err := inflate(twin)
			if err != nil || !bytes.Equal(payload, tt.frame.Payload()) {
				t.Fatalf("inflates to %d bytes, want the %d of the payload: %v", len(payload), size, err)
			}
			if len(twin) >= len(tt.frame) || cap(twin) != len(twin) {
				t.Errorf("twin of %d bytes, capacity %d, for a frame of %d", len(twin), cap(twin), len(tt.frame))
			}
			if !bytes.Equal(protocol.Deflate(tt.frame, tt.least), twin) {
				t.Error("a second call gives other bytes")
			}
		})
	}
}

func TestDeflateLengthForms(t *testing.T) {
	found := map[byte]bool{} // the second byte of twins
	for _, size := range []int{150, 160, 170, 180, 190, 200, 210, 220, 1_000, 100_000, 110_000, 115_000, 120_000, 200_000} {
		frame := textFrame(hexText(size))
		twin := protocol.Deflate(frame, 0)
		payload, err := inflate(twin)
		if err != nil || !bytes.Equal(payload, frame.Payload()) {
			t.Fatalf("payload of %d bytes: %d after inflating, %v", size, len(payload), err)
		}
		found[min(twin[1], 125)], found[twin[1]] = true, true
	}
	for _, length := range []byte{125, 126, 127} {
		if !found[length] {
			t.Errorf("no twin with a header like that of %d", length)
		}
	}
}

// Twins are shared: a later call must not write to an earlier one's bytes.
func TestDeflateConcurrently(t *testing.T) {
	var running sync.WaitGroup
	for seed := range uint64(8) {
		running.Go(func() {
			random := rand.New(rand.NewPCG(seed, 0))
			var frames, twins []protocol.Wire
			for range 20 {
				frames = append(frames, orders(t, random, random.IntN(5_000)))
				twins = append(twins, protocol.Deflate(frames[len(frames)-1], 0))
			}
			for i, twin := range twins {
				if payload, err := inflate(twin); err != nil || !bytes.Equal(payload, frames[i].Payload()) {
					t.Errorf("frame %d of %d: %v", i, seed, err)
				}
			}
		})
	}
	running.Wait()
}

// A burst of large events leaves one compressor behind once it is over: two
// collections empty the pool of the others.
func TestDeflateIdleMemory(t *testing.T) {
	frame := textFrame(hexText(1 << 20))
	protocol.Deflate(frame, 0)
	held := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	var running sync.WaitGroup
	for range 8 {
		running.Go(func() { protocol.Deflate(frame, 0) })
	}
	running.Wait()
	if after := held(); after > before+512<<10 {
		t.Errorf("%d KiB more than before", (after-before)>>10)
	}
	runtime.KeepAlive(frame)
}

func TestDeflateAllocations(t *testing.T) {
	frame := orders(t, seeded(), 1024)
	deflate := func() {
		protocol.Deflate(frame, 0)
	}
	if n := testing.AllocsPerRun(100, deflate); n != 1 {
		t.Errorf("%v allocations, want the twin's only", n)
	}
	// Rare events: whatever is collected in between, the compressor stays.
	if n := testing.AllocsPerRun(3, func() { runtime.GC(); runtime.GC(); deflate() }); n > 10 {
		t.Errorf("%v allocations after a pause, want no new compressor", n)
	}
}

// FuzzDeflate: whatever the payload, the twin is the frame itself or inflates to
// the payload.
func FuzzDeflate(f *testing.F) {
	for _, seed := range []string{
		"", "a", "\x00\x00\xff\xff", strings.Repeat("\x00", 300), strings.Repeat("ab", 30_000), string(hexText(130)),
		string(randomBytes(200)), string(orders(f, seeded(), 600).Payload()),
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, part []byte, times uint8) {
		if len(part)*int(times) > 1<<18 {
			return // slow, and nothing new
		}
		payload := bytes.Repeat(part, int(times)) // repetition is what compression is about
		frame := textFrame(payload)
		twin := protocol.Deflate(frame, 0)
		if bytes.Equal(twin, frame) {
			return
		}
		got, err := inflate(twin)
		if err != nil || !bytes.Equal(got, payload) || len(twin) > len(frame) {
			t.Fatalf("twin of %d bytes inflates to %d, want %d: %v", len(twin), len(got), len(payload), err)
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	for _, size := range []int{256, 512, 1 << 10, 10 << 10} {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			// Several events, since a branch predictor learns a single one by heart.
			var frames []protocol.Wire
			random := seeded()
			for range 64 {
				w := orders(b, random, size)
				frames = append(frames, textFrame(w.Payload()[:size]))
			}
			in, out, n := 0, 0, 0
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				frame := frames[n%len(frames)]
				n++
				in += len(frame)
				out += len(protocol.Deflate(frame, 0))
			}
			b.ReportMetric(100*float64(out)/float64(in), "%size")
		})
	}
}
