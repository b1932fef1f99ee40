package journal

import (
	"encoding/binary"
	"errors"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

var errEvents = errors.New("unsealed events are damaged")

// appendEvent appends an event as it stands in the database: its number and the
// length of its text as varints, the hash of its channel in eight bytes, its text.
func appendEvent(dst []byte, e webhook.UnsealedEvent) []byte {
	dst = binary.AppendUvarint(dst, uint64(e.Seq))
	dst = binary.AppendUvarint(dst, uint64(len(e.JSON)))
	dst = binary.LittleEndian.AppendUint64(dst, e.Channel)
	return append(dst, e.JSON...)
}

// decodeEvents reads what appendEvent has written. The texts are parts of src.
func decodeEvents(src []byte) ([]webhook.UnsealedEvent, error) {
	var all []webhook.UnsealedEvent
	for len(src) > 0 {
		seq, n := binary.Uvarint(src)
		if n <= 0 {
			return nil, errEvents
		}
		size, m := binary.Uvarint(src[n:])
		src = src[n+max(m, 0):]
		if m <= 0 || len(src) < 8 || uint64(len(src)-8) < size {
			return nil, errEvents
		}
		all = append(all, webhook.UnsealedEvent{
			Seq:     int64(seq),
			Channel: binary.LittleEndian.Uint64(src),
			JSON:    src[8 : 8+size : 8+size],
		})
		src = src[8+size:]
	}
	return all, nil
}

// appendHashes and decodeHashes are for the channels of a payload.
func appendHashes(dst []byte, hashes []uint64) []byte {
	for _, h := range hashes {
		dst = binary.LittleEndian.AppendUint64(dst, h)
	}
	return dst
}

func decodeHashes(src []byte) []uint64 {
	all := make([]uint64, 0, len(src)/8)
	for ; len(src) >= 8; src = src[8:] {
		all = append(all, binary.LittleEndian.Uint64(src))
	}
	return all
}
