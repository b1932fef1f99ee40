package httpapi

import (
	"strconv"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// attributes is a set of things that may be asked about a channel.
type attributes uint8

const (
	userCount attributes = 1 << iota
	subscriptionCount
	cacheEntry

	counts = userCount | subscriptionCount
)

func (a attributes) has(x attributes) bool { return a&x != 0 }

// infoOf reads the info parameter of a trigger; null and "" mean none.
func infoOf(v strictjson.Value) (attributes, error) {
	if v.IsAbsent() {
		return 0, nil
	}
	text, ok := v.Text()
	if !ok {
		return 0, errInfo
	}
	return parseInfo(text, counts)
}

// parseInfo reads a comma-separated list of attributes, of which only the
// allowed ones are known.
func parseInfo(text string, allowed attributes) (attributes, error) {
	var set attributes
	for text != "" {
		var word string
		word, text, _ = strings.Cut(text, ",")
		attribute := attributeOf(strings.TrimSpace(word))
		if attribute&allowed == 0 {
			return 0, errInfo
		}
		set |= attribute
	}
	return set, nil
}

func attributeOf(word string) attributes {
	switch word {
	case "user_count":
		return userCount
	case "subscription_count":
		return subscriptionCount
	case "cache":
		return cacheEntry
	}
	return 0
}

// appendCounts appends the members of a channel's object, without braces. A
// user count of a channel that has no users is left out.
func appendCounts(dst []byte, info hub.ChannelInfo, asked attributes) []byte {
	if asked.has(userCount) && info.Name.Kind().Has(protocol.Presence) {
		dst = appendInt(dst, "user_count", info.Users)
	}
	if asked.has(subscriptionCount) {
		dst = appendInt(dst, "subscription_count", info.Subscriptions)
	}
	return dst
}

// appendCountsOf asks the hub and appends the channel's object.
func (a *API) appendCountsOf(dst []byte, app *apps.App, name protocol.ChannelName, asked attributes) []byte {
	dst = append(dst, '{')
	if asked.has(counts) {
		dst = appendCounts(dst, a.hub.Channel(app, name), asked)
	}
	return append(dst, '}')
}

// appendKey appends "key": with the comma that may be due before it. The key
// needs no escapes: it is one of ours or a channel name.
func appendKey[T ~string](dst []byte, key T) []byte {
	if last := dst[len(dst)-1]; last != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

func appendInt(dst []byte, key string, n int) []byte {
	return strconv.AppendInt(appendKey(dst, key), int64(n), 10)
}
