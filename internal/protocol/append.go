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

// Encode returns the frame of the event.
func (e Event) Encode() Wire {
	buf := newText(64 + len(e.Name) + len(e.Channel) + len(e.Data) + len(e.UserID))
	buf = append(buf, `{"event":`...)
	buf = strictjson.AppendString(buf, e.Name)
	if e.Channel != "" {
		buf = append(buf, `,"channel":"`...)
		buf = append(buf, e.Channel...) // its alphabet needs no escapes
		buf = append(buf, '"')
	}
	buf = append(buf, `,"data":`...)
	buf = append(buf, e.Data...)
	if e.UserID != "" {
		buf = append(buf, `,"user_id":`...)
		buf = strictjson.AppendString(buf, e.UserID)
	}
	return sealText(append(buf, '}'))
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

// PresenceSucceeded returns the success frame of a presence channel with the
// members as they are now (§3.3).
func PresenceSucceeded(channel ChannelName, members []Member) Wire {
	data := append([]byte(`{"presence":{"count":`), strconv.Itoa(len(members))...)
	data = append(data, `,"ids":[`...)
	for i, m := range members {
		data = appendComma(data, i)
		data = strictjson.AppendString(data, m.UserID)
	}
	data = append(data, `],"hash":{`...)
	for i, m := range members {
		data = appendComma(data, i)
		data = strictjson.AppendString(data, m.UserID)
		data = append(data, ':')
		data = appendInfo(data, m.Info)
	}
	data = append(data, "}}}"...)
	return Event{Name: EventSubscriptionSucceeded, Channel: channel, Data: PayloadOfText(data)}.Encode()
}

// MemberAdded returns the frame that announces a user to the others.
func MemberAdded(channel ChannelName, m Member) Wire {
	data := strictjson.AppendString([]byte(`{"user_id":`), m.UserID)
	data = append(data, `,"user_info":`...)
	data = append(appendInfo(data, m.Info), '}')
	return Event{Name: EventMemberAdded, Channel: channel, Data: PayloadOfText(data)}.Encode()
}

// MemberRemoved returns the frame that tells of a user's leaving.
func MemberRemoved(channel ChannelName, userID string) Wire {
	data := append(strictjson.AppendString([]byte(`{"user_id":`), userID), '}')
	return Event{Name: EventMemberRemoved, Channel: channel, Data: PayloadOfText(data)}.Encode()
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

func appendInfo(dst, info []byte) []byte {
	if len(info) == 0 {
		return append(dst, "null"...)
	}
	return append(dst, info...)
}
