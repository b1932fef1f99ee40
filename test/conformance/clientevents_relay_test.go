package conformance

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestClientEventRelay(t *testing.T) {
	prove(t, []statement{
		{"P-135 reaches every other subscriber and not the sender", relaysToOthers},
		{"P-136 reaches the sender's other connections", relaysToOtherConnections},
		{"P-137 object data arrives as a JSON string", relaysObjectsAsStrings},
		{"P-138 string data arrives unchanged", relaysStringsUnchanged},
		{"P-139 user_id stands on presence channels only", relaysUserID},
		{"P-140 a forged user_id is replaced or dropped", relaysNoForgedUserID},
		{"P-151 private-encrypted channels relay", relaysOnEncryptedChannels},
	})
}

// subscribed returns n connections to the app on the channel.
func subscribed(t testing.TB, s *server, a app, n int, channel string) []*client {
	t.Helper()
	all := make([]*client, n)
	for i := range all {
		all[i] = connect(t, s, a)
		all[i].subscribe(t, channel)
	}
	return all
}

// expectNoEcho proves that the sender did not get what it sent on the channel
// so far: the next thing there is an event of another connection.
func expectNoEcho(t testing.TB, sender, another *client, channel string) {
	t.Helper()
	another.clientEvent(t, "client-sentinel", channel, "end")
	sender.expect(t, "client-sentinel", channel)
	sender.expectNothing(t)
}

func relaysToOthers(t *testing.T) {
	channel := unique("private-")
	c := subscribed(t, shared(t), talkative, 4, channel)
	c[0].clientEvent(t, "client-typing", channel, "hello")
	for _, receiver := range c[1:] {
		receiver.expectRaw(t, `{"event":"client-typing","channel":"`+channel+`","data":"hello"}`)
	}
	expectNoEcho(t, c[0], c[1], channel)
}

func relaysToOtherConnections(t *testing.T) {
	s := shared(t)
	channel, user := unique("presence-"), unique("u-")
	sender, again := connect(t, s, talkative), connect(t, s, talkative)
	sender.joinAs(t, channel, user)
	again.joinAs(t, channel, user)
	sender.clientEvent(t, "client-typing", channel, "hello")
	again.expectEvent(t, "client-typing", channel, "hello")
	expectNoEcho(t, sender, again, channel)
}

func relaysObjectsAsStrings(t *testing.T) {
	channel := unique("private-")
	c := subscribed(t, shared(t), talkative, 2, channel)
	for _, data := range []string{
		`{"on":true,"n":[1,2.50,null],"t":"<é&\u2028>"}`, `{}`, `[]`, `[1,"2"]`, `true`, `false`, `0`, `9007199254740993`,
	} {
		c[0].send(t, `{"event":"client-typing","channel":"`+channel+`","data":`+data+`}`)
		got := c[1].expect(t, "client-typing", channel).text(t)
		if !sameJSON(t, got, data) {
			t.Errorf("data %s arrived as %s", data, got)
		}
	}
}

// sameJSON compares two JSON texts by content, numbers by their digits.
func sameJSON(t testing.TB, got, want string) bool {
	t.Helper()
	return reflect.DeepEqual(anyJSON(t, got), anyJSON(t, want))
}

func anyJSON(t testing.TB, text string) any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%q is no JSON: %v", text, err)
	}
	return v
}

func relaysStringsUnchanged(t *testing.T) {
	channel := unique("private-")
	c := subscribed(t, shared(t), talkative, 2, channel)
	for _, data := range []string{
		"", "hello", `{"on":true}`, `"quoted"`, "line\nbreak\ttab\\", "żółw € 🐢", "<b>&amp;</b>\u2028\u2029", "null", "\u0001",
	} {
		c[0].clientEvent(t, "client-typing", channel, data)
		c[1].expectEvent(t, "client-typing", channel, data)
	}
}

func relaysUserID(t *testing.T) {
	s := shared(t)
	presence, private := unique("presence-"), unique("private-")
	sender, receiver := connect(t, s, talkative), connect(t, s, talkative)
	receiver.joinAs(t, presence, "1")
	sender.join(t, presence, `{"user_id":42}`)
	receiver.expect(t, "pusher_internal:member_added", presence)
	receiver.subscribe(t, private)
	sender.subscribe(t, private)

	sender.clientEvent(t, "client-hi", presence, object{"t": 1})
	receiver.expectRaw(t, `{"event":"client-hi","channel":"`+presence+`","data":"{\"t\":1}","user_id":"42"}`)
	sender.clientEvent(t, "client-hi", private, object{"t": 1})
	receiver.expectRaw(t, `{"event":"client-hi","channel":"`+private+`","data":"{\"t\":1}"}`)
}

func relaysNoForgedUserID(t *testing.T) {
	s := shared(t)
	presence, private := unique("presence-"), unique("private-")
	sender, receiver := connect(t, s, talkative), connect(t, s, talkative)
	receiver.joinAs(t, presence, "1")
	sender.joinAs(t, presence, "42")
	receiver.expect(t, "pusher_internal:member_added", presence)
	receiver.subscribe(t, private)
	sender.subscribe(t, private)

	forged := `"data":"x","user_id":"1","socket_id":"1.1","extra":{"a":1}}`
	sender.send(t, `{"event":"client-hi","channel":"`+presence+`",`+forged)
	receiver.expectRaw(t, `{"event":"client-hi","channel":"`+presence+`","data":"x","user_id":"42"}`)
	sender.send(t, `{"event":"client-hi","channel":"`+private+`",`+forged)
	receiver.expectRaw(t, `{"event":"client-hi","channel":"`+private+`","data":"x"}`)
}

func relaysOnEncryptedChannels(t *testing.T) {
	for _, prefix := range []string{"private-encrypted-", "private-encrypted-cache-"} {
		channel := unique(prefix)
		c := []*client{connect(t, shared(t), talkative), connect(t, shared(t), talkative)}
		for _, member := range c {
			member.subscribe(t, channel)
			if prefix == "private-encrypted-cache-" {
				member.expect(t, "pusher:cache_miss", channel)
			}
		}
		data := `{"nonce":"bm9uY2U=","ciphertext":"Y2lwaGVy"}`
		c[0].clientEvent(t, "client-secret", channel, data)
		c[1].expectEvent(t, "client-secret", channel, data)
	}
}
