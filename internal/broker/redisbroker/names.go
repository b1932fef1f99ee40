package redisbroker

import (
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// channelLanes is how many lanes channels are spread over. Every node has to use
// the same number: it is part of what nodes say to one another.
const channelLanes = 64

// slots is how many Redis Cluster has.
const slots = 16384

// lane returns the lane of a subject among 1+channelLanes.
func lane(s broker.Subject) int {
	if s.Kind != broker.ToChannel {
		return 0
	}
	return 1 + int(hash(s.App, s.Channel)%channelLanes)
}

// hash is FNV-1a of app, a byte that ends it, and channel. Its upper half is folded
// into the lower one, which alone is weak in its last bits.
func hash(app, channel string) uint64 {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for i := range len(app) {
		h = (h ^ uint64(app[i])) * prime
	}
	h *= prime // a zero byte
	for i := range len(channel) {
		h = (h ^ uint64(channel[i])) * prime
	}
	return h ^ h>>32
}

// tags holds for each lane from 1 on the hash tag that puts it into its slot.
var tags = makeTags()

// makeTags takes for each lane the smallest number whose slot lies in the middle
// half of the lane's share of all slots: as masters own ranges of slots, that spreads
// lanes evenly over any number of masters. Consecutive numbers as tags would leave
// it to chance.
func makeTags() (tags [1 + channelLanes]string) {
	const share = slots / channelLanes
	missing := channelLanes
	for n := 0; missing > 0; n++ {
		tag := strconv.Itoa(n)
		slot := slotOf(tag)
		lane := 1 + slot/share
		if within := slot % share; within < share/4 || within >= 3*share/4 || tags[lane] != "" {
			continue
		}
		tags[lane] = tag
		missing--
	}
	return tags
}

// slotOf returns the slot of a hash tag: CRC16 (XMODEM) modulo the number of slots.
func slotOf(tag string) int {
	crc := uint16(0)
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slots
}

// namer makes names of subjects.
type namer struct {
	prefix  string
	cluster bool
}

// append appends the name of a subject, whose lane the caller knows.
func (n namer) append(to []byte, s broker.Subject, lane int) []byte {
	to = append(append(to, n.prefix...), ':')
	if n.cluster {
		to = append(append(append(to, '{'), n.tag(lane)...), '}', ':')
	}
	switch s.Kind {
	case broker.ToAll:
		return append(to, "all"...)
	case broker.ToNode:
		return append(append(to, "node:"...), s.Node.String()...)
	default:
		to = appendEscaped(append(to, "ch:"...), s.App)
		return append(append(to, ':'), s.Channel...)
	}
}

// tag returns the hash tag of a lane. That of lane 0 is the prefix, so that it is in
// the same place for the nodes of one deployment only.
func (n namer) tag(lane int) string {
	if lane == 0 {
		return n.prefix
	}
	return tags[lane]
}

// appendEscaped writes an app in letters, digits, "-", "_", "." and %XX, so that the
// colon after it ends it, whatever it contains.
func appendEscaped(to []byte, app string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(app) {
		c := app[i]
		if plain(c) {
			to = append(to, c)
		} else {
			to = append(to, '%', digits[c>>4], digits[c&15])
		}
	}
	return to
}

func plain(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '-' || c == '_' || c == '.'
}

// validPrefix reports whether a prefix can be part of names and of hash tags.
func validPrefix(prefix string) bool {
	for i := range len(prefix) {
		if !plain(prefix[i]) && prefix[i] != ':' {
			return false
		}
	}
	return prefix != "" && len(prefix) <= 100
}
