package conformance

import (
	"fmt"
	"strings"
	"testing"
)

// deniedFrame is a frame that is refused, and how.
type deniedFrame struct {
	frame   string
	message string
	code    int // of pusher:error; 0 for null

	// Set if pusher:subscription_error comes first.
	channel string
	kind    string
	status  int
}

func TestRefusalsKeepTheConnection(t *testing.T) {
	prove(t, []statement{
		{"P-251 no refusal of §2 to §5 closes a connection", everyRefusalOnOneConnection},
		{"P-251 the limits do not either", everyLimitOnOneConnection},
	})
}

func everyRefusalOnOneConnection(t *testing.T) {
	s := shared(t)
	for version := 4; version <= 7; version++ {
		c := connectVersion(t, s, small, version)
		room := fullPresence(t, s)
		for _, r := range deniedFrames(t, c, room) {
			c.send(t, r.frame)
			c.expectDenied(t, r)
			c.expectNothing(t)
		}
		c.subscribe(t, unique("private-"))
	}
}

// expectDenied takes the frames of the refusal.
func (c *client) expectDenied(t *testing.T, r deniedFrame) {
	t.Helper()
	t.Logf("%.200s", r.frame)
	if r.kind != "" {
		c.refused(t, r.channel, r.kind, r.status, r.message)
		return
	}
	c.expectError(t, r.code, r.message)
}

// fullPresence returns a presence channel that is at its limit of two members.
func fullPresence(t testing.TB, s *server) string {
	t.Helper()
	room := unique("presence-")
	for _, user := range []string{"1", "2"} {
		connect(t, s, small).joinAs(t, room, user)
	}
	return room
}

// deniedFrames has at least one frame for every row of the tables. The connection
// must be new; the last ones sign it in.
func deniedFrames(t testing.TB, c *client, room string) []deniedFrame {
	t.Helper()
	var all []deniedFrame
	for _, some := range [][]deniedFrame{
		frameRefusals(), subscribeRefusals(t, c), presenceRefusals(t, c, room), clientEventRefusals(t), signinRefusals(t, c),
	} {
		all = append(all, some...)
	}
	return all
}

func frameRefusals() []deniedFrame {
	var all []deniedFrame
	for _, garbage := range []string{
		"", " ", "nonsense", "{", "[]", "5", `"x"`, "null", "true", "{}", `{"event":5}`, `{"event":null}`, `{"data":{}}`,
		`{"event":"pusher:ping"`, `{"event":"pusher:ping"}{}`, `{"event":["pusher:ping"]}`, `{"event":"x"}]`, "\ufeff{}", "{\"event\":\"\n\"}",
		strings.Repeat("[", 20_000), strings.Repeat(`{"event":`, 5_000),
		`{"event":"pusher:subscribe","data":[]}`, `{"event":"pusher:subscribe","data":5}`, `{"event":"pusher:subscribe","data":"nonsense"}`,
		`{"event":"pusher:unsubscribe","data":true}`, `{"event":"pusher:signin","data":"[]"}`,
	} {
		all = append(all, deniedFrame{frame: garbage, message: "Received invalid JSON"})
	}
	for _, event := range []string{
		"foo", "", " ", "pusher", "pusher:", "pusher:nothing", "pusher:error", "pusher:connection_established", "Pusher:ping",
		"pusher:cache_miss", "pusher:signin_success", "pusher:subscription_error", "pusher:subscription_succeeded",
		"pusher_internal:subscription_succeeded", "pusher_internal:member_added", "pusher_internal:watchlist_events", "<&>\u2028",
	} {
		all = append(all, deniedFrame{
			frame: `{"event":` + quote(event) + `,"channel":"x","data":"{}"}`, message: "Unsupported event received on socket: " + event,
		})
	}
	return all
}

func subscribeFrame(t testing.TB, data object) string {
	t.Helper()
	return marshal(t, object{"event": "pusher:subscribe", "data": data})
}

func subscribeRefusals(t testing.TB, c *client) []deniedFrame {
	t.Helper()
	private, encrypted := unique("private-"), unique("private-encrypted-")
	zeros := strings.Repeat("0", 64)
	var all []deniedFrame
	add := func(message, channel, kind string, data object) {
		r := deniedFrame{frame: subscribeFrame(t, data), message: message}
		if kind != "" {
			r.channel, r.kind, r.status = channel, kind, 401
		}
		all = append(all, r)
	}
	for _, data := range []object{{}, {"channel": nil}, {"channel": 5}, {"channel": []string{"x"}}, {"channel": object{}}} {
		add("Missing parameter: data.channel", "", "", data)
	}
	for _, name := range []string{"", "a b", "a:b", "a/b", "#x", "a#b", "żółw", "#server-to-user-", ":user:", strings.Repeat("x", 201)} {
		add("Invalid channel name "+name, "", "", object{"channel": name})
	}
	for _, auth := range []any{nil, ""} {
		add(textNoAuth(private), private, "AuthError", object{"channel": private, "auth": auth})
		add(textNoAuth(encrypted), "", "", object{"channel": encrypted, "auth": auth})
		add(textNoAuth(toUser("1")), "", "", object{"channel": toUser("1"), "auth": auth})
	}
	add(textAuthFormat, private, "AuthError", object{"channel": private, "auth": "nonsense"})
	add(textAuthFormat, "", "", object{"channel": encrypted, "auth": "nonsense"})
	add(textAuthKey(other.key), private, "AuthError", object{"channel": private, "auth": other.auth(c.socketID, private)})
	add(textAuthKey(""), private, "AuthError", object{"channel": private, "auth": ":"})
	add(textSignature(c.socketID+":"+private, zeros), private, "AuthError", object{"channel": private, "auth": small.key + ":" + zeros})
	add(textSignature(c.socketID+":"+encrypted, zeros), "", "", object{"channel": encrypted, "auth": small.key + ":" + zeros})
	add(textSignature(c.socketID+":"+private+":x", zeros), private, "AuthError",
		object{"channel": private, "auth": small.key + ":" + zeros, "channel_data": "x"})
	for _, data := range []object{{}, {"channel": nil}, {"channel": true}} {
		all = append(all, deniedFrame{
			frame: marshal(t, object{"event": "pusher:unsubscribe", "data": data}), message: "Missing parameter: data.channel",
		})
	}
	return append(all, deniedFrame{
		frame:   `{"event":"pusher:unsubscribe","data":{"channel":"` + private + `"}}`,
		message: "No current subscription to channel " + private + ", or subscription in progress",
	})
}

func presenceRefusals(t testing.TB, c *client, room string) []deniedFrame {
	t.Helper()
	channel := unique("presence-")
	zeros := strings.Repeat("0", 64)
	signed := func(channel, data string) object {
		return object{"channel": channel, "auth": small.authData(c.socketID, channel, data), "channel_data": data}
	}
	all := []deniedFrame{
		{
			frame:   subscribeFrame(t, object{"channel": channel, "auth": small.auth(c.socketID, channel)}),
			message: channel + " is a presence channel and subscription must include channel_data",
			channel: channel, kind: "AuthError", status: 401,
		},
		{
			frame: subscribeFrame(t, object{"channel": channel, "auth": small.key + ":" + zeros, "channel_data": `{"user_id":"1"}`}),
			// The data that was signed belongs to the text.
			message: textSignature(c.socketID+":"+channel+`:{"user_id":"1"}`, zeros),
			channel: channel, kind: "AuthError", status: 401,
		},
		{
			frame:   subscribeFrame(t, signed(room, `{"user_id":"3"}`)),
			message: "Presence channel " + room + " is full (2 members)", channel: room, kind: "LimitReached", status: 4100,
		},
		{
			frame:   subscribeFrame(t, signed(channel, `{"user_id":"3","user_info":"`+strings.Repeat("x", 15)+`"}`)),
			message: "user_info exceeds the allowed maximum (16 bytes)", channel: channel, kind: "LimitReached", status: 4301,
		},
		{
			frame:   subscribeFrame(t, signed(channel, `{"user_id":"123456789"}`)),
			message: "user_id exceeds the allowed maximum (8 characters)", channel: channel, kind: "LimitReached", status: 4301,
		},
		{
			frame:   subscribeFrame(t, object{"channel": channel, "auth": small.key + ":" + zeros, "channel_data": object{"user_id": "1"}}),
			message: "Invalid channel_data for " + channel,
		},
	}
	for _, data := range []string{
		"", "nonsense", "[]", `"x"`, "5", "null", "{", "{}", `{"user_info":{}}`, `{"user_id":null}`, `{"user_id":""}`, `{"user_id":true}`,
		`{"user_id":{}}`, `{"user_id":["1"]}`,
	} {
		all = append(all, deniedFrame{frame: subscribeFrame(t, signed(channel, data)), message: "Invalid channel_data for " + channel})
	}
	return all
}

func clientEventRefusals(t testing.TB) []deniedFrame {
	t.Helper()
	frame := func(event, channel string, data any) string {
		return marshal(t, object{"event": event, "channel": channel, "data": data})
	}
	return []deniedFrame{
		{frame: `{"event":"client-x"}`, message: textClientEventShape},
		{frame: `{"event":"client-x","channel":5,"data":"x"}`, message: textClientEventShape},
		{frame: frame("client-x", "private-x", nil), message: textClientEventShape},
		{frame: frame("client-x", "public", "x"), message: textClientEventPublic},
		{frame: frame("client-x", "cache-x", "x"), message: textClientEventPublic},
		{frame: frame("client-x", toUser("1"), "x"), message: textClientEventPublic},
		{frame: frame("client-x", "private-nobody", "x"), message: textNotSubscribed("private-nobody")},
		{frame: frame("client-", "presence-nobody", "x"), message: textNotSubscribed("presence-nobody")},
	}
}

func signinRefusals(t testing.TB, c *client) []deniedFrame {
	t.Helper()
	frame := func(data object) string { return marshal(t, object{"event": "pusher:signin", "data": data}) }
	userData := `{"id":"1"}`
	zeros := strings.Repeat("0", 64)
	all := []deniedFrame{
		{frame: `{"event":"pusher:signin"}`, message: "Missing parameter: data.auth"},
		{frame: frame(object{"user_data": userData}), message: "Missing parameter: data.auth"},
		{frame: frame(object{"auth": "a:b"}), message: "Missing parameter: data.user_data"},
		{frame: frame(object{"auth": "nonsense", "user_data": userData}), message: textAuthFormat},
		{frame: frame(object{"auth": "nobody:x", "user_data": userData}), message: textAuthKey("nobody")},
		{
			frame:   frame(object{"auth": small.key + ":" + zeros, "user_data": userData}),
			message: textSignature(c.socketID+"::user::"+userData, zeros),
		},
	}
	for _, data := range []string{"nonsense", "{}", "[]", `{"id":""}`, `{"id":true}`, ""} {
		all = append(all, deniedFrame{
			frame: frame(object{"auth": small.authUser(c.socketID, data), "user_data": data}), message: textUserData,
		})
	}
	return all
}

// everyLimitOnOneConnection has the refusals that need something done before.
func everyLimitOnOneConnection(t *testing.T) {
	c := connect(t, shared(t), small)
	private, public := unique("private-"), unique("x-")
	c.subscribe(t, private)
	c.subscribe(t, public)
	for _, channel := range []string{private, public} {
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel})
		c.expectError(t, 0, "Existing subscription to channel "+channel)
	}
	c.clientEvent(t, strings.Repeat("client-", 29), private, "x") // 203 characters
	c.expectError(t, 0, textClientEventName)
	c.clientEvent(t, "client-x", private, strings.Repeat("x", 65))
	c.expectError(t, 0, "The data content of this event exceeds the allowed maximum (64 bytes).")
	for range 5 * 2 { // nobody else is there: what comes back is refusals
		c.clientEvent(t, "client-x", private, "x")
	}
	c.expectError(t, 4301, textClientEventRate)

	// The other refusals for the rate are counted by none: read up to a mark.
	c.sendEvent(t, "pusher:unsubscribe", object{"channel": "mark"})
	for f := c.recv(t); ; f = c.recv(t) {
		got := f.errorBody(t)
		if got.Code == 0 {
			break
		}
		if got != (errorBody{4301, textClientEventRate}) {
			t.Fatalf("got %s, want error 4301", f.raw)
		}
	}
	c.signin(t, `{"id":"1","watchlist":["1","2","3"]}`)
	c.expectError(t, 4302, fmt.Sprintf("Watchlist limit exceeded. Only the first %d user IDs are accepted.", 2))
	c.watched(t)
	c.askSignin(t, `{"id":"2"}`)
	c.expectError(t, 0, textOtherUser)
	c.sendEvent(t, "pusher:subscribe", object{"channel": toUser("2")})
	c.expectError(t, 0, textNoAuth(toUser("2")))
	c.expectNothing(t)
}
