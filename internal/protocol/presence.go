package protocol

import (
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// MemberText is a user of a presence channel as it stands in the data of frames,
// where it is a string in JSON in a string in JSON: everything is escaped once,
// when the user comes, and only copied from then on. It is immutable and may be
// shared. The zero value is nobody.
type MemberText struct {
	// text is the user's entry in a hash, \"id\":info, followed by the id as it is
	// unless the entry has it like that.
	text  string
	token uint32 // length of \"id\"
	entry uint32 // length of \"id\":info
}

const quote = `\"` // as it stands in the data of a frame

// NewMemberText returns the text of a user with the given id and info, which is
// raw JSON, or empty for none. Nothing of them is kept.
func NewMemberText[T ~string | ~[]byte](userID string, info T) MemberText {
	var scratch [512]byte
	buf := append(scratch[:0], quote...)
	buf = strictjson.AppendEscaped(buf, userID)
	plain := string(buf[len(quote):]) == userID
	if !plain {
		buf = strictjson.AppendEscaped(buf[:len(quote)], strictjson.AppendEscaped(nil, userID))
	}
	buf = append(buf, quote...)
	m := MemberText{token: uint32(len(buf))}
	buf = append(buf, ':')
	if len(info) == 0 {
		buf = append(buf, "null"...)
	} else {
		buf = strictjson.AppendEscaped(buf, info)
	}
	m.entry = uint32(len(buf))
	if !plain {
		buf = append(buf, userID...)
	}
	m.text = string(buf)
	return m
}

// UserID returns the id as it is. It shares the memory of m.
func (m MemberText) UserID() string {
	if int(m.entry) < len(m.text) {
		return m.text[m.entry:]
	}
	return m.text[len(quote) : int(m.token)-len(quote)]
}

// Info returns the user's info as it was given, "" for none.
func (m MemberText) Info() string {
	info := m.text[m.token+1 : m.entry]
	if info == "null" {
		return ""
	}
	text, _ := strictjson.Value(`"` + info + `"`).Text()
	return text
}

// Size returns how much the user adds to a snapshot, in bytes.
func (m MemberText) Size() int { return int(m.token) + int(m.entry) + len(",,") }

// Added returns the frame that announces the user to the others.
func (m MemberText) Added(channel ChannelName) Wire {
	const idKey, infoKey = `{\"user_id\":`, `,\"user_info\":`
	info := m.text[m.token+1 : m.entry]
	buf := newData(EventMemberAdded, channel, len(idKey)+int(m.token)+len(infoKey)+len(info)+1)
	buf = append(buf, idKey...)
	buf = append(buf, m.text[:m.token]...)
	buf = append(buf, infoKey...)
	buf = append(buf, info...)
	return sealData(append(buf, '}'))
}

// Removed returns the frame that tells of the user's leaving.
func (m MemberText) Removed(channel ChannelName) Wire {
	const idKey = `{\"user_id\":`
	buf := newData(EventMemberRemoved, channel, len(idKey)+int(m.token)+1)
	buf = append(buf, idKey...)
	buf = append(buf, m.text[:m.token]...)
	return sealData(append(buf, '}'))
}

// PresenceSnapshot returns the success frame of a presence channel with the
// members as they are now (§3.3): what at returns for 0 to n-1, without nobody.
// Their number and the sum of their sizes must be right, so that the frame is
// made in one piece.
func PresenceSnapshot(channel ChannelName, count, size, n int, at func(int) MemberText) Wire {
	const head, ids, hash, tail = `{\"presence\":{\"count\":`, `,\"ids\":[`, `],\"hash\":{`, `}}}`
	const digits = 10
	buf := newData(EventSubscriptionSucceeded, channel, len(head)+digits+len(ids)+len(hash)+len(tail)+size)
	buf = append(buf, head...)
	buf = strconv.AppendInt(buf, int64(count), 10)
	buf = append(buf, ids...)
	for i := range n {
		if m := at(i); m.text != "" {
			buf = append(append(buf, m.text[:m.token]...), ',')
		}
	}
	buf = append(cutComma(buf), hash...)
	for i := range n {
		if m := at(i); m.text != "" {
			buf = append(append(buf, m.text[:m.entry]...), ',')
		}
	}
	return sealData(append(cutComma(buf), tail...))
}

func cutComma(buf []byte) []byte {
	if last := len(buf) - 1; buf[last] == ',' {
		return buf[:last]
	}
	return buf
}

// newData returns the beginning of an event's frame up to its data, with room
// for that much escaped data and what sealData adds. The name must need no
// escapes.
func newData(name string, channel ChannelName, room int) []byte {
	const head, middle, tail = `{"event":"`, `","channel":"`, `","data":"`
	buf := newText(len(head) + len(name) + len(middle) + len(channel) + len(tail) + room + len(`"}`))
	buf = append(buf, head...)
	buf = append(buf, name...)
	buf = append(buf, middle...)
	buf = append(buf, channel...) // its alphabet needs no escapes
	return append(buf, tail...)
}

func sealData(buf []byte) Wire { return sealText(append(buf, `"}`...)) }
