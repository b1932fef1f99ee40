package conformance

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// The apps of these tests have timeouts of one or two seconds instead of the
// default two minutes: the statements are about multiples of the setting.

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-040 a control PING is answered by a PONG with the same payload", controlPing},
		{"P-042 after activity_timeout of silence the server sends a control PING", serverPings},
		{"P-043 a client that only answers control pings stays connected", onlyPongs},
		{"P-044 a client that answers nothing is closed with 4201 pong_timeout after the ping", answersNothing},
		{"P-045 on protocol 5 the 4201 close is preceded by the error frame", answersNothingOnFive},
		{"P-046 any inbound frame postpones the next ping by a full activity_timeout", framesPostponePing},
		{"P-047 sixty control PINGs do not get a client disconnected", manyPings},
		{"half a frame does not keep a connection alive", halfFrameIsNoLife},
	})
}

func controlPing(t *testing.T) {
	w, _ := wireTo(t, shared(t), plain)
	for _, payload := range []string{"", "x", "\x00\xff\xfe", strings.Repeat("p", 125)} {
		w.put(t, masked(0x80|opPing, []byte(payload)))
		w.expectPong(t, payload)
	}
}

func (w *wire) expectPong(t testing.TB, payload string) {
	t.Helper()
	if op, got := w.frame(t, patience); op != opPong || string(got) != payload {
		t.Fatalf("got frame %#x %q, want a pong with %q", op, got, payload)
	}
}

// expectPing takes the server's next frame, a control PING, and returns its
// payload.
func (w *wire) expectPing(t testing.TB) []byte {
	t.Helper()
	op, payload := w.frame(t, patience)
	if op != opPing {
		t.Fatalf("got frame %#x %q, want a control PING", op, payload)
	}
	return payload
}

func serverPings(t *testing.T) {
	before := time.Now()
	w, _ := wireTo(t, shared(t), quick)
	w.expectPing(t)
	if waited := time.Since(before); waited < time.Second {
		t.Fatalf("pinged after %v of silence, want at least 1 s", waited)
	}
}

func onlyPongs(t *testing.T) {
	w, _ := wireTo(t, shared(t), quick)
	for range 4 { // twice what a client that answers nothing would live
		w.put(t, masked(0x80|opPong, w.expectPing(t)))
	}
	w.say(t, `{"event":"pusher:ping"}`)
	w.expectText(t, pongFrame)
}

func answersNothing(t *testing.T) {
	w, _ := wireTo(t, shared(t), quick)
	w.expectPing(t)
	pinged := time.Now()
	if code, reason := w.closing(t); code != 4201 || reason != "Pong reply not received" {
		t.Fatalf("closed with %d %q", code, reason)
	}
	// The ping was under way for a moment before it was read here.
	if waited := time.Since(pinged); waited < 800*time.Millisecond {
		t.Fatalf("closed %v after the ping, want 1 s", waited)
	}
}

func answersNothingOnFive(t *testing.T) {
	s := shared(t)
	w := wireDial(t, s, "/app/"+quick.key+"?protocol=5&client=java-client&version=2.4.4")
	w.established(t)
	w.expectPing(t)
	w.expectText(t, `{"event":"pusher:error","data":{"code":4201,"message":"Pong reply not received"}}`)
	if code, reason := w.closing(t); code != 4201 || reason != "Pong reply not received" {
		t.Fatalf("closed with %d %q", code, reason)
	}
}

func framesPostponePing(t *testing.T) {
	w, _ := wireTo(t, shared(t), patient) // activity timeout 2 s
	var last time.Time
	for _, signOfLife := range [][]byte{
		masked(0x80|opText, []byte(`{"event":"pusher:pong"}`)),
		masked(0x80|opPong, nil),
		masked(0x80|opPing, nil),
	} {
		w.silent(t, 1200*time.Millisecond)
		last = time.Now()
		w.put(t, signOfLife)
	}
	w.expectPong(t, "")
	w.expectPing(t)
	if waited := time.Since(last); waited < 2*time.Second {
		t.Fatalf("pinged %v after the last inbound frame, want at least 2 s", waited)
	}
}

// silent requires that the server sends nothing for so long.
func (w *wire) silent(t testing.TB, during time.Duration) {
	t.Helper()
	op, payload, err := w.tryFrame(during)
	if !isTimeout(err) {
		t.Fatalf("got frame %#x %q %v, want silence", op, payload, err)
	}
}

// manyPings sends a minute's pings at once, which is harsher than one a second.
func manyPings(t *testing.T) {
	w, _ := wireTo(t, shared(t), plain)
	for i := range 60 {
		w.put(t, masked(0x80|opPing, fmt.Append(nil, i)))
	}
	for i := range 60 {
		w.expectPong(t, fmt.Sprint(i))
	}
	w.say(t, `{"event":"pusher:ping"}`)
	w.expectText(t, pongFrame)
}

func halfFrameIsNoLife(t *testing.T) {
	w, _ := wireTo(t, shared(t), quick)
	w.put(t, masked(0x80|opText, []byte(`{"event":"pusher:ping"}`))[:9])
	w.expectPing(t)
	if code, _ := w.closing(t); code != 4201 {
		t.Fatalf("closed with %d, want 4201", code)
	}
}
