package broker

import "encoding/binary"

// A group is a length of four bytes and fields; an entry of a list is the same
// with a varint in front. Fields are varints, byte strings with a varint in front,
// and words of eight bytes. A reader that comes to the end of a group takes zero for the
// fields that are missing: the sender is older. It skips what is left: the sender
// is newer.

// beginGroup appends room for the length, which endGroup fills in.
func beginGroup(b []byte) (grown []byte, start int) {
	b = append(b, 0, 0, 0, 0)
	return b, len(b)
}

func endGroup(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return b
}

// beginEntry appends room for the length of a list's entry, which endEntry fills
// in: a varint of three bytes, whether it needs them or not.
func beginEntry(b []byte) (grown []byte, start int) {
	b = append(b, 0, 0, 0)
	return b, len(b)
}

// maxEntry is the longest entry; a longer one, which no limit of this server
// lets come about, is left out.
const maxEntry = 1<<21 - 1

func endEntry(b []byte, start int) []byte {
	n := len(b) - start
	if n > maxEntry {
		return b[:start-3]
	}
	b[start-3] = byte(n) | 0x80
	b[start-2] = byte(n>>7) | 0x80
	b[start-1] = byte(n >> 14)
	return b
}

func appendBytes[T ~string | ~[]byte](b []byte, v T) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// fields reads groups and fields. After a fault it yields zeros.
type fields struct {
	rest      []byte
	malformed bool
}

func (f *fields) fail() { f.rest, f.malformed = nil, true }

// group takes the next group, an empty one if there is none.
func (f *fields) group() fields {
	if len(f.rest) == 0 {
		return fields{malformed: f.malformed}
	}
	if len(f.rest) < 4 {
		f.fail()
		return fields{malformed: true}
	}
	n := uint64(binary.BigEndian.Uint32(f.rest))
	f.rest = f.rest[4:]
	return fields{rest: f.take(n), malformed: f.malformed}
}

// entry takes the next entry of a list; there is one while more reports true.
func (f *fields) entry() []byte { return f.take(f.number()) }

func (f *fields) more() bool { return len(f.rest) > 0 }

func (f *fields) take(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.fail()
		return nil
	}
	taken := f.rest[:n:n]
	f.rest = f.rest[n:]
	return taken
}

func (f *fields) number() uint64 {
	if len(f.rest) == 0 {
		return 0
	}
	v, n := binary.Uvarint(f.rest)
	if n <= 0 {
		f.fail()
		return 0
	}
	f.rest = f.rest[n:]
	return v
}

// count takes a number that is used as an int.
func (f *fields) count() int {
	v := f.number()
	if v > maxCount {
		f.fail()
		return 0
	}
	return int(v)
}

// maxCount is more than any count that nodes tell each other.
const maxCount = 1 << 40

func (f *fields) word() uint64 {
	if len(f.rest) == 0 {
		return 0
	}
	if len(f.rest) < 8 {
		f.fail()
		return 0
	}
	v := binary.BigEndian.Uint64(f.rest)
	f.rest = f.rest[8:]
	return v
}

func (f *fields) bytes() []byte {
	if len(f.rest) == 0 {
		return nil
	}
	return f.take(f.number())
}

// check returns the error of groups that were read.
func check(read ...*fields) error {
	for _, f := range read {
		if f.malformed {
			return ErrMalformed
		}
	}
	return nil
}
