package ws

import "encoding/binary"

// frames follows the client's bytes from frame to frame. It only tells where one
// ends; what is in a frame is the library's to judge.
type frames struct {
	left       uint64 // bytes of the payload that are still to come
	header     [maxClientHeader]byte
	have       uint8 // bytes of header; 0 once it is complete
	fragmented bool  // the message has not ended with the last data frame
}

const (
	maxClientHeader = 14 // two bytes, 64-bit length, mask
	fin             = 0x80
	masked          = 0x80
	opControl       = 0x08 // this bit is set in the opcode of every control frame
)

// between reports whether everything so far is whole messages and control frames.
func (f *frames) between() bool { return f.have == 0 && f.left == 0 && !f.fragmented }

// feed takes the next bytes and reports whether a message, or a control frame
// between two messages, ends in them.
func (f *frames) feed(b []byte) (ended bool) {
	for len(b) > 0 {
		n := uint64(1)
		if f.left > 0 {
			n = min(f.left, uint64(len(b)))
			f.left -= n
		} else {
			f.header[f.have] = b[0]
			f.have++
			if f.have >= 2 && f.have == f.headerLen() {
				f.begin()
			}
		}
		b = b[n:]
		ended = ended || f.between()
	}
	return ended
}

// headerLen returns the length of the header whose first two bytes are there.
func (f *frames) headerLen() uint8 {
	n := uint8(2)
	switch f.header[1] &^ masked {
	case 126:
		n += 2
	case 127:
		n += 8
	}
	if f.header[1]&masked != 0 {
		n += 4
	}
	return n
}

// begin is called when a header is complete.
func (f *frames) begin() {
	f.have = 0
	switch n := f.header[1] &^ masked; n {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(f.header[2:]))
	case 127:
		f.left = binary.BigEndian.Uint64(f.header[2:])
	default:
		f.left = uint64(n)
	}
	if f.header[0]&opControl == 0 {
		f.fragmented = f.header[0]&fin == 0
	}
}
