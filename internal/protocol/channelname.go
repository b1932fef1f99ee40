package protocol

import "strings"

// ChannelName is a channel's full name. One made by [ParseChannelName] is valid.
type ChannelName string

// MaxChannelName is the longest channel name in bytes (§3.1). The prefix of a
// server-to-user name does not count.
const MaxChannelName = 200

const serverToUserPrefix = "#server-to-user-"

// ParseChannelName checks name against the grammar of §3.1.
func ParseChannelName(name string) (ChannelName, bool) {
	if user, ok := strings.CutPrefix(name, serverToUserPrefix); ok {
		return ChannelName(name), ValidUserID(user)
	}
	return ChannelName(name), validName(name)
}

// ServerToUser returns the name of the channel of one signed-in user.
func ServerToUser(userID string) ChannelName {
	return ChannelName(serverToUserPrefix + userID)
}

// ValidUserID reports whether id may be signed in: 1 to 200 characters of the
// channel-name alphabet (§5.1).
func ValidUserID(id string) bool { return validName(id) }

func validName(name string) bool {
	if name == "" || len(name) > MaxChannelName {
		return false
	}
	for i := range len(name) {
		if !nameByte(name[i]) {
			return false
		}
	}
	return true
}

func nameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '_', '=', '@', ',', '.', ';':
		return true
	}
	return false
}

// ChannelKind is the set of traits that a channel has by its name's prefix.
type ChannelKind uint8

// Traits of channels. The zero kind is a plain public channel.
const (
	Private ChannelKind = 1 << iota
	Presence
	Encrypted
	Cached
	ToUser
)

// Has reports whether the kind has the trait.
func (k ChannelKind) Has(trait ChannelKind) bool { return k&trait != 0 }

// NeedsAuth reports whether subscribing needs a signature.
func (k ChannelKind) NeedsAuth() bool { return k.Has(Private | Presence) }

// kinds by prefix, longest first where one begins another (§3.1).
var kinds = []struct {
	prefix string
	kind   ChannelKind
}{
	{"private-encrypted-cache-", Private | Encrypted | Cached},
	{"private-encrypted-", Private | Encrypted},
	{"private-cache-", Private | Cached},
	{"presence-cache-", Presence | Cached},
	{"private-", Private},
	{"presence-", Presence},
	{"cache-", Cached},
	{serverToUserPrefix, ToUser},
}

// Kind returns the traits of the channel.
func (n ChannelName) Kind() ChannelKind {
	for _, k := range kinds {
		if strings.HasPrefix(string(n), k.prefix) {
			return k.kind
		}
	}
	return 0
}

// User returns the user id of a server-to-user channel, and "" for others.
func (n ChannelName) User() string {
	user, ok := strings.CutPrefix(string(n), serverToUserPrefix)
	if !ok {
		return ""
	}
	return user
}
