package bench

import (
	"bytes"
	"time"
)

// The data of an event is, if there is room for it,
//
//	{"bench":"TTTTTTTTTTTTTTTTTTT.NNNNNNNNNNNN","pad":"xxx…"}
//
// T is a time in nanoseconds and N the number of the event, both of fixed width
// so that a prepared frame can be stamped in place. The pieces that stand on the
// wire are JSON inside a JSON string.
const (
	stampMark   = "bench"
	timeDigits  = 19
	numDigits   = 12
	stampLen    = timeDigits + 1 + numDigits
	dataBefore  = `{\"` + stampMark + `\":\"`
	dataBetween = `\",\"pad\":\"`
	dataAfter   = `\"}`

	// dataOverhead is what the pieces and the stamp take of an event's size:
	// escapes do not count there.
	dataOverhead = len(dataBefore) - 3 + stampLen + len(dataBetween) - 4 + len(dataAfter) - 1
)

var (
	epoch     = time.Now()
	epochNano = epoch.UnixNano()
)

// now is the wall clock's time at the start of the process plus the monotonic
// time since: comparable between processes and never set back.
func now() int64 { return epochNano + int64(time.Since(epoch)) }

// putStamp writes time and number over b[:stampLen].
func putStamp(b []byte, sent int64, number uint64) {
	putDigits(b[:timeDigits], uint64(sent))
	b[timeDigits] = '.'
	putDigits(b[timeDigits+1:stampLen], number)
}

func appendStamp(b []byte, sent int64, number uint64) []byte {
	var text [stampLen]byte
	putStamp(text[:], sent, number)
	return append(b, text[:]...)
}

func putDigits(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = '0' + byte(v%10)
		v /= 10
	}
}

func parseDigits(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, true
}

// stampGap is how far behind the mark the digits may begin: \":\" in an event,
// a dash in a user id.
const stampGap = 6

// stampFinder finds stamps. It remembers where the last one was, since frames of
// one run resemble each other. The zero value is ready for stamps with a time.
type stampFinder struct {
	hint  int
	times *sendTimes // of stamps without one, see eventData
}

// find returns time and number of the event in msg.
func (s *stampFinder) find(msg []byte) (sent int64, number uint64, ok bool) {
	at := s.hint
	if at+len(stampMark) > len(msg) || string(msg[at:at+len(stampMark)]) != stampMark {
		if at = bytes.Index(msg, []byte(stampMark)); at < 0 {
			return 0, 0, false
		}
		s.hint = at
	}
	at += len(stampMark)
	if s.times != nil {
		if len(msg) < at+compactDigits {
			return 0, 0, false
		}
		number, ok = parseDigits(msg[at : at+compactDigits])
		return s.times.get(number), number, ok
	}
	for end := at + stampGap; at < end && at < len(msg) && (msg[at] < '0' || msg[at] > '9'); {
		at++
	}
	if len(msg) < at+stampLen || msg[at+timeDigits] != '.' {
		return 0, 0, false
	}
	t, okTime := parseDigits(msg[at : at+timeDigits])
	n, okNumber := parseDigits(msg[at+timeDigits+1 : at+stampLen])
	return int64(t), n, okTime && okNumber
}
