package conformance

import (
	"fmt"
	"slices"
	"testing"
)

// TestMalformed sends what no client should. After each case a bystander on
// the same server still gets its events; after all of them the server holds no
// more than before. A crash or a race fails the test when its server stops.
func TestMalformed(t *testing.T) {
	t.Parallel()
	s := startServer(t, "log: {level: warn}\napps:\n"+
		appYAML(plain, "client_events: true")+appYAML(quick, "activity_timeout: 1s", "pong_timeout: 1s"))
	// A first connection and a first request make what stays: caches, pools.
	warmup := connect(t, s, plain)
	s.api(plain).trigger(t, "warm", "e", "")
	warmup.leave(t)
	base, err := s.usage()
	if err != nil {
		t.Fatalf("usage: %v", err)
	}
	t.Run("cases", func(t *testing.T) { // returns after its parallel subtests
		run := func(name string, misbehave func(t *testing.T, s *server)) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				undisturbed(t, s, func() { misbehave(t, s) })
			})
		}
		for _, c := range frameCases() {
			run(c.name, c.check)
		}
		for _, c := range textCases() {
			run(c.name, c.check)
		}
		for _, c := range httpCases() {
			run(c.name, c.check)
		}
		for _, c := range disconnectCases() {
			run(c.name, c.check)
		}
		run("slow handshakes neither block others nor live for ever", slowHandshakes)
		run("half a frame and then silence ends with 4201", halfFrameThenSilence)
		run("a length in a longer form than needed", wastefulLength)
		run("a thousand fragments of one message", manyFragments)
		run("an upgrade and a frame in one segment", pipelinedFrame)
		run("control frames without end", pingFlood)
	})
	if err := s.returnsTo(base); err != nil {
		t.Error(err)
	}
}

// undisturbed runs a misbehaviour next to a well-behaved connection.
func undisturbed(t *testing.T, s *server, misbehave func()) {
	t.Helper()
	bystander := connect(t, s, plain)
	channel := unique("bystander-")
	bystander.subscribe(t, channel)
	misbehave()
	s.api(plain).trigger(t, channel, "still", "here")
	bystander.expectEvent(t, "still", channel, "here")
	bystander.expectNothing(t)
	bystander.leave(t)
}

// frameCase is bytes on an established connection and the close codes that may
// answer them.
type frameCase struct {
	name  string
	bytes []byte
	codes []int
}

func (c frameCase) check(t *testing.T, s *server) {
	w, _ := wireTo(t, s, plain)
	// The server may hang up while it is still being written to.
	_ = w.tryPut(c.bytes)
	if code, _ := w.closing(t); !slices.Contains(c.codes, code) {
		t.Errorf("closed with %d, want one of %v", code, c.codes)
	}
	_ = w.tryPut(masked(0x80|opClose, closePayload(c.codes[0], "")))
	w.hungUp(t, 2*patience)
}

const fin = 0x80

func frameCases() []frameCase {
	ping := []byte(`{"event":"pusher:ping"}`)
	violation := []int{1002}
	cases := []frameCase{
		{"an unmasked text frame", bare(fin|opText, ping), violation},
		{"an unmasked empty text frame", bare(fin|opText, nil), violation},
		{"an unmasked PING", bare(fin|opPing, []byte("x")), violation},
		{"an unmasked PONG", bare(fin|opPong, nil), violation},
		{"an unmasked close", bare(fin|opClose, closePayload(1000, "")), violation},
		{"reserved bit 1 on text", masked(fin|0x40|opText, ping), violation},
		{"reserved bit 2 on text", masked(fin|0x20|opText, ping), violation},
		{"reserved bit 3 on text", masked(fin|0x10|opText, ping), violation},
		{"all reserved bits on a PING", masked(fin|0x70|opPing, nil), violation},
		{"reserved bit 1 on a close", masked(fin|0x40|opClose, closePayload(1000, "")), violation},
		{"reserved bit 1 on a continuation", append(masked(opText, ping[:3]), masked(fin|0x40, ping[3:])...), violation},
		{"a continuation of nothing", masked(fin|opContinuation, ping), violation},
		{"an unfinished continuation of nothing", masked(opContinuation, ping), violation},
		{"a new message inside a fragmented one", append(masked(opText, ping[:3]), masked(fin|opText, ping)...), violation},
		{"a fragmented PING", masked(opPing, []byte("x")), violation},
		{"a fragmented PONG", masked(opPong, nil), violation},
		{"a fragmented close", masked(opClose, closePayload(1000, "")), violation},
		{"a PING of 126 bytes", masked(fin|opPing, make([]byte, 126)), violation},
		{"a PONG of 64 KiB", masked(fin|opPong, make([]byte, 65_536)), violation},
		{"a close of 126 bytes", masked(fin|opClose, append(closePayload(1000, ""), make([]byte, 124)...)), violation},
		{"a close of one byte", masked(fin|opClose, []byte{3}), violation},
		{"a negative 64-bit length", append(longHeader(fin|opText, 0x80, 1<<63|5), maskedBody(ping)...), []int{1002, 1009}},
		{"a 64-bit length of 1 TiB", append(longHeader(fin|opText, 0x80, 1<<40), maskedBody(make([]byte, 70_000))...), []int{1009}},
		{"a message one byte over the limit", masked(fin|opText, make([]byte, messageLimit+1)), []int{1009}},
		{"fragments that are too long together", tooLongFragments(), []int{1009}},
		{"a binary frame", masked(fin|opBinary, ping), []int{1003}},
		{"an empty binary frame", masked(fin|opBinary, nil), []int{1003}},
		{"a fragmented binary message", append(masked(opBinary, ping[:3]), masked(fin|opContinuation, ping[3:])...), []int{1003}},
		{"an empty close", masked(fin|opClose, nil), []int{0, 1000}},
		{"a close with a reason that is not UTF-8", masked(fin|opClose, closePayload(1000, "\xff\xfe")), []int{1000, 1002, 1007}},
	}
	for _, op := range []byte{0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF} {
		cases = append(cases, frameCase{fmt.Sprintf("opcode %#x", op), masked(fin|op, ping), violation})
	}
	return append(append(cases, closeCases()...), utf8Cases()...)
}

func tooLongFragments() []byte {
	part := make([]byte, messageLimit/4)
	for i := range part {
		part[i] = ' '
	}
	all := masked(opText, part)
	for range 4 {
		all = append(all, masked(opContinuation, part)...)
	}
	return all
}
