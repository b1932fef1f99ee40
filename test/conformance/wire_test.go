package conformance

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Opcodes of RFC 6455.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// wire is a WebSocket connection without manners: the test writes bytes and
// reads frames, and nothing is answered by itself.
type wire struct {
	net.Conn
	in *bufio.Reader
}

// wireTo opens a connection to the app, takes its handshake frame and returns
// its socket id.
func wireTo(t testing.TB, s *server, a app) (*wire, string) {
	t.Helper()
	w := wireDial(t, s, s.mount+"/app/"+a.key+"?"+defaultQuery)
	return w, w.established(t)
}

// wireDial upgrades on the given request target.
func wireDial(t testing.TB, s *server, requestTarget string) *wire {
	t.Helper()
	w := wireOf(s.dialTCP(t))
	w.put(t, []byte(upgradeRequest(s, requestTarget)))
	if status := w.upgraded(t); status != http.StatusSwitchingProtocols {
		t.Fatalf("upgrade: status %d", status)
	}
	return w
}

func wireOf(conn net.Conn) *wire { return &wire{Conn: conn, in: bufio.NewReader(conn)} }

// upgraded reads the response to an upgrade and returns its status.
func (w *wire) upgraded(t testing.TB) int {
	t.Helper()
	w.deadline(t, 2*patience)
	response, err := http.ReadResponse(w.in, nil)
	if err != nil {
		t.Fatalf("upgrade: %v", err)
	}
	return response.StatusCode
}

// upgradeRequest is a correct upgrade with the sample key of RFC 6455.
func upgradeRequest(s *server, requestTarget string, headers ...string) string {
	lines := append([]string{
		"GET " + requestTarget + " HTTP/1.1",
		"Host: " + s.host(),
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
		"Sec-WebSocket-Version: 13",
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

func (w *wire) established(t testing.TB) string {
	t.Helper()
	f := w.text(t)
	if f.Event != "pusher:connection_established" {
		t.Fatalf("first frame is %s", f.raw)
	}
	var body struct {
		SocketID string `json:"socket_id"`
	}
	f.into(t, &body)
	return body.SocketID
}

// put writes bytes as they are.
func (w *wire) put(t testing.TB, b []byte) {
	t.Helper()
	if err := w.tryPut(b); err != nil {
		t.Fatalf("write: %v", err)
	}
}

func (w *wire) tryPut(b []byte) error {
	if err := w.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}

// say writes a well-formed text frame.
func (w *wire) say(t testing.TB, text string) {
	t.Helper()
	w.put(t, masked(0x80|opText, []byte(text)))
}

// masked returns a frame with this first byte (FIN, reserved bits, opcode) and
// the shortest length form, masked as clients must.
func masked(first byte, payload []byte) []byte {
	return append(frameHeader(first, 0x80, len(payload)), maskedBody(payload)...)
}

// bare returns the same frame unmasked, as clients must not.
func bare(first byte, payload []byte) []byte {
	return append(frameHeader(first, 0, len(payload)), payload...)
}

func frameHeader(first, maskBit byte, length int) []byte {
	switch {
	case length < 126:
		return []byte{first, maskBit | byte(length)}
	case length <= 0xffff:
		return binary.BigEndian.AppendUint16([]byte{first, maskBit | 126}, uint16(length))
	default:
		return longHeader(first, maskBit, uint64(length))
	}
}

// longHeader has the 64-bit length form, whatever the length.
func longHeader(first, maskBit byte, length uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{first, maskBit | 127}, length)
}

// maskedBody returns the masking key and the masked payload.
func maskedBody(payload []byte) []byte {
	key := []byte{0x37, 0xfa, 0x21, 0x3d}
	out := append(make([]byte, 0, 4+len(payload)), key...)
	for i, b := range payload {
		out = append(out, b^key[i%4])
	}
	return out
}

// closePayload is the body of a close frame.
func closePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// frame reads one frame of the server; it must be unmasked, whole and without
// reserved bits.
func (w *wire) frame(t testing.TB, within time.Duration) (op byte, payload []byte) {
	t.Helper()
	op, payload, err := w.tryFrame(within)
	if err != nil {
		t.Fatalf("read a frame: %v", err)
	}
	return op, payload
}

func (w *wire) tryFrame(within time.Duration) (op byte, payload []byte, err error) {
	if err := w.SetReadDeadline(time.Now().Add(within)); err != nil {
		return 0, nil, err
	}
	var head [2]byte
	if _, err := io.ReadFull(w.in, head[:]); err != nil {
		return 0, nil, err
	}
	if head[0]&0xf0 != 0x80 || head[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("server frame begins with %x", head)
	}
	length, err := w.length(head[1])
	if err != nil {
		return 0, nil, err
	}
	payload = make([]byte, length)
	_, err = io.ReadFull(w.in, payload)
	return head[0] & 0x0f, payload, err
}

func (w *wire) length(short byte) (uint64, error) {
	var b [8]byte
	switch short {
	case 126:
		_, err := io.ReadFull(w.in, b[:2])
		return uint64(binary.BigEndian.Uint16(b[:2])), err
	case 127:
		_, err := io.ReadFull(w.in, b[:])
		length := binary.BigEndian.Uint64(b[:])
		if length > 16<<20 {
			return 0, fmt.Errorf("server frame of %d bytes", length)
		}
		return length, err
	default:
		return uint64(short), nil
	}
}

// text reads a text frame.
func (w *wire) text(t testing.TB) frame {
	t.Helper()
	op, payload := w.frame(t, patience)
	if op != opText {
		t.Fatalf("got frame with opcode %#x %q, want text", op, payload)
	}
	return decode(t, payload)
}

// expectText reads a text frame, which must be exactly this.
func (w *wire) expectText(t testing.TB, want string) {
	t.Helper()
	if f := w.text(t); f.raw != want {
		t.Fatalf("got frame\n%s, want\n%s", f.raw, want)
	}
}

// closing reads a close frame and returns its code (0 for none) and reason.
func (w *wire) closing(t testing.TB) (int, string) {
	t.Helper()
	op, payload := w.frame(t, patience)
	if op != opClose {
		t.Fatalf("got frame with opcode %#x %q, want a close", op, payload)
	}
	return closeBody(t, payload)
}

func closeBody(t testing.TB, payload []byte) (int, string) {
	t.Helper()
	if len(payload) == 0 {
		return 0, ""
	}
	if len(payload) == 1 || len(payload) > 125 || !utf8.Valid(payload[2:]) {
		t.Fatalf("malformed close payload %q", payload)
	}
	return int(binary.BigEndian.Uint16(payload)), string(payload[2:])
}

// hungUp requires that the server ends the TCP connection; what it still sends
// before does not matter.
func (w *wire) hungUp(t testing.TB, within time.Duration) {
	t.Helper()
	w.deadline(t, within)
	if _, err := io.Copy(io.Discard, w.in); isTimeout(err) {
		t.Fatalf("the server did not hang up within %v", within)
	}
}

// deadline limits the reads that follow.
func (w *wire) deadline(t testing.TB, within time.Duration) {
	t.Helper()
	if err := w.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatalf("deadline: %v", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
