package conformance

import (
	"fmt"
	"strings"
	"testing"
)

func TestSubscribe(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-071 a public subscription succeeds with data {}", publicSubscription},
		{"P-072 a public subscription ignores auth", publicIgnoresAuth},
		{"P-073 a signed private subscription succeeds with data {}", privateSubscription},
		{"P-074 an encrypted subscription succeeds with data {}", encryptedSubscription},
		{"P-075 missing and empty auth are refused", missingAuth},
		{"P-076 a wrong signature is refused with the text to sign", wrongSignature},
		{"P-077 for presence that text ends with the channel data", wrongPresenceSignature},
		{"P-078 a foreign key is refused", foreignKey},
		{"P-079 an auth without colon is refused", authWithoutColon},
		{"P-080 a signature for another socket is refused", otherSocket},
		{"P-081 a signature for another channel is refused", otherChannel},
		{"P-082 a signature of another active key pair is accepted", otherPair},
		{"P-083 a signature of a revoked key is refused", revokedKey},
		{"P-084 private channel data that is signed is accepted", privateChannelData},
		{"P-085 private empty-string channel data that is signed is accepted", privateEmptyChannelData},
		{"P-086 private channel data that is not signed is accepted", privateUnsignedChannelData},
		{"P-087 presence channel data must be signed", presenceChannelDataMustBeSigned},
		{"P-088 a refused private subscription sends both frames", refusedPrivate},
		{"P-089 a refused encrypted subscription sends only pusher:error", refusedEncrypted},
		{"P-090 no refused subscription closes the connection", refusedStaysOpen},
		{"P-091 a refused server-to-user subscription sends only pusher:error", refusedServerToUser},
		{"P-092 a missing channel is refused", missingChannel},
		{"upper-case hex is accepted", upperCaseHex},
	})
}

func publicSubscription(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("public-")
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel})
	c.expectRaw(t, `{"event":"pusher_internal:subscription_succeeded","channel":"`+channel+`","data":"{}"}`)
	c.expectNothing(t)
}

func publicIgnoresAuth(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, more := range []object{
		{"auth": ""},
		{"auth": "nonsense"},
		{"auth": "x:y"},
		{"auth": 7},
		{"auth": plain.key + ":" + strings.Repeat("0", 64)},
		{"channel_data": "nonsense"},
		{"channel_data": object{"a": 1}},
		{"auth": "", "channel_data": `{"user_id":true}`},
	} {
		channel := unique("public-")
		more["channel"] = channel
		c.sendEvent(t, "pusher:subscribe", more)
		c.expectRaw(t, succeeded(channel))
	}
}

func privateSubscription(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-")
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": plain.auth(c.socketID, channel)})
	c.expectRaw(t, `{"event":"pusher_internal:subscription_succeeded","channel":"`+channel+`","data":"{}"}`)
	c.expectNothing(t)
}

func encryptedSubscription(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-encrypted-")
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": plain.auth(c.socketID, channel)})
	c.expectRaw(t, `{"event":"pusher_internal:subscription_succeeded","channel":"`+channel+`","data":"{}"}`)
	c.expectNothing(t)
}

func missingAuth(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, prefix := range []string{"private-", "presence-", "private-cache-", "presence-cache-"} {
		channel := unique(prefix)
		for _, data := range []object{{}, {"auth": ""}, {"auth": nil}} {
			data["channel"] = channel
			data["channel_data"] = `{"user_id":"1"}`
			c.sendEvent(t, "pusher:subscribe", data)
			c.unauthorized(t, channel, "Auth info required to subscribe to "+channel)
		}
	}
}

func wrongSignature(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-")
	for _, signature := range []string{strings.Repeat("0", 64), "x", "", sign("wrong-secret", c.socketID+":"+channel), "a:b"} {
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": plain.key + ":" + signature})
		c.unauthorized(t, channel,
			"Invalid signature: Expected HMAC SHA256 hex digest of "+c.socketID+":"+channel+", but got "+signature)
	}
}

func wrongPresenceSignature(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("presence-")
	const channelData = `{ "user_id":"1", "user_info":{"<b>":"é\/"} }`
	signature := sign("wrong-secret", "x")
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": plain.key + ":" + signature, "channel_data": channelData})
	c.unauthorized(t, channel, "Invalid signature: Expected HMAC SHA256 hex digest of "+
		c.socketID+":"+channel+":"+channelData+", but got "+signature)
}

func foreignKey(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, a := range []app{other, unknown, {key: "", secret: plain.secret}} {
		channel := unique("private-")
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": a.auth(c.socketID, channel)})
		c.unauthorized(t, channel, "Invalid key in subscription auth data: '"+a.key+"'")
	}
}

func authWithoutColon(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-")
	for _, auth := range []string{"x", plain.key, sign(plain.secret, c.socketID+":"+channel)} {
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": auth})
		c.unauthorized(t, channel, "Invalid format: auth must have the format key:signature")
	}
}

// expectBadSignature subscribes with a signature that must not do.
func (c *client) expectBadSignature(t testing.TB, channel, auth string) {
	t.Helper()
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": auth})
	_, signature, _ := strings.Cut(auth, ":")
	c.unauthorized(t, channel,
		"Invalid signature: Expected HMAC SHA256 hex digest of "+c.socketID+":"+channel+", but got "+signature)
}

func otherSocket(t *testing.T) {
	c, thief := connect(t, shared(t), plain), connect(t, shared(t), plain)
	channel := unique("private-")
	auth := plain.auth(c.socketID, channel)
	thief.expectBadSignature(t, channel, auth)
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": auth})
	c.expectRaw(t, succeeded(channel))
}

func otherChannel(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-")
	c.expectBadSignature(t, channel, plain.auth(c.socketID, channel+"x"))
	c.expectBadSignature(t, channel, plain.auth(c.socketID, strings.TrimPrefix(channel, "private-")))
	// A sign-in's signature is none for a channel.
	c.expectBadSignature(t, channel, plain.authUser(c.socketID, `{"id":"1"}`))
}

func otherPair(t *testing.T) {
	s := shared(t)
	for _, url := range []app{twoKeys, newKey} {
		c := connect(t, s, url)
		for _, pair := range []app{twoKeys, newKey} {
			channel := unique("private-")
			c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": pair.auth(c.socketID, channel)})
			c.expectRaw(t, succeeded(channel))
		}
	}
	// Each key goes with its own secret only.
	c := connect(t, s, twoKeys)
	channel := unique("private-")
	c.expectBadSignature(t, channel, app{key: newKey.key, secret: twoKeys.secret}.auth(c.socketID, channel))
}

func revokedKey(t *testing.T) {
	before := startServer(t, "apps:\n"+appWithKeys(twoKeys.id, []app{twoKeys, newKey}))
	c := connect(t, before, newKey)
	channel := unique("private-")
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": twoKeys.auth(c.socketID, channel)})
	c.expectRaw(t, succeeded(channel))

	after := startServer(t, "apps:\n"+appWithKeys(twoKeys.id, []app{newKey}))
	c = connect(t, after, newKey)
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": twoKeys.auth(c.socketID, channel)})
	c.unauthorized(t, channel, "Invalid key in subscription auth data: '"+twoKeys.key+"'")
}

func privateChannelData(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, channelData := range []string{`{"role":"x"}`, "not JSON", `{"n":"żółw"}`} {
		channel := unique("private-")
		c.askJoin(t, channel, channelData)
		c.expectRaw(t, succeeded(channel))
	}
}

func privateEmptyChannelData(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-")
	c.askJoin(t, channel, "")
	c.expectRaw(t, succeeded(channel))
}

func privateUnsignedChannelData(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, channelData := range []string{`{"role":"x"}`, ""} {
		channel := unique("private-")
		c.sendEvent(t, "pusher:subscribe", object{
			"channel": channel, "auth": plain.auth(c.socketID, channel), "channel_data": channelData,
		})
		c.expectRaw(t, succeeded(channel))
	}
}

func presenceChannelDataMustBeSigned(t *testing.T) {
	s := shared(t)
	c := connect(t, s, plain)
	channel := unique("presence-")
	const channelData = `{"user_id":"1"}`
	unsigned := object{"channel": channel, "auth": plain.auth(c.socketID, channel), "channel_data": channelData}
	refusedAs := func() string {
		return "Invalid signature: Expected HMAC SHA256 hex digest of " + c.socketID + ":" + channel + ":" + channelData +
			", but got " + sign(plain.secret, c.socketID+":"+channel)
	}
	c.sendEvent(t, "pusher:subscribe", unsigned)
	c.unauthorized(t, channel, refusedAs())
	// Not even once signed in: that allows to send none, not to invent one.
	c.signin(t, `{"id":"me"}`)
	c.sendEvent(t, "pusher:subscribe", unsigned)
	c.unauthorized(t, channel, refusedAs())
	c.subscribe(t, channel)
	s.api(plain).get(t, "/channels/"+channel+"/users", "").ok(t, `{"users":[{"id":"me"}]}`)
}

func refusedPrivate(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-")
	message := "Auth info required to subscribe to " + channel
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": ""})
	c.expectRaw(t, `{"event":"pusher:subscription_error","channel":"`+channel+
		`","data":"{\"type\":\"AuthError\",\"error\":\"`+message+`\",\"status\":401}"}`)
	c.expectRaw(t, `{"event":"pusher:error","data":{"code":null,"message":"`+message+`"}}`)
	for _, auth := range []string{"no colon", "foreign:key", plain.key + ":wrong"} {
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": auth})
		c.expect(t, "pusher:subscription_error", channel)
		c.expect(t, "pusher:error", "")
	}
	c.expectNothing(t)
}

func refusedEncrypted(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, prefix := range []string{"private-encrypted-", "private-encrypted-cache-"} {
		channel := unique(prefix)
		for _, auth := range []string{"", "no colon", "foreign:key", plain.key + ":wrong"} {
			c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": auth})
			c.expect(t, "pusher:error", "")
		}
	}
	c.expectNothing(t)
}

func refusedStaysOpen(t *testing.T) {
	c := connect(t, shared(t), plain)
	room := unique("presence-")
	attempts := []object{
		{},
		{"channel": 7},
		{"channel": "a b"},
		{"channel": "#x"},
		{"channel": "#server-to-user-1"},
		{"channel": room},
		{"channel": room, "auth": "x"},
		{"channel": room, "auth": "x:y"},
		{"channel": room, "auth": plain.auth(c.socketID, room)},
		{"channel": room, "auth": plain.authData(c.socketID, room, "{}"), "channel_data": "{}"},
		{"channel": room, "auth": plain.auth(c.socketID, room), "channel_data": object{"user_id": "1"}},
		{"channel": "private-x", "auth": "x:y"},
		{"channel": "private-encrypted-x", "auth": "x:y"},
	}
	for _, data := range attempts {
		c.sendEvent(t, "pusher:subscribe", data)
	}
	errors := 0
	for errors < len(attempts) {
		if f := c.recv(t); f.Event == "pusher:error" {
			errors++
			if body := f.errorBody(t); body.Code != 0 {
				t.Errorf("a refused subscription has code %d", body.Code)
			}
		}
	}
	c.expectNothing(t)
	c.subscribe(t, unique("still-"))
}

func refusedServerToUser(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := "#server-to-user-" + unique("u")
	for _, auth := range []string{"", plain.auth(c.socketID, channel), "x"} {
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": auth})
		c.expectError(t, 0, "Auth info required to subscribe to "+channel)
	}
	c.signin(t, `{"id":"`+unique("v")+`"}`)
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel})
	c.expectError(t, 0, "Auth info required to subscribe to "+channel)
	c.expectNothing(t)
}

func missingChannel(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, event := range []string{"pusher:subscribe", "pusher:unsubscribe"} {
		for _, data := range []string{`{}`, `{"channel":null}`, `{"channel":7}`, `{"channel":["a"]}`, `{"channel":{}}`, `"{}"`, `null`} {
			c.send(t, fmt.Sprintf(`{"event":%q,"data":%s}`, event, data))
			c.expectError(t, 0, "Missing parameter: data.channel")
		}
		c.send(t, fmt.Sprintf(`{"event":%q,"channel":"outside"}`, event))
		c.expectError(t, 0, "Missing parameter: data.channel")
	}
}

func upperCaseHex(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("private-")
	auth := plain.key + ":" + strings.ToUpper(sign(plain.secret, c.socketID+":"+channel))
	c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": auth})
	c.expectRaw(t, succeeded(channel))
}
