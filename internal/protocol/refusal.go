package protocol

import (
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// Refusal is the answer to a client frame that is not carried out: a
// pusher:error frame and, for refused subscriptions, the frame that
// applications bind to (§3.5). It never ends the connection.
type Refusal struct {
	Code    int    // 4301, 4302, or 0 for null
	Message string // for the client; holds nothing secret
	Reason  Reason // for metrics

	// Set for refusals that are also told as pusher:subscription_error.
	Channel ChannelName
	Type    string
	Status  int
}

// Reason says in one word why a frame was refused; it is a metric label.
type Reason string

// Reasons for refusals.
const (
	ReasonInvalid     Reason = "invalid"
	ReasonUnsupported Reason = "unsupported"
	ReasonAuth        Reason = "auth"
	ReasonLimit       Reason = "limit"
	ReasonState       Reason = "state"
	ReasonDisabled    Reason = "disabled"
	ReasonRate        Reason = "rate"
)

// Reasons lists every reason, so that counters can be made ahead.
var Reasons = []Reason{
	ReasonInvalid, ReasonUnsupported, ReasonAuth, ReasonLimit, ReasonState, ReasonDisabled, ReasonRate,
}

// Error implements error.
func (r *Refusal) Error() string { return r.Message }

// ErrorFrame returns the pusher:error frame of the refusal.
func (r *Refusal) ErrorFrame() Wire { return ErrorFrame(r.Code, r.Message) }

// SubscriptionErrorFrame returns the pusher:subscription_error frame, or nil if
// the refusal has none.
func (r *Refusal) SubscriptionErrorFrame() Wire {
	if r.Channel == "" {
		return nil
	}
	data := strictjson.AppendString([]byte(`{"type":`), r.Type)
	data = append(data, `,"error":`...)
	data = strictjson.AppendString(data, r.Message)
	data = append(data, `,"status":`...)
	data = append(strconv.AppendInt(data, int64(r.Status), 10), '}')
	return Event{Name: EventSubscriptionError, Channel: r.Channel, Data: PayloadOfText(data)}.Encode()
}

// InternalSubscriptionErrorFrame returns the frame that ends a pending
// subscribe call of the .NET client, or nil if the refusal names no channel.
func (r *Refusal) InternalSubscriptionErrorFrame() Wire {
	if r.Channel == "" {
		return nil
	}
	return Event{Name: EventInternalSubscriptionError, Channel: r.Channel, Data: emptyObject}.Encode()
}

func refuse(reason Reason, message string) *Refusal {
	return &Refusal{Message: message, Reason: reason}
}

// Frames that are no frames (§2.1).

// RefuseInvalidJSON answers a text that is not a JSON object with an event.
func RefuseInvalidJSON() *Refusal { return refuse(ReasonInvalid, "Received invalid JSON") }

// RefuseUnsupported answers an event that clients do not have.
func RefuseUnsupported(event string) *Refusal {
	return refuse(ReasonUnsupported, "Unsupported event received on socket: "+event)
}

// RefuseMissing answers a frame whose data lacks a parameter.
func RefuseMissing(parameter string) *Refusal {
	return refuse(ReasonInvalid, "Missing parameter: data."+parameter)
}

// Subscriptions (§3.2, §3.4, §3.7).

// RefuseChannelName answers a name outside the grammar.
func RefuseChannelName(name string) *Refusal {
	return refuse(ReasonInvalid, "Invalid channel name "+name)
}

// RefuseExisting answers a second subscription to the same channel.
func RefuseExisting(channel ChannelName) *Refusal {
	return refuse(ReasonState, "Existing subscription to channel "+string(channel))
}

// RefuseNoSubscription answers an unsubscribe from a channel never subscribed.
func RefuseNoSubscription(channel string) *Refusal {
	return refuse(ReasonState, "No current subscription to channel "+channel+", or subscription in progress")
}

// RefuseNoAuth answers a subscription that lacks its signature, and one to a
// server-to-user channel that is not the connection's own.
func RefuseNoAuth(channel ChannelName) *Refusal {
	return refuseAuth(channel, "Auth info required to subscribe to "+string(channel))
}

// RefuseAuthFormat answers an auth without colon.
func RefuseAuthFormat(channel ChannelName) *Refusal { return refuseAuth(channel, textAuthFormat) }

// RefuseAuthKey answers an auth made with a key that the app does not have.
func RefuseAuthKey(channel ChannelName, key string) *Refusal {
	return refuseAuth(channel, textAuthKey(key))
}

// RefuseNoChannelData answers a presence subscription without an identity.
func RefuseNoChannelData(channel ChannelName) *Refusal {
	return refuseAuth(channel, string(channel)+" is a presence channel and subscription must include channel_data")
}

// RefuseSignature answers a signature that does not match: signedText is what
// should have been signed, which the client knows already.
func RefuseSignature(channel ChannelName, signedText, signature string) *Refusal {
	return refuseAuth(channel, textSignature(signedText, signature))
}

// RefuseChannelData answers channel data that is no object or names no user.
func RefuseChannelData(channel ChannelName) *Refusal {
	return refuse(ReasonInvalid, "Invalid channel_data for "+string(channel))
}

// RefuseFull answers a new user on a presence channel at its limit.
func RefuseFull(channel ChannelName, limit int) *Refusal {
	return refuseLimit(channel, CodeOverCapacity,
		"Presence channel "+string(channel)+" is full ("+strconv.Itoa(limit)+" members)")
}

// RefuseUserInfo answers a user_info over the limit.
func RefuseUserInfo(channel ChannelName, limit int) *Refusal {
	return refuseLimit(channel, CodeClientEventRate,
		"user_info exceeds the allowed maximum ("+strconv.Itoa(limit)+" bytes)")
}

// RefuseUserID answers a presence user_id over the limit.
func RefuseUserID(channel ChannelName, limit int) *Refusal {
	return refuseLimit(channel, CodeClientEventRate,
		"user_id exceeds the allowed maximum ("+strconv.Itoa(limit)+" characters)")
}

func refuseAuth(channel ChannelName, message string) *Refusal {
	return refuseSubscription(channel, ReasonAuth, "AuthError", 401, message)
}

func refuseLimit(channel ChannelName, status int, message string) *Refusal {
	return refuseSubscription(channel, ReasonLimit, "LimitReached", status, message)
}

// refuseSubscription leaves the channel out where the subscription_error frame
// must not be sent: the Java and .NET clients would try to decrypt it on
// encrypted channels, and server-to-user channels have none (§3.5).
func refuseSubscription(channel ChannelName, reason Reason, kind string, status int, message string) *Refusal {
	r := refuse(reason, message)
	if channel.Kind().Has(Encrypted | ToUser) {
		return r
	}
	r.Channel, r.Type, r.Status = channel, kind, status
	return r
}

// Client events (§4).

// Refusals of client events whose text never changes.
var (
	RefuseClientEventShape    = refuse(ReasonInvalid, "Invalid client event (must contain channel and data)")
	RefuseClientEventsOff     = refuse(ReasonDisabled, "To send client events, you must enable this feature in the Settings page of your dashboard.")
	RefuseClientEventPublic   = refuse(ReasonUnsupported, "Client event rejected - only supported on private and presence channels")
	RefuseClientEventRate     = &Refusal{Code: CodeClientEventRate, Reason: ReasonRate, Message: "Client event rejected due to rate limit"}
	RefuseClientEventNameSize = refuse(ReasonLimit, "Client event name exceeds the allowed maximum ("+strconv.Itoa(MaxEventName)+" characters)")
)

// RefuseClientEventUnsubscribed answers a client event to a channel that the
// connection is not on.
func RefuseClientEventUnsubscribed(channel string) *Refusal {
	return refuse(ReasonState, "Cannot broadcast client event (connection not subscribed to channel "+channel+")")
}

// RefuseEventSize answers a client event whose data is over the limit.
func RefuseEventSize(limit int) *Refusal { return refuse(ReasonLimit, TextEventSize(limit)) }

// TextEventSize is the text for event data over the limit, on the WebSocket and
// in the HTTP API.
func TextEventSize(limit int) string {
	return "The data content of this event exceeds the allowed maximum (" + strconv.Itoa(limit) + " bytes)."
}

// Sign-in (§5.1, §5.5).

// Refusals of sign-ins whose text never changes.
var (
	RefuseSigninFormat = refuse(ReasonAuth, textAuthFormat)
	RefuseUserData     = refuse(ReasonInvalid, "Invalid user_data")
	RefuseOtherUser    = refuse(ReasonState, "Connection is already signed in as a different user")
)

// RefuseSigninKey answers a sign-in with a key that the app does not have.
func RefuseSigninKey(key string) *Refusal { return refuse(ReasonAuth, textAuthKey(key)) }

// RefuseSigninSignature answers a sign-in whose signature does not match.
func RefuseSigninSignature(signedText, signature string) *Refusal {
	return refuse(ReasonAuth, textSignature(signedText, signature))
}

// WatchlistLimit is the notice that a watchlist was cut to its first ids.
func WatchlistLimit(limit int) *Refusal {
	return &Refusal{
		Code: CodeWatchlistLimit, Reason: ReasonLimit,
		Message: "Watchlist limit exceeded. Only the first " + strconv.Itoa(limit) + " user IDs are accepted.",
	}
}

const textAuthFormat = "Invalid format: auth must have the format key:signature"

func textAuthKey(key string) string { return "Invalid key in subscription auth data: '" + key + "'" }

func textSignature(signedText, signature string) string {
	return "Invalid signature: Expected HMAC SHA256 hex digest of " + signedText + ", but got " + signature
}
