package conformance

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
)

// sign returns the HMAC-SHA256 of text in lower-case hex (§6).
func sign(secret, text string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// auth signs a subscription without channel data (§6.1).
func (a app) auth(socketID, channel string) string {
	return a.key + ":" + sign(a.secret, socketID+":"+channel)
}

// authData signs a subscription with channel data.
func (a app) authData(socketID, channel, channelData string) string {
	return a.key + ":" + sign(a.secret, socketID+":"+channel+":"+channelData)
}

// authUser signs a sign-in (§6.2).
func (a app) authUser(socketID, userData string) string {
	return a.key + ":" + sign(a.secret, socketID+"::user::"+userData)
}

// unique returns prefix and 16 random characters: a name no other test uses.
func unique(prefix string) string {
	var raw [8]byte
	_, _ = rand.Read(raw[:])
	return prefix + hex.EncodeToString(raw[:])
}
