package protocol

import "github.com/pipesocket/pipesocketd/internal/strictjson"

// Payload is the data of an event as the JSON string token that stands in the
// frame, quotes included. It is encoded once, where it enters the server, and
// from then on only copied: into frames, caches, webhooks and API answers.
type Payload []byte

// PayloadOf normalises a JSON value to a payload: a string keeps its token, any
// other value becomes a string of its JSON text (§4, §7.3). The result may share
// memory with v.
func PayloadOf(v strictjson.Value) Payload {
	if v.Kind() != strictjson.String {
		return strictjson.AppendString(make([]byte, 0, len(v)+len(v)/4+2), v)
	}
	if v.HasLoneSurrogate() {
		text, _ := v.TextBytes()
		return PayloadOfText(text)
	}
	return Payload(v)
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
