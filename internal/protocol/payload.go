package protocol

import "github.com/pipesocket/pipesocketd/internal/strictjson"

// Payload is the data of an event as the JSON string token that stands in the
// frame, quotes included. It is encoded once, where it enters the server, and
// from then on only copied: into frames, caches, webhooks and API answers.
type Payload []byte

// PayloadOf normalises a JSON value to a payload: a string keeps its token, any
// other value becomes a string of its JSON text (§4, §7.3). The result may share
// memory with v: it is v itself if that is a string without lone surrogates.
func PayloadOf(v strictjson.Value) Payload {
	if isPayload(v) {
		return Payload(v)
	}
	return appendPayload(make([]byte, 0, payloadLen(v)), v)
}

// DataExceeds reports whether the payload of v would be longer than limit, in
// bytes of decoded data as [Payload.Len] counts them. It makes no payload, and
// seldom has to read v.
func DataExceeds(v strictjson.Value, limit int) bool {
	if v.Kind() != strictjson.String {
		return len(v) > limit
	}
	return v.TextExceeds(limit)
}

// isPayload reports whether v may stand in frames as it is.
func isPayload(v strictjson.Value) bool {
	return v.Kind() == strictjson.String && !v.HasLoneSurrogate()
}

// payloadLen returns the most bytes that appendPayload appends for v.
func payloadLen(v strictjson.Value) int {
	if v.Kind() == strictjson.String {
		return len(v)
	}
	return v.QuotedLen()
}

// appendPayload appends the payload of a value that isPayload says is none.
func appendPayload(dst []byte, v strictjson.Value) []byte {
	if text, ok := v.TextBytes(); ok {
		return strictjson.AppendString(dst, text)
	}
	return strictjson.AppendString(dst, v)
}

// PayloadOfText makes a payload of plain text.
func PayloadOfText[T ~string | ~[]byte](text T) Payload {
	return strictjson.AppendString(make([]byte, 0, len(text)+len(text)/8+2), text)
}

// Len returns the length of the decoded data in bytes, which is what the event
// size limits count.
func (p Payload) Len() int { return strictjson.Value(p).TextLen() }

// Text returns the decoded data.
func (p Payload) Text() string {
	text, _ := strictjson.Value(p).Text()
	return text
}
