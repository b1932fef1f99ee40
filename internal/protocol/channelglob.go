package protocol

// MaxChannelGlob is the longest pattern of a [ChannelGlob] in bytes: as long as
// a name can be.
const MaxChannelGlob = MaxChannelName

// ChannelGlob is a pattern of channel names: "*" stands for any text, the empty
// one included, "?" for any one character, and everything else for itself. It
// is made by [ParseChannelGlob], never changes and is safe for concurrent use.
//
// Matching takes time linear in the name, whatever the pattern: all ways through
// the pattern are followed at once, with one bit for each character of it that
// may come next. A character of the name costs at most four steps.
type ChannelGlob struct {
	length int // characters of the pattern other than "*"
	words  int // in use of each bitset
	class  [256]uint8
	accept []bitset // of each class: which characters of the pattern take it
	repeat bitset   // before which characters "*" stands
}

// bitset has a bit for each character of a pattern, and one for its end.
type bitset [MaxChannelGlob/64 + 1]uint64

func (b *bitset) set(i int) { b[i/64] |= 1 << (i % 64) }

func (b *bitset) has(i int) bool { return b[i/64]>>(i%64)&1 != 0 }

// ParseChannelGlob takes a pattern of 1 to [MaxChannelGlob] characters: those of
// channel names, "*" and "?".
func ParseChannelGlob(pattern string) (*ChannelGlob, bool) {
	if pattern == "" || len(pattern) > MaxChannelGlob {
		return nil, false
	}
	g := &ChannelGlob{accept: make([]bitset, 1)} // class 0 is every byte that the pattern does not name
	var every bitset
	for i := range len(pattern) {
		switch c := pattern[i]; {
		case c == '*':
			g.repeat.set(g.length)
		case c == '?':
			every.set(g.length)
			g.length++
		case nameByte(c):
			g.classOf(c).set(g.length)
			g.length++
		default:
			return nil, false
		}
	}
	g.words = g.length/64 + 1
	for class := range g.accept {
		for w := range every {
			g.accept[class][w] |= every[w]
		}
	}
	return g, true
}

// classOf returns the set of a byte of the pattern, which is good until the next
// call.
func (g *ChannelGlob) classOf(c byte) *bitset {
	if g.class[c] == 0 {
		g.class[c] = uint8(len(g.accept)) // a name has fewer than 256 different bytes
		g.accept = append(g.accept, bitset{})
	}
	return &g.accept[g.class[c]]
}

// Matches reports whether the whole name fits the pattern. It does not allocate.
func (g *ChannelGlob) Matches(name ChannelName) bool {
	var next bitset
	next.set(0)
	for i := range len(name) {
		accept := &g.accept[g.class[name[i]]]
		var carry, alive uint64
		for w := range next[:g.words] {
			taken := next[w] & accept[w]
			next[w] = taken<<1 | carry | next[w]&g.repeat[w]
			carry = taken >> 63
			alive |= next[w]
		}
		if alive == 0 {
			return false
		}
	}
	return next.has(g.length)
}
