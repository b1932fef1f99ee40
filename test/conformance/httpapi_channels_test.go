package conformance

import (
	"encoding/json"
	"strings"
	"testing"
)

const (
	textUserCountPrefix  = "user_count may only be requested for presence channels - please supply filter_by_prefix begining with presence-\n"
	textUserCountChannel = "Cannot retrieve the user count unless the channel is a presence channel\n"
	textCacheChannel     = "Cannot retrieve the cache unless the channel is a cache channel\n"
	textUsersChannel     = "Users can only be retrieved for presence channels\n"
	textInfo             = "info should be a comma separated list of attributes\n"
)

func TestChannelQueries(t *testing.T) {
	prove(t, []statement{
		{"P-208 lists occupied channels as an object", listsOccupied},
		{"P-209 filters by plain prefix", listsByPrefix},
		{"P-210 user_count needs a presence prefix", listsUserCount},
		{"P-211 an empty channel is not occupied, with 200", channelEmpty},
		{"P-212 user_count on a public channel is 400", channelUserCount},
		{"P-213 info=cache tells data and ttl", channelCache},
		{"P-214 users are distinct string ids", channelUsers},
		{"P-215 user_count counts users, subscription_count connections", channelCounts},
		{"unknown attributes and names are 400", channelFaults},
	})
}

// listing is the answer of GET /channels.
type listing struct {
	Channels map[string]json.RawMessage
}

func listsOccupied(t *testing.T) {
	s := shared(t)
	s.api(tlsOnly).get(t, "/channels", "").ok(t, `{"channels":{}}`) // nobody can be on this app here

	occupied, left, triggered := unique("x-"), unique("x-"), unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, occupied)
	c.subscribe(t, left)
	c.unsubscribe(t, left)
	a := s.api(plain)
	a.trigger(t, triggered, "e", "1")
	var got listing
	a.get(t, "/channels", "").into(t, &got)
	if string(got.Channels[occupied]) != "{}" {
		t.Errorf("channel %s is listed as %q, want {}", occupied, got.Channels[occupied])
	}
	if _, ok := got.Channels[triggered]; ok {
		t.Errorf("channel %s is listed, nobody is on it", triggered)
	}
	// Nothing answers an unsubscription, so other nodes may learn of it a moment later.
	if _, ok := got.Channels[left]; ok && usual.nodes == 1 {
		t.Errorf("channel %s is listed, nobody is on it any more", left)
	}
	eventually(t, "the channel that was left is not listed", func() bool {
		return a.get(t, "/channels", "filter_by_prefix="+left).body == `{"channels":{}}`
	})
	c.leave(t)
	eventually(t, "the channel of a connection that left is not listed", func() bool {
		return a.get(t, "/channels", "filter_by_prefix="+occupied).body == `{"channels":{}}`
	})
}

func listsByPrefix(t *testing.T) {
	s := shared(t)
	mark := unique("")
	c := connect(t, s, plain)
	c.subscribe(t, "x-"+mark+"-1")
	c.subscribe(t, "x-"+mark+"-2")
	c.subscribe(t, "private-x-"+mark+"-1")
	c.joinAs(t, "presence-x-"+mark+"-1", "1")
	a := s.api(plain)
	for prefix, want := range map[string]string{
		"x-" + mark:             `{"channels":{"x-` + mark + `-1":{},"x-` + mark + `-2":{}}}`,
		"x-" + mark + "-1":      `{"channels":{"x-` + mark + `-1":{}}}`,
		"private-x-" + mark:     `{"channels":{"private-x-` + mark + `-1":{}}}`,
		"presence-x-" + mark:    `{"channels":{"presence-x-` + mark + `-1":{}}}`,
		"X-" + mark:             `{"channels":{}}`,
		"x-" + mark + "-1.*":    `{"channels":{}}`,
		mark:                    `{"channels":{}}`,
		"x-" + mark + "-1-more": `{"channels":{}}`,
	} {
		got := a.get(t, "/channels", "filter_by_prefix="+prefix)
		if got.status != 200 || !sameJSON(t, got.body, want) {
			t.Errorf("prefix %q: got %d %q, want %s", prefix, got.status, got.body, want)
		}
	}
	var all listing
	a.get(t, "/channels", "filter_by_prefix=").into(t, &all)
	if _, ok := all.Channels["private-x-"+mark+"-1"]; !ok {
		t.Errorf("an empty prefix lists only %d channels", len(all.Channels))
	}
}

func listsUserCount(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	for _, query := range []string{
		"info=user_count", "info=user_count&filter_by_prefix=", "info=user_count&filter_by_prefix=private-",
		"info=user_count&filter_by_prefix=presence", "info=subscription_count,user_count&filter_by_prefix=x",
	} {
		got := a.get(t, "/channels", query)
		if got.status != 400 || got.body != textUserCountPrefix {
			t.Errorf("%s: got %d %q", query, got.status, got.body)
		}
	}
	mark := unique("presence-")
	for _, user := range []string{"1", "2", "2"} {
		c := connect(t, s, plain)
		c.joinAs(t, mark+"-a", user)
		c.joinAs(t, mark+"-b", "1")
	}
	for info, want := range map[string]string{
		"user_count":         `{"channels":{"` + mark + `-a":{"user_count":2},"` + mark + `-b":{"user_count":1}}}`,
		"subscription_count": `{"channels":{"` + mark + `-a":{"subscription_count":3},"` + mark + `-b":{"subscription_count":3}}}`,
		"user_count,subscription_count": `{"channels":{"` + mark + `-a":{"user_count":2,"subscription_count":3},"` +
			mark + `-b":{"user_count":1,"subscription_count":3}}}`,
	} {
		got := a.get(t, "/channels", "filter_by_prefix="+mark+"&info="+info)
		if got.status != 200 || !sameJSON(t, got.body, want) {
			t.Errorf("info=%s: got %d %q, want %s", info, got.status, got.body, want)
		}
	}
}

func channelEmpty(t *testing.T) {
	a := shared(t).api(plain)
	for query, want := range map[string]string{
		"":                                   `{"occupied":false}`,
		"info=subscription_count":            `{"occupied":false,"subscription_count":0}`,
		"info=user_count,subscription_count": `{"occupied":false,"user_count":0,"subscription_count":0}`,
	} {
		got := a.get(t, "/channels/"+unique("presence-"), query)
		if got.status != 200 || !sameJSON(t, got.body, want) {
			t.Errorf("%q: got %d %q, want %s", query, got.status, got.body, want)
		}
	}
	a.get(t, "/channels/"+unique("x-"), "").ok(t, `{"occupied":false}`)
}

func channelUserCount(t *testing.T) {
	a := shared(t).api(plain)
	for _, prefix := range []string{"x-", "private-", "private-encrypted-", "cache-", "my-presence-"} {
		a.get(t, "/channels/"+unique(prefix), "info=user_count").is(t, 400, textUserCountChannel)
	}
}

func channelCache(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	for _, prefix := range []string{"cache-", "private-cache-", "private-encrypted-cache-", "presence-cache-"} {
		channel := unique(prefix)
		a.get(t, "/channels/"+channel, "info=cache").ok(t, `{"occupied":false,"cache":null}`)
		a.trigger(t, channel, "e", `{"x":1}`)
		var got struct {
			Occupied bool
			Cache    struct {
				Data *string
				TTL  json.Number
			}
		}
		a.get(t, "/channels/"+channel, "info=cache").into(t, &got)
		ttl, err := got.Cache.TTL.Int64()
		if got.Occupied || got.Cache.Data == nil || *got.Cache.Data != `{"x":1}` || err != nil || ttl < 1 || ttl > 1800 {
			t.Errorf("%s: got %+v, want the event's data and a ttl of 1 to 1800", channel, got)
		}
	}
	for _, prefix := range []string{"x-", "private-", "presence-", "my-cache-"} {
		a.get(t, "/channels/"+unique(prefix), "info=cache").is(t, 400, textCacheChannel)
	}
}

func channelUsers(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	channel := unique("presence-")
	a.get(t, "/channels/"+channel+"/users", "").ok(t, `{"users":[]}`)
	for _, data := range []string{`{"user_id":10}`, `{"user_id":"10"}`, `{"user_id":"żółw"}`, `{"user_id":"a b"}`} {
		connect(t, s, plain).join(t, channel, data)
	}
	var got struct {
		Users []map[string]any
	}
	a.get(t, "/channels/"+channel+"/users", "").into(t, &got)
	ids := map[any]bool{}
	for _, user := range got.Users {
		ids[user["id"]] = len(user) == 1
	}
	if len(got.Users) != 3 || !ids["10"] || !ids["żółw"] || !ids["a b"] {
		t.Errorf("got users %v", got.Users)
	}
	for _, prefix := range []string{"x-", "private-", "cache-"} {
		a.get(t, "/channels/"+unique(prefix)+"/users", "").is(t, 400, textUsersChannel)
	}
}

func channelCounts(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	channel := unique("presence-")
	var members []*client
	for _, user := range []string{"1", "2", "2"} {
		c := connect(t, s, plain)
		c.joinAs(t, channel, user)
		members = append(members, c)
	}
	counts := func(want string) func() bool {
		return func() bool {
			got := a.get(t, "/channels/"+channel, "info=user_count,subscription_count")
			return got.status == 200 && sameJSON(t, got.body, want)
		}
	}
	if !counts(`{"occupied":true,"user_count":2,"subscription_count":3}`)() {
		t.Error("want 2 users on 3 connections")
	}
	members[2].leave(t)
	eventually(t, "2 users on 2 connections", counts(`{"occupied":true,"user_count":2,"subscription_count":2}`))
	members[1].leave(t)
	eventually(t, "1 user on 1 connection", counts(`{"occupied":true,"user_count":1,"subscription_count":1}`))

	public := unique("x-")
	connect(t, s, plain).subscribe(t, public)
	a.get(t, "/channels/"+public, "info=subscription_count").ok(t, `{"occupied":true,"subscription_count":1}`)
}

func channelFaults(t *testing.T) {
	a := shared(t).api(plain)
	a.get(t, "/channels", "info=bogus").is(t, 400, textInfo)
	a.get(t, "/channels/"+unique("x-"), "info=subscription_count,bogus").is(t, 400, textInfo)
	for path, name := range map[string]string{
		"a%20b": "a b", "a:b": "a:b", "%23x": "#x", strings.Repeat("x", 201): strings.Repeat("x", 201),
	} {
		a.get(t, "/channels/"+path, "").is(t, 400, "Invalid channel name "+name+"\n")
	}
	a.get(t, "/channels/"+strings.Repeat("x", 200), "").ok(t, `{"occupied":false}`)
	a.get(t, "/channels/a-_=@,.;1", "").ok(t, `{"occupied":false}`)
}
