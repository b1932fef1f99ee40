package conformance

import (
	"net/url"
	"strings"
	"testing"
)

func TestServerToUser(t *testing.T) {
	prove(t, []statement{
		{"P-158 the own channel needs no auth", ownUserChannel},
		{"P-159 any other user's channel is refused", foreignUserChannel},
		{"P-160 a trigger reaches the user's subscribed connections only", userTrigger},
		{"P-161 GET channels does not list it", userChannelUnlisted},
	})
}

func ownUserChannel(t *testing.T) {
	s := shared(t)
	user := unique("u-")
	for _, extra := range []object{{}, {"auth": ""}, {"auth": nil}, {"auth": "nonsense"}} {
		c := connect(t, s, plain)
		c.signin(t, `{"id":"`+user+`"}`)
		extra["channel"] = toUser(user)
		c.sendEvent(t, "pusher:subscribe", extra)
		c.expectRaw(t, succeeded(toUser(user)))
	}
}

func foreignUserChannel(t *testing.T) {
	s := shared(t)
	user := unique("u-")
	anonymous, stranger, owner := connect(t, s, plain), connect(t, s, plain), connect(t, s, plain)
	stranger.signin(t, `{"id":"`+unique("u-")+`"}`)
	owner.signin(t, `{"id":"`+user+`"}`)
	owner.subscribe(t, toUser(user))
	for _, c := range []*client{anonymous, stranger} {
		// Even a signature does not open it: only the sign-in does.
		for _, auth := range []string{"", plain.auth(c.socketID, toUser(user))} {
			c.sendEvent(t, "pusher:subscribe", object{"channel": toUser(user), "auth": auth})
			c.expectError(t, 0, textNoAuth(toUser(user)))
		}
	}
	s.api(plain).trigger(t, toUser(user), "secret", "x")
	owner.expectEvent(t, "secret", toUser(user), "x")
	anonymous.expectNothing(t)
	stranger.expectNothing(t)
}

func userTrigger(t *testing.T) {
	s := shared(t)
	ann, bo := unique("u-"), unique("u-")
	signedIn := func(user string) *client {
		c := connect(t, s, plain)
		c.signin(t, `{"id":"`+user+`"}`)
		return c
	}
	first, second, silent, stranger := signedIn(ann), signedIn(ann), signedIn(ann), signedIn(bo)
	first.subscribe(t, toUser(ann))
	second.subscribe(t, toUser(ann))
	stranger.subscribe(t, toUser(bo))

	backend := s.api(plain)
	backend.trigger(t, toUser(ann), "news", `{"n":1}`)
	backend.post(t, "/batch_events", object{"batch": []object{
		{"channel": toUser(ann), "name": "more", "data": "2"}, {"channel": toUser(bo), "name": "yours", "data": "3"},
	}}).ok(t, "{}")
	for _, c := range []*client{first, second} {
		c.expectEvent(t, "news", toUser(ann), `{"n":1}`)
		c.expectEvent(t, "more", toUser(ann), "2")
		c.expectNothing(t)
	}
	stranger.expectEvent(t, "yours", toUser(bo), "3")
	stranger.expectNothing(t)
	silent.expectNothing(t)
}

func userChannelUnlisted(t *testing.T) {
	s := shared(t)
	user := unique("u-")
	c := connect(t, s, full)
	c.signin(t, `{"id":"`+user+`"}`)
	c.subscribe(t, toUser(user))
	backend := s.api(full)
	backend.get(t, "/channels", "filter_by_prefix="+url.QueryEscape("#server-to-user-")).ok(t, `{"channels":{}}`)
	got := backend.get(t, "/channels", "")
	if got.status != 200 || strings.Contains(got.body, "#server-to-user-") {
		t.Errorf("got %d %q, want no #server-to-user- channel", got.status, got.body)
	}
}
