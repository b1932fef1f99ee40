package auth

import (
	"strings"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// What stands between the parts of a signed text.
const (
	separator     = ":"
	userSeparator = "::user::"
)

// Split cuts an auth value into key and signature; ok is false without a colon.
func Split(auth string) (key, signature string, ok bool) {
	return strings.Cut(auth, separator)
}

// ChannelText returns the text that a subscription's signature covers (§6.1).
// channelData is nil if none was sent; an empty string is part of the text.
func ChannelText(id protocol.SocketID, channel protocol.ChannelName, channelData *string) string {
	text := string(id) + separator + string(channel)
	if channelData != nil {
		text += separator + *channelData
	}
	return text
}

// VerifyChannel is Verify for [ChannelText], without making that text.
func (s Secret) VerifyChannel(
	id protocol.SocketID, channel protocol.ChannelName, channelData *string, signature string,
) bool {
	m := startMAC(s)
	defer m.free()
	write(m, id)
	write(m, separator)
	write(m, channel)
	if channelData != nil {
		write(m, separator)
		write(m, *channelData)
	}
	return m.matches(signature)
}

// UserText returns the text that a sign-in's signature covers (§6.2).
func UserText(id protocol.SocketID, userData string) string {
	return string(id) + userSeparator + userData
}

// VerifyUser is Verify for [UserText], without making that text.
func (s Secret) VerifyUser(id protocol.SocketID, userData, signature string) bool {
	m := startMAC(s)
	defer m.free()
	write(m, id)
	write(m, userSeparator)
	write(m, userData)
	return m.matches(signature)
}

// Token returns the auth value KEY:HEX for text.
func Token(pair Key, text string) string {
	return pair.Key + separator + pair.Secret.Sign([]byte(text))
}
