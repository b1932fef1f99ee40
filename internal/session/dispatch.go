package session

import (
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// dispatch carries out one frame of the client (§2.7). What it returns is for
// the client; no refusal ends a connection.
func dispatch(t *hub.Turn, a *hub.Attachment, f protocol.Frame) *protocol.Refusal {
	switch string(f.Event) {
	case protocol.EventPing:
		a.Reply(protocol.Pong())
		return nil
	case protocol.EventPong:
		return nil
	case protocol.EventSubscribe:
		return onSubscribe(t, a, f)
	case protocol.EventUnsubscribe:
		return onUnsubscribe(t, a, f)
	case protocol.EventSignin:
		return onSignin(t, a, f)
	}
	if f.IsClientEvent() {
		return a.ClientEvent(t, f)
	}
	return protocol.RefuseUnsupported(string(f.Event))
}

func onSubscribe(t *hub.Turn, a *hub.Attachment, f protocol.Frame) *protocol.Refusal {
	var r hub.SubscribeRequest
	named := false
	err := members(f, func(key []byte, value strictjson.Value) {
		switch string(key) {
		case "channel":
			r.Channel, named = value.Text()
		case "auth":
			r.Auth, _ = value.Text()
		case "channel_data":
			text, isText := value.Text()
			if isText {
				r.ChannelData = &text
			}
			r.MalformedChannelData = !isText && !value.IsAbsent()
		}
	})
	if err != nil {
		return protocol.RefuseInvalidJSON()
	}
	if !named {
		return protocol.RefuseMissing("channel")
	}
	return a.Subscribe(t, r)
}

func onUnsubscribe(t *hub.Turn, a *hub.Attachment, f protocol.Frame) *protocol.Refusal {
	var channel string
	named := false
	err := members(f, func(key []byte, value strictjson.Value) {
		if string(key) == "channel" {
			channel, named = value.Text()
		}
	})
	if err != nil {
		return protocol.RefuseInvalidJSON()
	}
	if !named {
		return protocol.RefuseMissing("channel")
	}
	return a.Unsubscribe(t, channel)
}

func onSignin(t *hub.Turn, a *hub.Attachment, f protocol.Frame) *protocol.Refusal {
	var auth, userData string
	var hasAuth, hasUserData bool
	err := members(f, func(key []byte, value strictjson.Value) {
		switch string(key) {
		case "auth":
			auth, hasAuth = value.Text()
		case "user_data":
			userData, hasUserData = value.Text()
		}
	})
	switch {
	case err != nil:
		return protocol.RefuseInvalidJSON()
	case !hasAuth:
		return protocol.RefuseMissing("auth")
	case !hasUserData:
		return protocol.RefuseMissing("user_data")
	}
	return a.Signin(t, auth, userData)
}

// members walks the data object of a pusher:* frame.
func members(f protocol.Frame, each func(key []byte, value strictjson.Value)) error {
	data, err := f.Object()
	if err != nil {
		return err
	}
	return data.Members(func(key []byte, value strictjson.Value) error {
		each(key, value)
		return nil
	})
}

// refuse answers a frame that was not carried out (§3.5).
func (s *Session) refuse(a *hub.Attachment, r *protocol.Refusal) {
	a.Refused(r.Reason)
	var frames protocol.Wire
	if s.o.InternalSubscriptionError {
		frames = append(frames, r.InternalSubscriptionErrorFrame()...)
	}
	if s.o.SubscriptionErrorFrames {
		frames = append(frames, r.SubscriptionErrorFrame()...)
	}
	a.Reply(append(frames, r.ErrorFrame()...))
}
