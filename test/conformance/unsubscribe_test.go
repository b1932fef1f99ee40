package conformance

import (
	"strconv"
	"strings"
	"sync"
	"testing"
)

func TestUnsubscribe(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-093 subscribing twice is refused and leaves one subscription", subscribeTwice},
		{"P-094 unsubscribing sends no reply and later events do not arrive", unsubscribeIsSilent},
		{"P-095 unsubscribing when not subscribed is refused", notSubscribed},
		{"P-096 subscribe, unsubscribe, subscribe works", subscribeAgain},
		{"P-097 nothing on a channel comes before its success frame", successFirst},
		{"P-098 disconnecting ends all subscriptions", disconnectEndsAll},
	})
}

func subscribeTwice(t *testing.T) {
	s := shared(t)
	c := connect(t, s, plain)
	for _, channel := range []string{unique("twice-"), unique("private-")} {
		c.subscribe(t, channel)
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel, "auth": plain.auth(c.socketID, channel)})
		c.expectError(t, 0, "Existing subscription to channel "+channel)
		s.api(plain).trigger(t, channel, "e", "1")
		s.api(plain).trigger(t, channel, "e", "2")
		c.expectEvent(t, "e", channel, "1")
		c.expectEvent(t, "e", channel, "2")
		c.unsubscribe(t, channel)
		if usual.nodes == 1 {
			s.api(plain).get(t, "/channels/"+channel, "").ok(t, `{"occupied":false}`)
		}
		eventually(t, "nobody is on the channel any more", func() bool { // as seen by other nodes
			return s.api(plain).get(t, "/channels/"+channel, "").body == `{"occupied":false}`
		})
	}
}

func unsubscribeIsSilent(t *testing.T) {
	s := shared(t)
	channel := unique("left-")
	c, witness := connect(t, s, plain), connect(t, s, plain)
	c.subscribe(t, channel)
	witness.subscribe(t, channel)
	c.unsubscribe(t, channel) // requires that nothing comes
	s.api(plain).trigger(t, channel, "e", "1")
	witness.expectEvent(t, "e", channel, "1")
	c.expectNothing(t)
}

func notSubscribed(t *testing.T) {
	c := connect(t, shared(t), plain)
	for _, channel := range []string{unique("never-"), unique("private-"), unique("presence-")} {
		c.sendEvent(t, "pusher:unsubscribe", object{"channel": channel})
		c.expectError(t, 0, "No current subscription to channel "+channel+", or subscription in progress")
	}
	once := unique("once-")
	c.subscribe(t, once)
	c.unsubscribe(t, once)
	c.sendEvent(t, "pusher:unsubscribe", object{"channel": once})
	c.expectError(t, 0, "No current subscription to channel "+once+", or subscription in progress")
}

func subscribeAgain(t *testing.T) {
	s := shared(t)
	c := connect(t, s, plain)
	for _, channel := range []string{unique("again-"), unique("private-"), unique("presence-")} {
		for i := range 3 {
			if strings.HasPrefix(channel, "presence-") {
				c.joinAs(t, channel, "1")
			} else {
				c.subscribe(t, channel) // with the same signature each time
			}
			s.api(plain).trigger(t, channel, "e", strconv.Itoa(i))
			c.expectEvent(t, "e", channel, strconv.Itoa(i))
			c.unsubscribe(t, channel)
		}
	}
}

// successFirst subscribes while events pour onto the channels: subscribe and
// join require the success frame to be the first frame of all.
func successFirst(t *testing.T) {
	s := shared(t)
	channels := []string{unique("pouring-"), unique("private-"), unique("presence-"), unique("cache-")}
	stop := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
			}
			body := marshal(t, object{"name": "e", "channels": channels, "data": strconv.Itoa(n)})
			got, err := s.tryRoundTrip(s.api(plain).request(t, call{path: "/events", body: body}))
			if err != nil || got.status != 200 {
				t.Errorf("trigger: %d %q %v", got.status, got.body, err)
				return
			}
		}
	})
	defer publisher.Wait()
	defer close(stop)
	for i := range 20 {
		for _, channel := range channels {
			c := connect(t, s, plain)
			if strings.HasPrefix(channel, "presence-") {
				c.joinAs(t, channel, strconv.Itoa(i))
			} else {
				c.subscribe(t, channel)
			}
			c.drop()
		}
	}
}

func disconnectEndsAll(t *testing.T) {
	s := shared(t)
	prefix := unique("gone-")
	list := func() string { return s.api(plain).get(t, "/channels", "filter_by_prefix="+prefix).body }
	polite, rude := connect(t, s, plain), connect(t, s, plain)
	polite.subscribe(t, prefix+"a")
	rude.subscribe(t, prefix+"b")
	rude.subscribe(t, prefix+"c")
	if got, want := list(), `{"channels":{"`+prefix+`a":{},"`+prefix+`b":{},"`+prefix+`c":{}}}`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	polite.leave(t)
	rude.drop()
	eventually(t, "no channel is left", func() bool { return list() == `{"channels":{}}` })
}
