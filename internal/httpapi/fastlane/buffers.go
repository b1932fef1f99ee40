package fastlane

import "sync"

// buffers is the memory of a connection.
type buffers struct {
	in, out []byte
}

// Sizes in bytes. A request of maxHead fits, as does a trigger of ordinary size
// with its body; a larger body makes the buffer grow with what arrives. A buffer
// that has grown beyond maxKept is given up when it is empty again.
const (
	startIn  = maxHead
	startOut = 512
	maxKept  = 64 << 10
)

var pool = sync.Pool{New: func() any {
	return &buffers{in: make([]byte, 0, startIn), out: make([]byte, 0, startOut)}
}}

func (b *buffers) release() {
	if cap(b.in) > maxKept || cap(b.out) > maxKept {
		return
	}
	b.in, b.out = b.in[:0], b.out[:0]
	pool.Put(b)
}

// consume forgets the first n bytes of the input.
func (b *buffers) consume(n int) {
	rest := b.in[n:]
	if len(rest) == 0 && cap(b.in) > maxKept {
		b.in = make([]byte, 0, startIn)
		return
	}
	b.in = b.in[:copy(b.in, rest)]
}

// room makes sure that there is some for more input, up to a request of the
// given size. It doubles what has arrived, whatever the head announces.
func (b *buffers) room(size int) {
	if len(b.in) < cap(b.in) {
		return
	}
	grown := make([]byte, len(b.in), max(min(2*cap(b.in), size), len(b.in)+1))
	copy(grown, b.in)
	b.in = grown
}
