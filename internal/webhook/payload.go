package webhook

import (
	"net/http"
	"strconv"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// Payload is one sealed webhook: the bytes to post and all that is needed to
// post them again, unchanged, after a restart.
type Payload struct {
	// Set when sealed, immutable. The body may be read concurrently.
	App       apps.ID
	URL       string // of the endpoint
	Key       string // X-Pusher-Key
	Signature string // X-Pusher-Signature
	TimeMS    int64  // Unix milliseconds
	Events    int    // how many are in Body
	Body      []byte
	Channels  []uint64 // hashes of the channels of Body, each once (see hashChannel)

	Seq int64 // number of its last event in the Journal; 0 without one

	// When it was sealed, by the monotonic clock, which no setting of the system's clock
	// changes; zero if that was in another process, or if it has been on disk since.
	sealed time.Time

	ID int64 // given by the queue that takes it, and unique in it

	// Owned by the lane.
	Failures int       // attempts so far
	Due      time.Time // of the next attempt; zero before the first
	blamed   uint64    // period of the breaker in which its failure was counted, plus one

	header http.Header // of the endpoint, as they are at this attempt; never kept

	place place // owned by the Schedule that it is in
}

// Parts of a body.
const (
	bodyHead  = `{"time_ms":`
	bodyMid   = `,"events":[`
	bodyTail  = `]}`
	maxDigits = len("-9223372036854775808")
	envelope  = len(bodyHead) + maxDigits + len(bodyMid) + len(bodyTail)
)

// seal makes the payload of some events and signs it. The events must be JSON
// objects joined by commas.
func seal(key laneKey, pair auth.Key, timeMS int64, events []byte, count int) *Payload {
	body := make([]byte, 0, envelope+len(events))
	body = append(body, bodyHead...)
	body = strconv.AppendInt(body, timeMS, 10)
	body = append(body, bodyMid...)
	body = append(body, events...)
	body = append(body, bodyTail...)
	return &Payload{
		App:       key.app,
		URL:       key.url,
		Key:       pair.Key,
		Signature: pair.Secret.Sign(body),
		TimeMS:    timeMS,
		Events:    count,
		Body:      body,
	}
}

// noticeSize returns a size that nearly every encoded notice fits into.
func noticeSize(n hub.Notice) int {
	size := len(`{"name":"","channel":"","user_id":"","subscription_count":12345}`) + len(n.Name) + len(n.Channel) + len(n.UserID)
	if n.Name == hub.ClientEventSent {
		size += len(`"event":"","data":,"socket_id":"",`) + len(n.Event) + len(n.Data) + len(n.SocketID)
	}
	return size
}

// appendNotice appends a notice as one element of "events" (§8.2).
func appendNotice(dst []byte, n hub.Notice) []byte {
	dst = appendField(append(dst, '{'), "name", n.Name)
	dst = appendField(append(dst, ','), "channel", n.Channel)
	switch n.Name {
	case hub.ChannelOccupied, hub.ChannelVacated, hub.CacheMissed:
		// The channel is all.
	case hub.MemberAdded, hub.MemberRemoved:
		dst = appendField(append(dst, ','), "user_id", n.UserID)
	case hub.ClientEventSent:
		dst = appendClientEvent(append(dst, ','), n)
	case hub.SubscriptionCount:
		dst = append(dst, `,"subscription_count":`...)
		dst = strconv.AppendInt(dst, int64(n.Count), 10)
	}
	return append(dst, '}')
}

func appendClientEvent(dst []byte, n hub.Notice) []byte {
	dst = appendField(dst, "event", n.Event)
	dst = append(dst, `,"data":`...)
	dst = appendData(dst, n.Data)
	dst = appendField(append(dst, ','), "socket_id", n.SocketID)
	if n.UserID != "" && n.Channel.Kind().Has(protocol.Presence) {
		dst = appendField(append(dst, ','), "user_id", n.UserID)
	}
	return dst
}

// appendData appends a string token as it is. Anything else would make the whole
// webhook invalid for libraries with typed events, so it becomes a string.
func appendData(dst []byte, data protocol.Payload) []byte {
	if len(data) > 0 && data[0] == '"' {
		return append(dst, data...)
	}
	return strictjson.AppendString(dst, data)
}

func appendField[T ~string](dst []byte, name string, value T) []byte {
	dst = append(append(append(dst, '"'), name...), `":`...)
	return strictjson.AppendString(dst, value)
}
