package ws

import (
	"testing"

	"pgregory.net/rapid"
)

// clientFrame returns a masked frame with a payload of n zeros.
func clientFrame(first byte, n int) []byte {
	b := []byte{first, masked}
	switch {
	case n < 126:
		b[1] |= byte(n)
	case n <= 0xffff:
		b[1] |= 126
		b = append(b, byte(n>>8), byte(n))
	default:
		b[1] |= 127
		b = append(b, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return append(append(b, 1, 2, 3, 4), make([]byte, n)...)
}

// However the bytes are cut, the stream is between messages exactly where every
// frame is complete and the last data frame was final.
func TestFramesAreFollowedHoweverTheyAreCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var all []byte
		between := map[int]bool{0: true} // offsets
		fragmented := false
		for range rapid.IntRange(1, 6).Draw(t, "frames") {
			first := rapid.SampledFrom([]byte{0x81, 0x01, 0x80, 0x00, 0x82, 0x89, 0x8a, 0x88, 0xc1}).Draw(t, "first byte")
			size := rapid.SampledFrom([]int{0, 1, 125, 126, 300, 65_535, 65_536}).Draw(t, "size")
			all = append(all, clientFrame(first, size)...)
			if first&opControl == 0 {
				fragmented = first&fin == 0
			}
			between[len(all)] = !fragmented
		}
		var f frames
		for at := 0; at < len(all); {
			n := min(rapid.IntRange(1, 70_000).Draw(t, "bytes"), len(all)-at)
			if rapid.Bool().Draw(t, "few") {
				n = min(n, 3)
			}
			f.feed(all[at : at+n])
			at += n
			if got, want := f.between(), between[at]; got != want {
				t.Fatalf("after %d of %d bytes: between messages %t, want %t", at, len(all), got, want)
			}
		}
	})
}

// Whatever comes, it is followed to its end.
func FuzzFrames(f *testing.F) {
	f.Add(clientFrame(0x81, 5))
	f.Add(clientFrame(0x01, 70_000)[:14])
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var whole, single frames
		whole.feed(b)
		for i := range b {
			single.feed(b[i : i+1])
		}
		if whole != single {
			t.Errorf("at once %+v, byte by byte %+v", whole, single)
		}
	})
}
