package conformance

import (
	"strings"
	"testing"
	"time"
)

func TestCounts(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-130 with the feature off no count is sent", countsOff},
		{"P-131 joining sends the new count to all, to the newcomer after its success", countOnJoin},
		{"P-132 leaving sends the reduced count to the rest", countOnLeave},
		{"P-133 presence channels never get counts", noCountOnPresence},
		{"server-to-user channels never get counts", noCountOnServerToUser},
		{"P-134 over 100 subscribers there is at most one count in 5 s", countsThrottled},
	})
}

func (c *client) expectCount(t testing.TB, channel, count string) {
	t.Helper()
	c.expectRaw(t, `{"event":"pusher_internal:subscription_count","channel":"`+channel+
		`","data":"{\"subscription_count\":`+count+`}"}`)
}

func countsOff(t *testing.T) {
	s := shared(t)
	for _, prefix := range []string{"public-", "private-", "private-encrypted-"} {
		channel := unique(prefix)
		c, mate := connect(t, s, plain), connect(t, s, plain)
		c.subscribe(t, channel)
		mate.subscribe(t, channel)
		mate.unsubscribe(t, channel)
		expectSentinel(t, s, channel, c)
	}
}

func countOnJoin(t *testing.T) {
	s := shared(t)
	for _, prefix := range []string{"public-", "private-", "private-encrypted-", "cache-"} {
		channel := unique(prefix)
		first, second := connect(t, s, counting), connect(t, s, counting)
		first.subscribe(t, channel)
		if prefix == "cache-" {
			first.expectMiss(t, channel) // before the count
		}
		first.expectCount(t, channel, "1")
		second.subscribe(t, channel)
		if prefix == "cache-" {
			second.expectMiss(t, channel)
		}
		second.expectCount(t, channel, "2")
		first.expectCount(t, channel, "2")
		expectSentinel(t, s, channel, first, second)
	}
}

func countOnLeave(t *testing.T) {
	s := shared(t)
	channel := unique("leaving-")
	c, polite, rude, quiet := connect(t, s, counting), connect(t, s, counting), connect(t, s, counting), connect(t, s, counting)
	for i, subscriber := range []*client{c, polite, rude, quiet} {
		subscriber.subscribe(t, channel)
		subscriber.expectCount(t, channel, string(rune('1'+i)))
		if subscriber != c {
			c.expectCount(t, channel, string(rune('1'+i)))
		}
	}
	quiet.unsubscribe(t, channel)
	c.expectCount(t, channel, "3")
	polite.leave(t)
	c.expectCount(t, channel, "2")
	rude.drop()
	c.expectCount(t, channel, "1")
	c.expectNothing(t)
}

func noCountOnPresence(t *testing.T) {
	s := shared(t)
	for _, prefix := range []string{"presence-", "presence-cache-"} {
		room := unique(prefix)
		c, mate := connect(t, s, counting), connect(t, s, counting)
		c.joinAs(t, room, "1")
		if strings.Contains(prefix, "cache") {
			c.expectMiss(t, room)
		}
		mate.joinAs(t, room, "2")
		c.expectAdded(t, room, "2", "null")
		mate.drop()
		c.expectRemoved(t, room, "2")
		expectSentinel(t, s, room, c)
	}
}

func noCountOnServerToUser(t *testing.T) {
	s := shared(t)
	user := unique("u")
	c := connect(t, s, counting)
	c.signin(t, `{"id":"`+user+`"}`)
	c.subscribe(t, "#server-to-user-"+user)
	expectSentinel(t, s, "#server-to-user-"+user, c)
}

// countsThrottled fills a channel with 130 connections and requires that a
// subscriber sees the counts beyond 100 at least 5 s apart and that the last
// one is the truth.
func countsThrottled(t *testing.T) {
	s := shared(t)
	channel := unique("crowded-")
	const crowd = 130
	observer := connect(t, s, counting)
	observer.subscribe(t, channel)
	for range crowd - 1 {
		connect(t, s, counting).subscribe(t, channel)
	}
	var last time.Time // of the last count beyond 100
	for count := 0; count != crowd; {
		f := observer.recvWithin(t, 3*patience)
		now := time.Now()
		var body struct {
			Count int `json:"subscription_count"`
		}
		f.into(t, &body)
		if f.Event != "pusher_internal:subscription_count" || body.Count <= count {
			t.Fatalf("got %s after count %d", f.raw, count)
		}
		if count = body.Count; count <= 100 {
			continue
		}
		// Half a second is for the way here: both frames may have been delayed.
		if !last.IsZero() && now.Sub(last) < 4500*time.Millisecond {
			t.Fatalf("counts beyond 100 came %v apart", now.Sub(last))
		}
		last = now
	}
	expectSentinel(t, s, channel, observer)
}
