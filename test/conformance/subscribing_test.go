package conformance

import (
	"strings"
	"testing"
)

// subscribe subscribes to a channel, signing where its type needs it, and
// returns the success frame. Presence channels need join instead, unless the
// connection is signed in. Frames that follow success (cached event, count) are
// left to the test.
func (c *client) subscribe(t testing.TB, channel string) frame {
	t.Helper()
	data := object{"channel": channel, "auth": ""}
	if needsAuth(channel) {
		data["auth"] = c.app.auth(c.socketID, channel)
	}
	c.sendEvent(t, "pusher:subscribe", data)
	return c.expect(t, "pusher_internal:subscription_succeeded", channel)
}

// join subscribes with signed channel data and returns the success frame.
func (c *client) join(t testing.TB, channel, channelData string) frame {
	t.Helper()
	c.askJoin(t, channel, channelData)
	return c.expect(t, "pusher_internal:subscription_succeeded", channel)
}

// askJoin is join without waiting for the answer.
func (c *client) askJoin(t testing.TB, channel, channelData string) {
	t.Helper()
	c.sendEvent(t, "pusher:subscribe", object{
		"channel":      channel,
		"auth":         c.app.authData(c.socketID, channel, channelData),
		"channel_data": channelData,
	})
}

// joinAs is join with a plain user id.
func (c *client) joinAs(t testing.TB, channel, userID string) frame {
	t.Helper()
	return c.join(t, channel, `{"user_id":`+quote(userID)+`}`)
}

// unsubscribe leaves a channel; a ping proves that the server has done it and
// has answered nothing.
func (c *client) unsubscribe(t testing.TB, channel string) {
	t.Helper()
	c.sendEvent(t, "pusher:unsubscribe", object{"channel": channel})
	c.expectNothing(t)
}

// signin signs in and takes the success frame.
func (c *client) signin(t testing.TB, userData string) frame {
	t.Helper()
	c.askSignin(t, userData)
	return c.expect(t, "pusher:signin_success", "")
}

// askSignin is signin without waiting for the answer.
func (c *client) askSignin(t testing.TB, userData string) {
	t.Helper()
	c.sendEvent(t, "pusher:signin", object{"auth": c.app.authUser(c.socketID, userData), "user_data": userData})
}

// refused requires the two frames of a refused subscription (§3.5).
func (c *client) refused(t testing.TB, channel, kind string, status int, message string) {
	t.Helper()
	f := c.expect(t, "pusher:subscription_error", channel)
	var body struct {
		Type   string `json:"type"`
		Error  string `json:"error"`
		Status int    `json:"status"`
	}
	f.into(t, &body)
	if body.Type != kind || body.Error != message || body.Status != status {
		t.Fatalf("got %s, want %s %d %q", f.raw, kind, status, message)
	}
	c.expectError(t, 0, message)
}

// unauthorized is refused for the rows of §3.2 about signatures.
func (c *client) unauthorized(t testing.TB, channel, message string) {
	t.Helper()
	c.refused(t, channel, "AuthError", 401, message)
}

// presence is the decoded snapshot of a presence subscription.
type presence struct {
	Count int
	IDs   []string
	Hash  map[string]string // raw JSON of user_info
}

func needsAuth(channel string) bool {
	return strings.HasPrefix(channel, "private-") || strings.HasPrefix(channel, "presence-")
}

func succeeded(channel string) string {
	return `{"event":"pusher_internal:subscription_succeeded","channel":"` + channel + `","data":"{}"}`
}
