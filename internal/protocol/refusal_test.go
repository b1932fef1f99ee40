package protocol_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// closeErrors are all reasons to close, by the name of the variable.
var closeErrors = map[string]protocol.CloseError{
	"CloseTLSOnly":            protocol.CloseTLSOnly,
	"CloseUnknownApp":         protocol.CloseUnknownApp,
	"CloseAppDisabled":        protocol.CloseAppDisabled,
	"CloseOverQuota":          protocol.CloseOverQuota,
	"ClosePathNotFound":       protocol.ClosePathNotFound,
	"CloseInvalidVersion":     protocol.CloseInvalidVersion,
	"CloseUnsupportedVersion": protocol.CloseUnsupportedVersion,
	"CloseNoVersion":          protocol.CloseNoVersion,
	"CloseNotAuthorized":      protocol.CloseNotAuthorized,
	"CloseTerminated":         protocol.CloseTerminated,
	"CloseOverCapacity":       protocol.CloseOverCapacity,
	"CloseReconnect":          protocol.CloseReconnect,
	"ClosePongTimeout":        protocol.ClosePongTimeout,
	"CloseProtocol":           protocol.CloseProtocol,
	"CloseBinary":             protocol.CloseBinary,
	"CloseInvalidUTF8":        protocol.CloseInvalidUTF8,
	"CloseServerError":        protocol.CloseServerError,
}

// refusals are all refusals, by the name of the function or variable and, behind
// an underscore, the case.
var refusals = map[string]*protocol.Refusal{
	"RefuseInvalidJSON":              protocol.RefuseInvalidJSON(),
	"RefuseUnsupported":              protocol.RefuseUnsupported("foo"),
	"RefuseUnsupported_escapes":      protocol.RefuseUnsupported("<\"\\\n\u2028"),
	"RefuseMissing":                  protocol.RefuseMissing("channel"),
	"RefuseChannelName":              protocol.RefuseChannelName(`a:"b"`),
	"RefuseExisting":                 protocol.RefuseExisting("my-channel"),
	"RefuseNoSubscription":           protocol.RefuseNoSubscription("my-channel"),
	"RefuseNoAuth":                   protocol.RefuseNoAuth("private-x"),
	"RefuseNoAuth_presence":          protocol.RefuseNoAuth("presence-x"),
	"RefuseNoAuth_encrypted":         protocol.RefuseNoAuth("private-encrypted-x"),
	"RefuseNoAuth_encrypted-cache":   protocol.RefuseNoAuth("private-encrypted-cache-x"),
	"RefuseNoAuth_user":              protocol.RefuseNoAuth("#server-to-user-42"),
	"RefuseAuthFormat":               protocol.RefuseAuthFormat("private-x"),
	"RefuseAuthKey":                  protocol.RefuseAuthKey("private-x", "other-key"),
	"RefuseNoChannelData":            protocol.RefuseNoChannelData("presence-x"),
	"RefuseSignature":                protocol.RefuseSignature("private-x", "1.2:private-x", "abc"),
	"RefuseSignature_presence":       protocol.RefuseSignature("presence-x", `1.2:presence-x:{"user_id":"1"}`, "abc"),
	"RefuseSignature_encrypted":      protocol.RefuseSignature("private-encrypted-x", "1.2:private-encrypted-x", "abc"),
	"RefuseChannelData":              protocol.RefuseChannelData("presence-x"),
	"RefuseFull":                     protocol.RefuseFull("presence-x", 100),
	"RefuseUserInfo":                 protocol.RefuseUserInfo("presence-x", 1024),
	"RefuseUserID":                   protocol.RefuseUserID("presence-x", 128),
	"RefuseClientEventShape":         protocol.RefuseClientEventShape,
	"RefuseClientEventsOff":          protocol.RefuseClientEventsOff,
	"RefuseClientEventPublic":        protocol.RefuseClientEventPublic,
	"RefuseClientEventRate":          protocol.RefuseClientEventRate,
	"RefuseClientEventNameSize":      protocol.RefuseClientEventNameSize,
	"RefuseClientEventUnsubscribed":  protocol.RefuseClientEventUnsubscribed("private-x"),
	"RefuseEventSize":                protocol.RefuseEventSize(10_240),
	"RefuseSigninFormat":             protocol.RefuseSigninFormat,
	"RefuseSigninKey":                protocol.RefuseSigninKey("other-key"),
	"RefuseSigninSignature":          protocol.RefuseSigninSignature(`1.2::user::{"id":"42"}`, "abc"),
	"RefuseUserData":                 protocol.RefuseUserData,
	"RefuseOtherUser":                protocol.RefuseOtherUser,
	"WatchlistLimit":                 protocol.WatchlistLimit(100),
	"RefuseExisting_server-to-user":  protocol.RefuseExisting("#server-to-user-42"),
	"RefuseNoSubscription_untrusted": protocol.RefuseNoSubscription(`"},{`),
}

func TestRefusals(t *testing.T) {
	for name, r := range refusals {
		t.Run(name, func(t *testing.T) {
			if !slices.Contains(protocol.Reasons, r.Reason) {
				t.Errorf("reason %q is not among Reasons", r.Reason)
			}
			if r.Error() != r.Message || r.Message == "" {
				t.Errorf("error text %q, message %q", r.Error(), r.Message)
			}
			var wrapped *protocol.Refusal
			if !errors.As(fmt.Errorf("subscribe: %w", r), &wrapped) || wrapped != r {
				t.Error("a wrapped refusal is not found again")
			}
			frames := testkit.Frames(t, r.ErrorFrame())
			var data struct {
				Code    *int
				Message string
			}
			if err := json.Unmarshal([]byte(frames[0].Data), &data); err != nil {
				t.Fatal(err)
			}
			if data.Message != r.Message || (data.Code == nil) != (r.Code == 0) || (data.Code != nil && *data.Code != r.Code) {
				t.Errorf("error frame %s, refusal %+v", frames[0].Raw, r)
			}
		})
	}
}

// Which refusals are also told as pusher:subscription_error: the table of §3.5.
func TestSubscriptionErrorFrames(t *testing.T) {
	type detail struct {
		Type, Error string
		Status      int
	}
	auth := func(message string) *detail { return &detail{"AuthError", message, 401} }
	want := map[string]*detail{
		"RefuseNoAuth":             auth("Auth info required to subscribe to private-x"),
		"RefuseNoAuth_presence":    auth("Auth info required to subscribe to presence-x"),
		"RefuseAuthFormat":         auth("Invalid format: auth must have the format key:signature"),
		"RefuseAuthKey":            auth("Invalid key in subscription auth data: 'other-key'"),
		"RefuseNoChannelData":      auth("presence-x is a presence channel and subscription must include channel_data"),
		"RefuseSignature":          auth("Invalid signature: Expected HMAC SHA256 hex digest of 1.2:private-x, but got abc"),
		"RefuseSignature_presence": auth(`Invalid signature: Expected HMAC SHA256 hex digest of 1.2:presence-x:{"user_id":"1"}, but got abc`),
		"RefuseFull":               {"LimitReached", "Presence channel presence-x is full (100 members)", 4100},
		"RefuseUserInfo":           {"LimitReached", "user_info exceeds the allowed maximum (1024 bytes)", 4301},
		"RefuseUserID":             {"LimitReached", "user_id exceeds the allowed maximum (128 characters)", 4301},
	}
	for name, r := range refusals {
		t.Run(name, func(t *testing.T) {
			w, internal := r.SubscriptionErrorFrame(), r.InternalSubscriptionErrorFrame()
			if want[name] == nil {
				if w != nil || internal != nil {
					t.Errorf("only pusher:error is sent for this, got %s and %s", w, internal)
				}
				return
			}
			f := testkit.Frames(t, w)[0]
			var got detail
			if err := json.Unmarshal([]byte(f.Data), &got); err != nil || got != *want[name] {
				t.Errorf("%v: data %+v, want %+v", err, got, *want[name])
			}
			if f.Event != "pusher:subscription_error" || f.Channel != string(r.Channel) || got.Error != r.Message {
				t.Errorf("frame %s of refusal %+v", f.Raw, r)
			}
			f = testkit.Frames(t, internal)[0]
			if f.Event != "pusher_internal:subscription_error" || f.Channel != string(r.Channel) || f.Data != "{}" {
				t.Errorf("internal frame %s of refusal %+v", f.Raw, r)
			}
		})
	}
}

// 4301 and 4302 stand in error frames only, 4002 is not assigned, and nothing
// at or above 4300 closes (§1.6).
func TestCloseCodes(t *testing.T) {
	for name, e := range closeErrors {
		if e.Code >= 4300 || e.Code == 4002 || e.Code == 4202 || e.Reason == "" || len(e.Reason) > 123 {
			t.Errorf("%s closes with %d %q", name, e.Code, e.Reason)
		}
		if want := fmt.Sprintf("close %d: %s", e.Code, e.Reason); e.Error() != want {
			t.Errorf("%s: error text %q, want %q", name, e.Error(), want)
		}
	}
	for name, r := range refusals {
		if r.Code != 0 && r.Code != 4301 && r.Code != 4302 {
			t.Errorf("%s has code %d", name, r.Code)
		}
	}
}
