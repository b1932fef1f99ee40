package conformance

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-033 the handshake data is a string with socket_id and activity_timeout", handshakeData},
		{"P-034 socket ids are two decimal numbers and never repeat", socketIDs},
		{"P-035 activity_timeout is a positive number that follows the app", activityTimeout},
		{"P-036 every frame but pusher:error has string data", everyFrameHasStringData},
		{"P-037 pusher:error has an object with code and message and no channel", errorFrames},
		{"P-038 pusher:ping is answered by pusher:pong", pingWithData},
		{"P-039 pusher:ping without data is answered alike", pingWithoutData},
		{"P-041 pusher:pong is accepted without reply", pongWithoutReply},
		{"P-048 invalid JSON is answered and the connection stays usable", invalidJSON},
		{"P-049 an array, number or string is invalid", notAnObject},
		{"P-050 an unknown event is answered", unknownEvent},
		{"P-051 a forged member_added is refused and relayed to nobody", forgedInternalEvent},
		{"P-052 data of subscribe may be a JSON string", dataAsString},
		{"P-053 unknown keys are ignored and nulls are absent values", unknownKeysAndNulls},
		{"P-054 a binary frame closes with 1003", binaryFrame},
		{"P-055 text that is not UTF-8 closes with 1007", notUTF8},
		{"P-056 a message over the limit closes with 1009", tooLong},
		{"P-057 a fragmented message is one frame", fragmented},
		{"P-058 markup and line separators arrive unchanged", markupUnchanged},
	})
}

type handshake struct {
	SocketID        string          `json:"socket_id"`
	ActivityTimeout json.RawMessage `json:"activity_timeout"`
}

func shake(t *testing.T, s *server, a app) handshake {
	t.Helper()
	var h handshake
	dial(t, s, target{app: a}).expect(t, "pusher:connection_established", "").into(t, &h)
	return h
}

func handshakeData(t *testing.T) {
	c := dial(t, shared(t), target{app: plain}).established(t)
	want := `{"event":"pusher:connection_established","data":"{\"socket_id\":\"` + c.socketID + `\",\"activity_timeout\":120}"}`
	if c.log[0] != want {
		t.Fatalf("got %s, want %s", c.log[0], want)
	}
}

var socketIDForm = regexp.MustCompile(`\A[1-9][0-9]{0,9}\.[1-9][0-9]{0,9}\z`)

// socketIDs makes all 100 000 connections of the statement only in a long run
// (PIPESOCKETD_CONFORMANCE_LONG); they take two minutes under the race
// detector.
func socketIDs(t *testing.T) {
	s := shared(t)
	count := 1_000
	if os.Getenv("PIPESOCKETD_CONFORMANCE_LONG") != "" {
		count = 100_000
	}
	seen := make(map[string]bool, count)
	for range count {
		w, id := wireTo(t, s, plain)
		_ = w.Close()
		if !socketIDForm.MatchString(id) || seen[id] {
			t.Fatalf("socket id %q is malformed or came before", id)
		}
		seen[id] = true
	}
}

func activityTimeout(t *testing.T) {
	for a, want := range map[app]string{plain: "120", calm: "45", quick: "1"} {
		if got := string(shake(t, shared(t), a).ActivityTimeout); got != want {
			t.Errorf("app %s: activity_timeout is %s, want %s", a.key, got, want)
		}
	}
}

// everyFrameHasStringData brings about every frame of §2.6; decode, through
// which each of them goes, checks its form.
func everyFrameHasStringData(t *testing.T) {
	s := shared(t)
	room, cache := unique("presence-"), unique("cache-")
	c, mate := connect(t, s, full), connect(t, s, full)
	c.joinAs(t, room, "1")
	mate.joinAs(t, room, "2")
	c.expect(t, "pusher_internal:member_added", room)
	mate.clientEvent(t, "client-x", room, 7)
	c.expect(t, "client-x", room)
	mate.drop()
	c.expect(t, "pusher_internal:member_removed", room)
	c.subscribe(t, cache)
	c.expectRaw(t, `{"event":"pusher:cache_miss","channel":"`+cache+`","data":"{}"}`)
	c.expect(t, "pusher_internal:subscription_count", cache)
	s.api(full).do(t, call{path: "/events", body: `{"name":"o","channel":"` + cache + `","data":{"a":1}}`}).ok(t, "{}")
	c.expectEvent(t, "o", cache, `{"a":1}`)
	user := unique("u")
	c.signin(t, `{"id":"`+user+`","watchlist":["nobody"]}`)
	c.expect(t, "pusher_internal:watchlist_events", "")
	c.subscribe(t, "#server-to-user-"+user)
	c.sendEvent(t, "pusher:subscribe", object{"channel": "private-x"})
	c.expect(t, "pusher:subscription_error", "private-x")
	c.expect(t, "pusher:error", "")
	c.expectNothing(t)
}

func errorFrames(t *testing.T) {
	c := connect(t, shared(t), small)
	c.send(t, "?")
	c.expectRaw(t, `{"event":"pusher:error","data":{"code":null,"message":"Received invalid JSON"}}`)
	room := unique("private-")
	c.subscribe(t, room)
	for range 2 {
		c.clientEvent(t, "client-a", room, "1")
	}
	// The third event within a second is one too many for this app. Should the
	// machine be so slow that the bucket refills, further ones follow.
	eventually(t, "a client event over the rate", func() bool {
		c.clientEvent(t, "client-a", room, "1")
		c.send(t, `{"event":"pusher:ping"}`)
		f := c.recv(t)
		if f.raw == pongFrame {
			return false
		}
		c.expectRaw(t, pongFrame)
		return f.raw == `{"event":"pusher:error","data":{"code":4301,"message":"Client event rejected due to rate limit"}}`
	})
}

func pingWithData(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, data := range []string{`{}`, `{"a":1}`, `"{}"`, `null`} {
		c.send(t, `{"event":"pusher:ping","data":`+data+`}`)
		c.expectRaw(t, `{"event":"pusher:pong","data":"{}"}`)
	}
}

func pingWithoutData(t *testing.T) {
	c := connect(t, shared(t), plain)
	c.send(t, `{"event": "pusher:ping"}`)
	c.expectRaw(t, `{"event":"pusher:pong","data":"{}"}`)
}

func pongWithoutReply(t *testing.T) {
	c := connect(t, shared(t), plain)
	c.send(t, `{"event":"pusher:pong","data":{}}`)
	c.send(t, `{"event":"pusher:pong"}`)
	c.expectNothing(t)
}

const invalidJSONText = "Received invalid JSON"

func invalidJSON(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, text := range []string{
		"", " ", "?", "{", "}", `{"event":"pusher:ping"`, `{"event":"pusher:ping"}}`, `{"event":"pusher:ping"} x`,
		`{"event":}`, `{event:"pusher:ping"}`, `{'event':'pusher:ping'}`, `{"event":"pusher:ping",}`,
		"{\"event\":\"pusher:ping\",\"data\":\"\n\"}", `{"event":"pusher:ping","data":01}`, `{"event":"\x"}`,
		`{"event":"pusher:subscribe","data":"{"}`, "\xef\xbb\xbf" + `{"event":"pusher:ping"}`,
	} {
		c.send(t, text)
		c.expectError(t, 0, invalidJSONText)
	}
	c.subscribe(t, unique("usable-"))
	c.expectNothing(t)
}

func notAnObject(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, text := range []string{
		`[]`, `["pusher:ping"]`, `[{"event":"pusher:ping"}]`, `1`, `"pusher:ping"`, `"{\"event\":\"pusher:ping\"}"`, `true`, `null`,
		`{}`, `{"data":{}}`, `{"event":null}`, `{"event":1}`, `{"event":{}}`, `{"event":["pusher:ping"]}`,
		`{"event":"pusher:subscribe","data":"[]"}`, `{"event":"pusher:subscribe","data":[]}`, `{"event":"pusher:subscribe","data":"7"}`,
	} {
		c.send(t, text)
		c.expectError(t, 0, invalidJSONText)
	}
	c.expectNothing(t)
}

func unknownEvent(t *testing.T) {
	c := connect(t, shared(t), plain)
	c.send(t, `{"event":"foo","data":{}}`)
	c.expectRaw(t, `{"event":"pusher:error","data":{"code":null,"message":"Unsupported event received on socket: foo"}}`)
	for _, event := range []string{
		"pusher:subscription_succeeded", "pusher:error", "pusher:", "pusher", "Pusher:ping", "pusher:Ping",
		"Client-x", "client", "<b>&\u2028", "żółw", "",
	} {
		c.sendEvent(t, event, object{})
		c.expectError(t, 0, "Unsupported event received on socket: "+event)
	}
	c.expectNothing(t)
}

func forgedInternalEvent(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	victim, forger := connect(t, s, full), connect(t, s, full)
	victim.joinAs(t, room, "1")
	forger.joinAs(t, room, "2")
	victim.expect(t, "pusher_internal:member_added", room)
	for _, event := range []string{"pusher_internal:member_added", "pusher_internal:subscription_succeeded", "pusher:cache_miss"} {
		forger.clientEvent(t, event, room, object{"user_id": "666"})
		forger.expectError(t, 0, "Unsupported event received on socket: "+event)
	}
	s.api(full).trigger(t, room, "sentinel", "")
	victim.expect(t, "sentinel", room)
}

func dataAsString(t *testing.T) {
	s := shared(t)
	c := connect(t, s, plain)
	room := unique("presence-")
	channelData := `{"user_id":"1"}`
	c.sendEvent(t, "pusher:subscribe", marshal(t, object{
		"channel": room, "channel_data": channelData, "auth": plain.authData(c.socketID, room, channelData),
	}))
	c.expect(t, "pusher_internal:subscription_succeeded", room)
	c.sendEvent(t, "pusher:unsubscribe", `{"channel":"`+room+`"}`)
	c.sendEvent(t, "pusher:ping", "{}")
	c.expectRaw(t, pongFrame)
	userData := `{"id":"1"}`
	c.sendEvent(t, "pusher:signin", marshal(t, object{"auth": plain.authUser(c.socketID, userData), "user_data": userData}))
	c.expect(t, "pusher:signin_success", "")
}

func unknownKeysAndNulls(t *testing.T) {
	c := connect(t, shared(t), plain)
	c.send(t, `{"id":7,"event":"pusher:ping","channel":null,"data":null,"user_id":{"a":[]},"x":null}`)
	c.expectRaw(t, pongFrame)
	public, secret := unique("p-"), unique("private-")
	c.send(t, `{"event":"pusher:subscribe","more":1,"data":{"channel":"`+public+`","auth":null,"channel_data":null,"x":{"y":[]}}}`)
	c.expectRaw(t, succeeded(public))
	c.sendEvent(t, "pusher:subscribe", object{"channel": secret, "auth": nil})
	c.unauthorized(t, secret, "Auth info required to subscribe to "+secret)
	c.sendEvent(t, "pusher:subscribe", object{"channel": secret, "auth": plain.auth(c.socketID, secret), "channel_data": nil})
	c.expectRaw(t, succeeded(secret))
	c.send(t, `{"event":"pusher:subscribe","data":null}`)
	c.expectError(t, 0, "Missing parameter: data.channel")
}

func binaryFrame(t *testing.T) {
	for _, payload := range []string{`{"event":"pusher:ping"}`, "", "\x00\xff"} {
		c := connect(t, shared(t), plain)
		c.write(t, websocket.MessageBinary, []byte(payload))
		c.expectClose(t, 1003, "Binary frames are not supported")
	}
}

func notUTF8(t *testing.T) {
	c := connect(t, shared(t), plain)
	c.send(t, "{\"event\":\"\xff\"}")
	if code, _ := c.closed(t); code != 1007 {
		t.Fatalf("closed with %d, want 1007", code)
	}
}

// messageLimit is the default of limits.message_bytes.
const messageLimit = 65_536

func tooLong(t *testing.T) {
	c := connect(t, shared(t), plain)
	c.send(t, pingOfSize(messageLimit))
	c.expectRaw(t, pongFrame)
	c.send(t, pingOfSize(messageLimit+1))
	if code, _ := c.closed(t); code != 1009 {
		t.Fatalf("closed with %d, want 1009", code)
	}
}

// pingOfSize returns a pusher:ping of exactly so many bytes.
func pingOfSize(size int) string {
	const frame = `{"event":"pusher:ping","data":"%s"}`
	return fmt.Sprintf(frame, strings.Repeat("x", size-len(frame)+2))
}

func fragmented(t *testing.T) {
	w, _ := wireTo(t, shared(t), plain)
	channel := unique("fragmented-")
	w.put(t, masked(opText, []byte(`{"event":"pusher:subscribe","da`)))
	w.put(t, masked(0x80|opPing, []byte("between")))
	w.put(t, masked(opContinuation, nil))
	w.put(t, masked(opContinuation, []byte(`ta":{"channel":"`+channel)))
	w.put(t, masked(0x80|opContinuation, []byte(`"}}`)))
	if op, payload := w.frame(t, patience); op != opPong || string(payload) != "between" {
		t.Fatalf("got frame %#x %q, want the pong", op, payload)
	}
	w.expectText(t, succeeded(channel))
}

func markupUnchanged(t *testing.T) {
	s := shared(t)
	const text = "<script>&amp;</script> \u2028\u2029 \"quoted\\\" \x7f é😀 \t\n"
	room := unique("private-")
	c, mate := connect(t, s, talkative), connect(t, s, talkative)
	c.subscribe(t, room)
	mate.subscribe(t, room)
	s.api(talkative).trigger(t, room, "<&>\u2028", text)
	c.expectEvent(t, "<&>\u2028", room, text)
	mate.expectEvent(t, "<&>\u2028", room, text)
	mate.clientEvent(t, "client-<&>\u2028", room, text)
	c.expectEvent(t, "client-<&>\u2028", room, text)
	mate.clientEvent(t, "client-o", room, object{"<&>\u2028": text})
	var got map[string]string
	c.expect(t, "client-o", room).into(t, &got)
	if len(got) != 1 || got["<&>\u2028"] != text {
		t.Fatalf("got %q", got)
	}
}
