package conformance

import (
	"net"
	"strings"
	"testing"
	"time"
)

// disconnectCase is bytes after which the client goes away: on an established
// connection, or on a fresh one if established is false.
type disconnectCase struct {
	name        string
	established bool
	bytes       []byte
	reset       bool // by RST instead of FIN
}

// check has nothing to read: that the server is well shows in the bystander and
// in what is left behind.
func (c disconnectCase) check(t *testing.T, s *server) {
	var w *wire
	if c.established {
		w, _ = wireTo(t, s, plain)
		w.say(t, `{"event":"pusher:subscribe","data":{"channel":"gone"}}`)
		w.expectText(t, succeeded("gone"))
	} else {
		w = wireOf(s.dialTCP(t))
	}
	w.put(t, c.bytes)
	if c.reset {
		if err := w.Conn.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatalf("linger: %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatalf("close: %v", err)
	}
}

func disconnectCases() []disconnectCase {
	text := masked(fin|opText, []byte(`{"event":"pusher:ping"}`))
	upgrade := []byte("GET /app/plain-key?protocol=7 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n")
	return []disconnectCase{
		{"gone before a byte", false, nil, false},
		{"gone in the middle of the request line", false, upgrade[:9], false},
		{"gone in the middle of the headers", false, upgrade, false},
		{"reset in the middle of the headers", false, upgrade, true},
		{"gone after one byte of a frame", true, text[:1], false},
		{"gone after a frame's length", true, text[:2], false},
		{"gone in the middle of the mask", true, text[:4], false},
		{"gone in the middle of the payload", true, text[:len(text)-3], false},
		{"gone in the middle of a long length", true, longHeader(fin|opText, 0x80, 70_000)[:5], false},
		{"gone in the middle of a fragmented message", true, masked(opText, []byte(`{"event":`)), false},
		{"gone without a close frame", true, nil, false},
		{"gone after a close frame without waiting", true, masked(fin|opClose, closePayload(1000, "")), false},
		{"reset after a frame", true, text, true},
		{"reset in the middle of the payload", true, text[:len(text)-3], true},
		{"reset without a byte", true, nil, true},
	}
}

// slowHandshakes opens connections that never finish their request. Others are
// served meanwhile, and the server ends the slow ones by itself.
func slowHandshakes(t *testing.T, s *server) {
	var slow []*wire
	for i := range 40 {
		w := wireOf(s.dialTCP(t))
		if i%2 == 0 {
			w.put(t, []byte("GET /app/plain-key?protocol=7 HTTP/1.1\r\nHost: x\r\nX-Slow: "))
		}
		slow = append(slow, w)
	}
	connect(t, s, plain).leave(t)
	for _, w := range slow {
		w.hungUp(t, 40*time.Second)
	}
}

func halfFrameThenSilence(t *testing.T, s *server) {
	w, _ := wireTo(t, s, quick)
	w.put(t, masked(opText, []byte(`{"event":`)))
	w.put(t, masked(fin|opContinuation, []byte(`"pusher:ping"}`))[:5])
	w.expectPing(t)
	if code, _ := w.closing(t); code != 4201 {
		t.Fatalf("closed with %d, want 4201", code)
	}
	w.hungUp(t, 2*patience)
}

// wastefulLength breaks RFC 6455 §5.2 in a way that does no harm: the frame is
// answered, or the connection closed for a protocol violation.
func wastefulLength(t *testing.T, s *server) {
	w, _ := wireTo(t, s, plain)
	w.put(t, append(longHeader(fin|opPing, 0x80, 1), maskedBody([]byte("x"))...))
	op, payload := w.frame(t, patience)
	if op == opClose {
		if code, _ := closeBody(t, payload); code != 1002 {
			t.Fatalf("closed with %d", code)
		}
		return
	}
	if op != opPong || string(payload) != "x" {
		t.Fatalf("got frame %#x %q", op, payload)
	}
}

func manyFragments(t *testing.T, s *server) {
	w, _ := wireTo(t, s, plain)
	text := `{"event":"pusher:ping","data":"` + strings.Repeat("x", 1000) + `"}`
	stream := masked(opText, nil)
	for i := range len(text) {
		stream = append(stream, masked(opContinuation, []byte(text[i:i+1]))...)
	}
	w.put(t, append(stream, masked(fin|opContinuation, nil)...))
	w.expectText(t, pongFrame)
}

// pipelinedFrame sends its first frame without waiting for the response, which
// a client must not; the frame is taken or the connection refused, but nothing
// comes before the handshake frame.
func pipelinedFrame(t *testing.T, s *server) {
	w := wireOf(s.dialTCP(t))
	request := upgradeRequest(s, "/app/"+plain.key+"?"+defaultQuery)
	w.put(t, append([]byte(request), masked(fin|opText, []byte(`{"event":"pusher:ping"}`))...))
	if status := w.upgraded(t); status != 101 {
		return
	}
	w.established(t)
	w.expectText(t, pongFrame)
}

func pingFlood(t *testing.T, s *server) {
	w, _ := wireTo(t, s, plain)
	const count = 2_000
	one := masked(fin|opPing, []byte("flood"))
	sent := make(chan error, 1)
	go func() {
		var err error
		for range count {
			if err = w.tryPut(one); err != nil {
				break
			}
		}
		sent <- err
	}()
	for range count {
		w.expectPong(t, "flood")
	}
	if err := <-sent; err != nil {
		t.Fatalf("write: %v", err)
	}
}
