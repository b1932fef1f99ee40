package protocol

import "encoding/binary"

// Wire is one or more complete server frames as they stand on a WebSocket,
// headers included. Server frames are not masked (RFC 6455 §5.1), so the same
// bytes serve every subscriber: they are encoded once, shared by all
// connections, and must never be changed.
type Wire []byte

const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9
	fin     = 0x80

	maxHeader = 10 // opcode, length byte, 64-bit length
)

// newText returns a buffer for the payload of a text frame, with room for the
// header in front. Pass it to sealText when the payload is complete.
func newText(capacity int) []byte {
	return make([]byte, maxHeader, maxHeader+capacity)
}

// sealText writes the header of the text frame directly in front of the payload.
func sealText(buf []byte) Wire {
	n := len(buf) - maxHeader
	var start int
	switch {
	case n < 126:
		start = maxHeader - 2
		buf[start+1] = byte(n)
	case n <= 0xffff:
		start = maxHeader - 4
		buf[start+1] = 126
		binary.BigEndian.PutUint16(buf[start+2:], uint16(n))
	default:
		start = maxHeader - 10
		buf[start+1] = 127
		binary.BigEndian.PutUint64(buf[start+2:], uint64(n))
	}
	buf[start] = fin | opText
	return Wire(buf[start:len(buf):len(buf)])
}

// control returns a control frame; payload is at most 125 bytes.
func control(op byte, payload []byte) Wire {
	return append(Wire{fin | op, byte(len(payload))}, payload...)
}

// PingFrame returns a control PING without payload, the server's liveness probe.
func PingFrame() Wire { return control(opPing, nil) }

// CloseFrame returns the close frame for e, its reason cut to 123 bytes.
func CloseFrame(e CloseError) Wire {
	reason := closeReason(e.Reason)
	payload := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(reason)), uint16(e.Code))
	return control(opClose, append(payload, reason...))
}

// IsClose reports whether b begins with a close frame.
func IsClose(b []byte) bool { return len(b) > 0 && b[0] == fin|opClose }

// CloseReason returns the reason of the close frame at the start of w, nil if it
// has none.
func (w Wire) CloseReason() []byte {
	if payload := w.Payload(); len(payload) > 2 {
		return payload[2:]
	}
	return nil
}

// FrameLen returns the length, header included, of the frame at the start of w,
// or 0 if w is shorter than that frame.
func (w Wire) FrameLen() int {
	header, payload := w.header()
	if header == 0 || len(w)-header < payload {
		return 0
	}
	return header + payload
}

// Payload returns the payload of the frame at the start of w.
func (w Wire) Payload() []byte {
	header, payload := w.header()
	return w[header : header+payload]
}

func (w Wire) header() (header, payload int) {
	switch {
	case len(w) < 2:
		return 0, 0
	case w[1] < 126:
		return 2, int(w[1])
	case w[1] == 126 && len(w) >= 4:
		return 4, int(binary.BigEndian.Uint16(w[2:]))
	case w[1] == 127 && len(w) >= 10:
		return 10, int(binary.BigEndian.Uint64(w[2:]))
	}
	return 0, 0
}
