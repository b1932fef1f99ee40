package conformance

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestCompressedInput(t *testing.T) {
	t.Parallel()
	s := onOneNode(t, "what a process reads and how much memory it takes", compressionConfig())
	for _, about := range []struct {
		name  string
		prove func(*testing.T, *server)
	}{
		{"compressed and plain messages are understood", compressedMessages},
		{"a fragmented message may be compressed", compressedFragments},
		{"P-056 the limit holds for what a message inflates to", compressedTooLong},
		{"what is no compressed message closes the connection", compressedViolations},
		{"blocks without content do not go on for ever", compressedEndless},
	} {
		t.Run(about.name, func(t *testing.T) {
			t.Parallel()
			about.prove(t, s)
		})
	}
}

const compressedText = fin | rsv1 | opText

func compressedMessages(t *testing.T, s *server) {
	w, _ := deflateDial(t, s, squeezed, deflateOffer)
	for i := range 3 {
		channel := unique("inflated-")
		w.put(t, masked(compressedText, deflated(`{"event":"pusher:subscribe","data":{"channel":"`+channel+`"}}`)))
		w.expect(t, "pusher_internal:subscription_succeeded", channel)
		w.subscribe(t, unique("plain-"))
		w.put(t, masked(compressedText, deflated(pingOfSize(100+i*30_000))))
		w.expect(t, "pusher:pong", "")
	}
	w.put(t, masked(compressedText, deflated("?")))
	if got := w.expect(t, "pusher:error", "").errorBody(t); got.Message != invalidJSONText {
		t.Fatalf("got %+v", got)
	}
	// RFC 7692 §7.2.3.3: blocks without compression.
	w.put(t, masked(compressedText, append([]byte{0, 23, 0, 0xff - 23, 0xff}, `{"event":"pusher:ping"}`+"\x00"...)))
	w.expect(t, "pusher:pong", "")
}

func compressedFragments(t *testing.T, s *server) {
	w, _ := deflateDial(t, s, squeezed, deflateOffer)
	channel := unique("parts-")
	payload := deflated(`{"event":"pusher:subscribe","data":{"channel":"` + channel + `"}}`)
	w.put(t, masked(rsv1|opText, payload[:5]))
	w.put(t, masked(fin|opPing, []byte("between")))
	w.put(t, masked(opContinuation, nil))
	w.put(t, masked(opContinuation, payload[5:6]))
	w.put(t, masked(fin|opContinuation, payload[6:]))
	if op, text := w.frame(t, patience); op != opPong || string(text) != "between" {
		t.Fatalf("got frame %#x %q, want the pong", op, text)
	}
	w.expect(t, "pusher_internal:subscription_succeeded", channel)
}

// compressedTooLong: the server must stop inflating at the limit, whatever would
// follow. Together the messages below would inflate to 2 GiB.
func compressedTooLong(t *testing.T, s *server) {
	w, _ := deflateDial(t, s, squeezed, deflateOffer)
	w.put(t, masked(compressedText, deflated(pingOfSize(messageLimit))))
	w.expect(t, "pusher:pong", "")
	w.put(t, masked(compressedText, deflated(pingOfSize(messageLimit+1))))
	if code, _ := w.closing(t); code != 1009 {
		t.Fatalf("one byte too many: closed with %d, want 1009", code)
	}
	const bombs = 32
	before := s.memory(t)
	bomb := masked(compressedText, deflated(strings.Repeat(" ", 64<<20))) // 64 KiB
	var all []*deflateWire
	for range bombs {
		w, _ := deflateDial(t, s, squeezed, deflateOffer)
		_ = w.tryPut(bomb) // the server may hang up meanwhile
		all = append(all, w)
	}
	for i, w := range all {
		if code, _ := w.closing(t); code != 1009 {
			t.Fatalf("bomb %d: closed with %d, want 1009", i, code)
		}
		w.hungUp(t, 2*patience)
	}
	if grown := s.memory(t) - before; grown > 128<<20 {
		t.Fatalf("the server took %.0f MiB more for %d messages of 64 KiB", grown/(1<<20), bombs)
	}
}

// memory returns what the server has ever taken from the system for its heap and
// stacks; it does not sink when they are given back.
func (s *server) memory(t testing.TB) float64 {
	t.Helper()
	samples, err := s.metrics()
	if err != nil {
		t.Fatalf("metrics: %v", err)
	}
	const name = "go_memstats_sys_bytes"
	if samples[name] == 0 {
		t.Fatalf("metrics have no %s", name)
	}
	return samples[name]
}

func compressedViolations(t *testing.T, s *server) {
	ping := `{"event":"pusher:ping"}`
	payload := deflated(ping)
	tests := []struct {
		name  string
		bytes []byte
		codes []int
	}{
		{"a block of a type that does not exist", masked(compressedText, []byte{0x07, 0x07}), []int{1002, 1007}},
		{"plain text marked as compressed", masked(compressedText, []byte(ping)), []int{1002, 1007}},
		{"a reference to what was never sent", masked(compressedText, []byte{0x4b, 0x04, 0x93, 0x00}), []int{1002, 1007}},
		{"text that is not UTF-8", masked(compressedText, deflated("{\"event\":\"\xff\"}")), []int{1007}},
		{"a compressed binary message", masked(fin|rsv1|opBinary, payload), []int{1003}},
		{"a compressed PING", masked(fin|rsv1|opPing, payload), []int{1002}},
		{"a compressed close", masked(fin|rsv1|opClose, closePayload(1000, "")), []int{1002}},
		{"the mark on a continuation", append(masked(rsv1|opText, payload[:5]), masked(fin|rsv1|opContinuation, payload[5:])...), []int{1002}},
		{"reserved bit 2", masked(fin|0x20|opText, payload), []int{1002}},
		{"reserved bit 2 beside the mark", masked(compressedText|0x20, payload), []int{1002}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, _ := deflateDial(t, s, squeezed, deflateOffer)
			_ = w.tryPut(tt.bytes) // the server may hang up meanwhile
			code, _ := w.closing(t)
			if !slices.Contains(tt.codes, code) {
				t.Errorf("closed with %d, want one of %v", code, tt.codes)
			}
		})
	}
}

// compressedEndless: empty blocks inflate to nothing, so that the limit of a
// message is never reached. An honest message needs nowhere near 1 MiB.
func compressedEndless(t *testing.T, s *server) {
	for name, part := range map[string][]byte{
		"stored":       bytes.Repeat([]byte("\x00\x00\x00\xff\xff"), 200),
		"fixed":        bytes.Repeat([]byte{0x02, 0x08, 0x20, 0x80, 0x00}, 200), // four times the 10 bits of an empty one
		"empty frames": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := deflateDial(t, s, squeezed, deflateOffer)
			_ = w.tryPut(masked(rsv1|opText, part))
			parts := bytes.Repeat(masked(opContinuation, part), 1<<20/(len(part)+6))
			_ = w.tryPut(parts) // the server may hang up meanwhile
			w.hungUp(t, patience)
		})
	}
}
