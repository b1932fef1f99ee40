package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Opcodes of RFC 6455 §5.2.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// maxFrame bounds the payload of a server's frame: an event of the greatest
// size with every byte escaped does not occur here, a presence list of 20,000
// members fits.
const maxFrame = 2 << 20

var (
	errFragment = errors.New("the server sent a fragmented message, which is not supported here")
	errMasked   = errors.New("the server sent a masked frame")
	errReserved = errors.New("the server set reserved bits, though no extension was offered")
	errControl  = errors.New("the server sent a control frame of more than 125 bytes")
)

// frame is one frame of a server. The payload shares memory with what it was cut
// from.
type frame struct {
	op      byte
	payload []byte
}

// cutFrame cuts the first frame off b. n is its length, 0 if it is not all
// there yet.
func cutFrame(b []byte) (f frame, n int, err error) {
	if len(b) < 2 {
		return frame{}, 0, nil
	}
	f.op = b[0] & 0x0f
	size, head := uint64(b[1]&0x7f), 2
	switch {
	case b[0]&0x70 != 0:
		return frame{}, 0, errReserved
	case b[0]&0x80 == 0 || f.op == 0:
		return frame{}, 0, errFragment
	case b[1]&0x80 != 0:
		return frame{}, 0, errMasked
	case f.op >= opClose && size > 125:
		return frame{}, 0, errControl
	case f.op != opText && (f.op < opClose || f.op > opPong):
		return frame{}, 0, fmt.Errorf("the server sent a frame with opcode %d", f.op)
	case size == 126:
		if len(b) < 4 {
			return frame{}, 0, nil
		}
		size, head = uint64(binary.BigEndian.Uint16(b[2:])), 4
	case size == 127:
		if len(b) < 10 {
			return frame{}, 0, nil
		}
		size, head = binary.BigEndian.Uint64(b[2:]), 10
	}
	if size > maxFrame {
		return frame{}, 0, fmt.Errorf("the server sent a frame of %d bytes; at most %d are taken", size, maxFrame)
	}
	n = head + int(size)
	if len(b) < n {
		return frame{}, 0, nil
	}
	f.payload = b[head:n]
	return f, n, nil
}

// maskKey masks every frame of ours. It need not be random: no browser is
// between us and the server (RFC 6455 §10.3).
var maskKey = [4]byte{0x37, 0xfa, 0x21, 0x3d}

// appendFrame appends a masked frame.
func appendFrame(b []byte, op byte, payload []byte) []byte {
	b = append(b, 0x80|op)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, maskKey[:]...)
	start := len(b)
	b = append(b, payload...)
	mask(b[start:], 0)
	return b
}

// appendServerFrame appends a text frame as a server sends it.
func appendServerFrame(b, payload []byte) []byte {
	masked := appendFrame(nil, opText, payload)
	head := len(masked) - len(payload) - len(maskKey)
	masked[1] &^= 0x80
	b = append(b, masked[:head]...)
	return append(b, payload...)
}

// mask masks b, which begins at offset at of its payload.
func mask(b []byte, at int) {
	for i := range b {
		b[i] ^= maskKey[(at+i)&3]
	}
}

// stampedFrame is a prepared masked frame whose stamp is replaced for each use.
type stampedFrame struct {
	bytes []byte
	data  eventData
	head  int // where the payload begins
	stamp int // where its stamp begins, counted in the payload
}

// newStampedFrame returns a frame whose data begins at offset data of payload.
func newStampedFrame(payload []byte, d eventData, data int) *stampedFrame {
	b := appendFrame(nil, opText, payload)
	return &stampedFrame{bytes: b, data: d, head: len(b) - len(payload), stamp: data + d.stampAt()}
}

// with returns the frame with a new stamp. It is valid until the next call.
func (s *stampedFrame) with(sent int64, number uint64) []byte {
	at := s.head + s.stamp
	s.data.put(s.bytes[at:], sent, number)
	mask(s.bytes[at:at+s.data.stampLen()], s.stamp)
	return s.bytes
}
