package conformance

import (
	"strings"
	"testing"
)

// Texts of §4.
const (
	textClientEventShape  = "Invalid client event (must contain channel and data)"
	textClientEventsOff   = "To send client events, you must enable this feature in the Settings page of your dashboard."
	textClientEventPublic = "Client event rejected - only supported on private and presence channels"
	textClientEventName   = "Client event name exceeds the allowed maximum (200 characters)"
	textClientEventRate   = "Client event rejected due to rate limit"
	textEventSize         = "The data content of this event exceeds the allowed maximum (10240 bytes)."
)

func textNotSubscribed(channel string) string {
	return "Cannot broadcast client event (connection not subscribed to channel " + channel + ")"
}

func TestClientEventRefused(t *testing.T) {
	prove(t, []statement{
		{"P-141 with the feature off", refusesWithFeatureOff},
		{"P-142 on a public channel", refusesOnPublicChannel},
		{"P-143 on cache and server-to-user channels", refusesOnCacheAndUserChannels},
		{"P-144 from a connection that is not subscribed", refusesUnsubscribed},
		{"P-145 without channel or data", refusesShapes},
		{"P-146 data over 10240 bytes", refusesLargeData},
		{"P-147 a name over 200 characters", refusesLongNames},
		{"P-152 Client- is no client event", refusesOtherCase},
	})
}

// reachesNobody proves that the witness on the channel got nothing so far.
func reachesNobody(t testing.TB, witness *client, s *server, channel string) {
	t.Helper()
	s.api(witness.app).trigger(t, channel, "sentinel", "end")
	witness.expectEvent(t, "sentinel", channel, "end")
}

func refusesWithFeatureOff(t *testing.T) {
	s := shared(t)
	for _, channel := range []string{unique("private-"), unique("presence-"), unique("private-encrypted-")} {
		sender, witness := connect(t, s, plain), connect(t, s, plain)
		if strings.HasPrefix(channel, "presence-") {
			sender.joinAs(t, channel, "1")
			witness.joinAs(t, channel, "1")
		} else {
			sender.subscribe(t, channel)
			witness.subscribe(t, channel)
		}
		sender.clientEvent(t, "client-x", channel, "hello")
		sender.expectError(t, 0, textClientEventsOff)
		reachesNobody(t, witness, s, channel)
	}
}

func refusesOnPublicChannel(t *testing.T) {
	s := shared(t)
	for _, channel := range []string{unique("public-"), unique("my-private-"), unique("Private-"), unique("presence")} {
		c := subscribed(t, s, talkative, 2, channel)
		c[0].clientEvent(t, "client-x", channel, "hello")
		c[0].expectError(t, 0, textClientEventPublic)
		reachesNobody(t, c[1], s, channel)
	}
}

func refusesOnCacheAndUserChannels(t *testing.T) {
	s := shared(t)
	user := unique("u-")
	for _, channel := range []string{unique("cache-"), "#server-to-user-" + user} {
		sender, witness := connect(t, s, talkative), connect(t, s, talkative)
		for _, c := range []*client{sender, witness} {
			c.signin(t, `{"id":"`+user+`"}`)
			c.subscribe(t, channel)
			if strings.HasPrefix(channel, "cache-") {
				c.expect(t, "pusher:cache_miss", channel)
			}
		}
		sender.clientEvent(t, "client-x", channel, "hello")
		sender.expectError(t, 0, textClientEventPublic)
		reachesNobody(t, witness, s, channel)
	}
}

func refusesUnsubscribed(t *testing.T) {
	s := shared(t)
	channel := unique("private-")
	witness := subscribed(t, s, talkative, 1, channel)[0]
	never, left := connect(t, s, talkative), connect(t, s, talkative)
	left.subscribe(t, channel)
	left.unsubscribe(t, channel)
	for _, sender := range []*client{never, left} {
		sender.clientEvent(t, "client-x", channel, "hello")
		sender.expectError(t, 0, textNotSubscribed(channel))
	}
	reachesNobody(t, witness, s, channel)
}

func refusesShapes(t *testing.T) {
	s := shared(t)
	channel := unique("private-")
	c := subscribed(t, s, talkative, 2, channel)
	for _, frame := range []string{
		`{"event":"client-x"}`,
		`{"event":"client-x","data":"hello"}`,
		`{"event":"client-x","channel":null,"data":"hello"}`,
		`{"event":"client-x","channel":5,"data":"hello"}`,
		`{"event":"client-x","channel":["` + channel + `"],"data":"hello"}`,
		`{"event":"client-x","channel":"` + channel + `"}`,
		`{"event":"client-x","channel":"` + channel + `","data":null}`,
		`{"event":"client-x","data":{"channel":"` + channel + `"}}`,
	} {
		c[0].send(t, frame)
		c[0].expectError(t, 0, textClientEventShape)
	}
	// This check comes before the one of the feature.
	off := connect(t, s, plain)
	off.send(t, `{"event":"client-x"}`)
	off.expectError(t, 0, textClientEventShape)
	reachesNobody(t, c[1], s, channel)
}

func refusesLargeData(t *testing.T) {
	s := shared(t)
	channel := unique("private-")
	c := subscribed(t, s, talkative, 2, channel)
	for _, unit := range []string{"x", `"`, "\u0001", "é"} {
		fits := strings.Repeat(unit, 10_240/len(unit))
		c[0].clientEvent(t, "client-x", channel, fits)
		c[1].expectEvent(t, "client-x", channel, fits)
		c[0].clientEvent(t, "client-x", channel, fits+"x")
		c[0].expectError(t, 0, textEventSize)
	}
	// Other values count by their JSON text: eight characters around the xs.
	object := func(n int) string { return `{"a":"` + strings.Repeat("x", n-8) + `"}` }
	c[0].send(t, `{"event":"client-x","channel":"`+channel+`","data":`+object(10_240)+`}`)
	c[1].expectEvent(t, "client-x", channel, object(10_240))
	c[0].send(t, `{"event":"client-x","channel":"`+channel+`","data":`+object(10_241)+`}`)
	c[0].expectError(t, 0, textEventSize)
	reachesNobody(t, c[1], s, channel)
}

func refusesLongNames(t *testing.T) {
	s := shared(t)
	channel := unique("private-")
	c := subscribed(t, s, talkative, 2, channel)
	for _, unit := range []string{"x", "é"} {
		longest := "client-" + strings.Repeat(unit, 193)
		c[0].clientEvent(t, longest, channel, "hello")
		c[1].expectEvent(t, longest, channel, "hello")
		c[0].clientEvent(t, longest+"x", channel, "hello")
		c[0].expectError(t, 0, textClientEventName)
	}
	reachesNobody(t, c[1], s, channel)
}

func refusesOtherCase(t *testing.T) {
	s := shared(t)
	channel := unique("private-")
	c := subscribed(t, s, talkative, 2, channel)
	for _, event := range []string{"Client-x", "CLIENT-x", "client_x", "client", " client-x", "x-client-x"} {
		c[0].clientEvent(t, event, channel, "hello")
		c[0].expectError(t, 0, "Unsupported event received on socket: "+event)
	}
	reachesNobody(t, c[1], s, channel)
}
