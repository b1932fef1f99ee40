package protocol

import (
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// Payload tokens that never change.
var (
	emptyObject = Payload(`"{}"`)
	pong        = Event{Name: EventPong, Data: emptyObject}.Encode()
)

// Event is a frame that goes to clients. Data is always there (§2.1).
type Event struct {
	Name    string
	Channel ChannelName // "" for none
	Data    Payload
	UserID  string // sender of a client event on a presence channel, else ""
}

// envelope is the length of all that frames of events have in common, and some
// room for escapes in names: with it one allocation holds nearly every frame.
const envelope = len(`{"event":"","channel":"","data":,"user_id":""}`) + 16

// Encode returns the frame of the event in memory of its own.
func (e Event) Encode() Wire {
	buf := newText(envelope + len(e.Name) + len(e.Channel) + len(e.Data) + len(e.UserID))
	buf = append(appendHead(buf, e.Name, e.Channel), e.Data...)
	return sealText(appendTail(buf, e.UserID))
}

// ClientEvent is an event of a client on its way to the others (§4).
type ClientEvent struct {
	Name     []byte // decoded, as in [Frame]
	Channel  ChannelName
	Data     strictjson.Value // as it came
	UserID   string           // the sender on a presence channel, else ""
	Verbatim bool             // send the data as it came instead of as a string
}

// Encode returns the frame of the event in memory of its own, and its data as a
// payload, which webhooks get: part of the frame's bytes, and like them not to be
// changed. It is nil if the data stands verbatim in the frame and is no payload;
// then [PayloadOf] makes one.
func (e ClientEvent) Encode() (Wire, Payload) {
	buf := newText(envelope + len(e.Name) + len(e.Channel) + payloadLen(e.Data) + len(e.UserID))
	buf = appendHead(buf, e.Name, e.Channel)
	start, ready := len(buf), isPayload(e.Data)
	if ready || e.Verbatim {
		buf = append(buf, e.Data...)
	} else {
		buf = appendPayload(buf, e.Data)
	}
	end := len(buf)
	buf = appendTail(buf, e.UserID)
	if e.Verbatim && !ready {
		return sealText(buf), nil
	}
	return sealText(buf), Payload(buf[start:end:end])
}

func appendHead[T string | []byte](buf []byte, name T, channel ChannelName) []byte {
	buf = append(buf, `{"event":`...)
	buf = strictjson.AppendString(buf, name)
	if channel != "" {
		buf = append(buf, `,"channel":"`...)
		buf = append(buf, channel...) // its alphabet needs no escapes
		buf = append(buf, '"')
	}
	return append(buf, `,"data":`...)
}

func appendTail(buf []byte, userID string) []byte {
	if userID != "" {
		buf = append(buf, `,"user_id":`...)
		buf = strictjson.AppendString(buf, userID)
	}
	return append(buf, '}')
}

// ConnectionEstablished returns the first frame of a connection; the timeout is
// in whole seconds (§2.2).
func ConnectionEstablished(id SocketID, activityTimeout int) Wire {
	data := append([]byte(`{"socket_id":"`), id...)
	data = append(data, `","activity_timeout":`...)
	data = strconv.AppendInt(data, int64(activityTimeout), 10)
	return Event{Name: EventConnectionEstablished, Data: PayloadOfText(append(data, '}'))}.Encode()
}

// Pong returns the answer to pusher:ping.
func Pong() Wire { return pong }

// ErrorFrame returns a pusher:error frame: the only frame whose data is an
// object (§2.3). Code 0 is sent as null.
func ErrorFrame(code int, message string) Wire {
	buf := append(newText(64+len(message)), `{"event":"pusher:error","data":{"code":`...)
	if code == 0 {
		buf = append(buf, "null"...)
	} else {
		buf = strconv.AppendInt(buf, int64(code), 10)
	}
	buf = append(buf, `,"message":`...)
	buf = strictjson.AppendString(buf, message)
	return sealText(append(buf, "}}"...))
}

// SubscriptionSucceeded returns the success frame of every channel that is not
// a presence channel: data is literally {} (§3.3).
func SubscriptionSucceeded(channel ChannelName) Wire {
	return Event{Name: EventSubscriptionSucceeded, Channel: channel, Data: emptyObject}.Encode()
}

// Member is one user on a presence channel. Info is raw JSON, nil for none.
type Member struct {
	UserID string
	Info   []byte
}

// SubscriptionCount returns the frame with a channel's number of subscriptions.
func SubscriptionCount(channel ChannelName, count int) Wire {
	data := strconv.AppendInt([]byte(`{"subscription_count":`), int64(count), 10)
	return Event{Name: EventSubscriptionCount, Channel: channel, Data: PayloadOfText(append(data, '}'))}.Encode()
}

// CacheMiss returns the frame for a new subscriber of an empty cache channel.
func CacheMiss(channel ChannelName) Wire {
	return Event{Name: EventCacheMiss, Channel: channel, Data: emptyObject}.Encode()
}

// SigninSuccess returns the answer to pusher:signin. userData is the text as it
// was received; it goes back as a string in a string in a frame (§5.1).
func SigninSuccess(userData string) Wire {
	data := append(strictjson.AppendString([]byte(`{"user_data":`), userData), '}')
	return Event{Name: EventSigninSuccess, Data: PayloadOfText(data)}.Encode()
}

// WatchlistEvents returns the frame that tells a watcher who went offline and
// who came online; an empty list's entry is left out. With both empty there is
// nothing to send and the result is nil.
func WatchlistEvents(offline, online []string) Wire {
	if len(offline)+len(online) == 0 {
		return nil
	}
	data := appendWatchlist([]byte(`{"events":[`), "offline", offline)
	if len(offline) > 0 && len(online) > 0 {
		data = append(data, ',')
	}
	data = append(appendWatchlist(data, "online", online), "]}"...)
	return Event{Name: EventWatchlistEvents, Data: PayloadOfText(data)}.Encode()
}

func appendWatchlist(dst []byte, name string, ids []string) []byte {
	if len(ids) == 0 {
		return dst
	}
	dst = append(dst, `{"name":"`...)
	dst = append(dst, name...)
	dst = append(dst, `","user_ids":[`...)
	for i, id := range ids {
		dst = appendComma(dst, i)
		dst = strictjson.AppendString(dst, id)
	}
	return append(dst, "]}"...)
}

func appendComma(dst []byte, i int) []byte {
	if i == 0 {
		return dst
	}
	return append(dst, ',')
}
