package conformance

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestCache(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-120 an empty cache channel gives success and then a miss", cacheMiss},
		{"P-121 after a trigger a new subscriber gets success and the cached event", cacheHit},
		{"P-122 all four cache prefixes behave so", cachePrefixes},
		{"P-123 the newest of several triggers is cached", newestIsCached},
		{"P-124 a client event does not change the cache", clientEventIsNotCached},
		{"P-125 an event with socket_id exclusion is cached", excludedIsCached},
		{"P-126 an event triggered while nobody is subscribed is cached", cachedWithoutSubscribers},
		{"P-127 after cache_ttl the channel is a miss again", cacheExpires},
		{"P-128 the cache survives the channel being vacated", cacheSurvives},
		{"P-129 an existing subscriber does not get the replay of another", replayIsPrivate},
	})
}

// enter subscribes to any channel type as a user of its own.
func (c *client) enter(t testing.TB, channel string) frame {
	t.Helper()
	if strings.HasPrefix(channel, "presence-") {
		return c.joinAs(t, channel, c.socketID)
	}
	return c.subscribe(t, channel)
}

func (c *client) expectMiss(t testing.TB, channel string) {
	t.Helper()
	c.expectRaw(t, `{"event":"pusher:cache_miss","channel":"`+channel+`","data":"{}"}`)
}

func cacheMiss(t *testing.T) {
	c := connect(t, shared(t), plain)
	channel := unique("cache-")
	c.subscribe(t, channel)
	c.expectRaw(t, `{"event":"pusher:cache_miss","channel":"`+channel+`","data":"{}"}`)
	c.expectNothing(t)
}

func cacheHit(t *testing.T) {
	s := shared(t)
	channel := unique("cache-")
	const data = "{\"x\":\"<é>\", \"n\":1.0}\n\u2028"
	s.api(plain).trigger(t, channel, "price <&>", data)
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	c.expectEvent(t, "price <&>", channel, data)
	c.expectNothing(t)
}

func cachePrefixes(t *testing.T) {
	s := shared(t)
	for _, prefix := range []string{"cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-"} {
		channel := unique(prefix)
		early, late := connect(t, s, plain), connect(t, s, plain)
		early.enter(t, channel)
		early.expectMiss(t, channel)
		s.api(plain).trigger(t, channel, "e", prefix)
		early.expectEvent(t, "e", channel, prefix)
		success := late.enter(t, channel)
		late.expectEvent(t, "e", channel, prefix)
		if prefix == "presence-cache-" {
			snapshot(t, success).has(t, early.socketID, late.socketID)
		} else if success.text(t) != "{}" {
			t.Errorf("%s: success has data %q", prefix, success.text(t))
		}
		late.expectNothing(t)
	}
}

func newestIsCached(t *testing.T) {
	s := shared(t)
	channel := unique("cache-")
	for i := range 5 {
		s.api(plain).trigger(t, channel, "e"+strconv.Itoa(i), strconv.Itoa(i))
	}
	s.api(plain).post(t, "/batch_events", object{"batch": []object{
		{"name": "b1", "channel": channel, "data": "1"}, {"name": "b2", "channel": channel, "data": "2"},
	}}).ok(t, "{}")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	c.expectEvent(t, "b2", channel, "2")
	c.expectNothing(t)
}

func clientEventIsNotCached(t *testing.T) {
	s := shared(t)
	for _, prefix := range []string{"private-cache-", "presence-cache-"} {
		channel := unique(prefix)
		sender, witness := connect(t, s, talkative), connect(t, s, talkative)
		witness.enter(t, channel)
		witness.expectMiss(t, channel)
		sender.enter(t, channel)
		sender.expectMiss(t, channel)
		if prefix == "presence-cache-" {
			witness.expect(t, "pusher_internal:member_added", channel)
		}
		sender.clientEvent(t, "client-e", channel, "1")
		witness.expect(t, "client-e", channel)
		late := connect(t, s, talkative)
		late.enter(t, channel)
		late.expectMiss(t, channel)
		s.api(talkative).trigger(t, channel, "real", "2")
		sender.clientEvent(t, "client-e", channel, "3")
		later := connect(t, s, talkative)
		later.enter(t, channel)
		later.expectEvent(t, "real", channel, "2")
	}
}

func excludedIsCached(t *testing.T) {
	s := shared(t)
	channel := unique("cache-")
	c, witness := connect(t, s, plain), connect(t, s, plain)
	for _, subscriber := range []*client{c, witness} {
		subscriber.subscribe(t, channel)
		subscriber.expectMiss(t, channel)
	}
	s.api(plain).triggerExcept(t, channel, "e", "1", c.socketID)
	witness.expectEvent(t, "e", channel, "1")
	c.expectNothing(t)
	late := connect(t, s, plain)
	late.subscribe(t, channel)
	late.expectEvent(t, "e", channel, "1")
	// The excluded connection itself gets it when it subscribes anew.
	c.unsubscribe(t, channel)
	c.subscribe(t, channel)
	c.expectEvent(t, "e", channel, "1")
}

func cachedWithoutSubscribers(t *testing.T) {
	s := shared(t)
	channel := unique("private-cache-")
	s.api(plain).trigger(t, channel, "e", "1")
	s.api(plain).get(t, "/channels/"+channel, "").ok(t, `{"occupied":false}`)
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	c.expectEvent(t, "e", channel, "1")
}

func cacheExpires(t *testing.T) {
	s := shared(t)
	channel := unique("cache-")
	c := connect(t, s, brief) // cache_ttl: 1s
	published := time.Now()
	s.api(brief).trigger(t, channel, "e", "1")
	hits := 0
	eventually(t, "the cached event expires", func() bool {
		c.subscribe(t, channel)
		f := c.recv(t)
		c.unsubscribe(t, channel)
		if f.Event == "e" {
			hits++
		}
		return f.Event == "pusher:cache_miss"
	})
	if lived := time.Since(published); lived < time.Second || hits == 0 {
		t.Fatalf("a miss %v after publication, after %d hits; want 1 s", lived, hits)
	}
}

func cacheSurvives(t *testing.T) {
	s := shared(t)
	channel := unique("cache-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	c.expectMiss(t, channel)
	s.api(plain).trigger(t, channel, "e", "1")
	c.expectEvent(t, "e", channel, "1")
	c.leave(t)
	eventually(t, "the channel is vacated", func() bool {
		return s.api(plain).get(t, "/channels/"+channel, "").body == `{"occupied":false}`
	})
	c = connect(t, s, plain)
	c.subscribe(t, channel)
	c.expectEvent(t, "e", channel, "1")
}

func replayIsPrivate(t *testing.T) {
	s := shared(t)
	channel := unique("cache-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	c.expectMiss(t, channel)
	connect(t, s, plain).subscribe(t, channel) // whose miss is its own as well
	s.api(plain).trigger(t, channel, "e", "1")
	c.expectEvent(t, "e", channel, "1")
	late := connect(t, s, plain)
	late.subscribe(t, channel)
	late.expectEvent(t, "e", channel, "1")
	expectSentinel(t, s, channel, c, late)
}
