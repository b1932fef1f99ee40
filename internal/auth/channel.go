package auth

import (
	"strings"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Split cuts an auth value into key and signature; ok is false without a colon.
func Split(auth string) (key, signature string, ok bool) {
	return strings.Cut(auth, ":")
}

// ChannelText returns the text that a subscription's signature covers (§6.1).
// channelData is nil if none was sent; an empty string is part of the text.
func ChannelText(id protocol.SocketID, channel protocol.ChannelName, channelData *string) string {
	text := string(id) + ":" + string(channel)
	if channelData != nil {
		text += ":" + *channelData
	}
	return text
}

// UserText returns the text that a sign-in's signature covers (§6.2).
func UserText(id protocol.SocketID, userData string) string {
	return string(id) + "::user::" + userData
}

// Token returns the auth value KEY:HEX for text.
func Token(pair Key, text string) string {
	return pair.Key + ":" + pair.Secret.Sign([]byte(text))
}
