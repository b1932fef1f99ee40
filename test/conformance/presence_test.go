package conformance

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestPresence(t *testing.T) {
	t.Parallel()
	prove(t, []statement{
		{"P-099 the first member receives itself, the second receives two", firstAndSecond},
		{"P-100 ids and hash agree and count is their number", snapshotAgrees},
		{"P-101 user_info is unchanged, key order and large integers included", infoUnchanged},
		{"P-102 a member without user_info has null and hash is an object", nullInfo},
		{"P-103 a numeric user_id is its text everywhere", numericUserID},
		{"P-104 unusable user ids are refused", unusableUserID},
		{"P-105 member_added reaches all others exactly once", memberAdded},
		{"P-106 the joining connection does not get its own member_added", notOwnMemberAdded},
		{"P-107 a second connection of a user is not announced nor counted", secondConnection},
		{"P-108 closing one of two connections is not announced", oneOfTwoLeaves},
		{"P-109 closing the last connection sends member_removed", lastOneDisconnects},
		{"P-110 unsubscribing the last connection sends member_removed", lastOneUnsubscribes},
		{"P-111 other user_info of a later connection changes nothing", firstInfoStays},
		{"P-112 member_removed is never sent for a user that was not announced", noSpuriousRemoval},
	})
}

// snapshot decodes the success frame of a presence channel and requires ids,
// hash and count to agree.
func snapshot(t testing.TB, f frame) presence {
	t.Helper()
	var body struct {
		Presence struct {
			Count int
			IDs   []string
			Hash  map[string]json.RawMessage
		}
	}
	f.into(t, &body)
	p := presence{Count: body.Presence.Count, IDs: body.Presence.IDs, Hash: map[string]string{}}
	for id, info := range body.Presence.Hash {
		p.Hash[id] = string(info)
	}
	slices.Sort(p.IDs)
	for _, id := range p.IDs {
		if _, ok := p.Hash[id]; !ok {
			t.Fatalf("%q is in ids and not in hash: %s", id, f.raw)
		}
	}
	if p.Count != len(p.IDs) || p.Count != len(p.Hash) || len(slices.Compact(slices.Clone(p.IDs))) != p.Count {
		t.Fatalf("count, ids and hash disagree: %s", f.raw)
	}
	return p
}

// has requires exactly these user ids.
func (p presence) has(t testing.TB, ids ...string) {
	t.Helper()
	slices.Sort(ids)
	if !slices.Equal(p.IDs, ids) {
		t.Fatalf("members are %q, want %q", p.IDs, ids)
	}
}

func (c *client) expectAdded(t testing.TB, channel, userID, info string) {
	t.Helper()
	data := `{"user_id":` + quote(userID) + `,"user_info":` + info + `}`
	c.expectRaw(t, `{"event":"pusher_internal:member_added","channel":"`+channel+`","data":`+quote(data)+`}`)
}

func (c *client) expectRemoved(t testing.TB, channel, userID string) {
	t.Helper()
	c.expectRaw(t, `{"event":"pusher_internal:member_removed","channel":"`+channel+
		`","data":`+quote(`{"user_id":`+quote(userID)+`}`)+`}`)
}

// expectSentinel requires that nothing came on the channel before an event that
// is published now.
func expectSentinel(t testing.TB, s *server, channel string, subscribers ...*client) {
	t.Helper()
	name := unique("sentinel-")
	s.api(subscribers[0].app).trigger(t, channel, name, "")
	for _, c := range subscribers {
		c.expect(t, name, channel)
	}
}

func firstAndSecond(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	ann, bob := connect(t, s, plain), connect(t, s, plain)
	f := ann.join(t, room, `{"user_id":"ann","user_info":{"name":"Ann"}}`)
	if got, want := f.text(t), `{"presence":{"count":1,"ids":["ann"],"hash":{"ann":{"name":"Ann"}}}}`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	got := snapshot(t, bob.joinAs(t, room, "bob"))
	got.has(t, "ann", "bob")
	if got.Hash["ann"] != `{"name":"Ann"}` || got.Hash["bob"] != "null" {
		t.Fatalf("got hash %q", got.Hash)
	}
}

func snapshotAgrees(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	var want []string
	for i, channelData := range []string{
		`{"user_id":"1"}`, `{"user_id":2}`, `{"user_id":"ü\"\\<>","user_info":null}`, `{"user_id":"1","user_info":{}}`,
		`{"user_id":"toString"}`, `{"user_id":"__proto__"}`, `{"user_id":" ","user_info":[]}`, `{"user_id":-1.5e3}`,
	} {
		id := []string{"1", "2", `ü"\<>`, "1", "toString", "__proto__", " ", "-1.5e3"}[i]
		if !slices.Contains(want, id) {
			want = append(want, id)
		}
		snapshot(t, connect(t, s, plain).join(t, room, channelData)).has(t, want...)
	}
}

func infoUnchanged(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	const info = `{"z":1,"a":12345678901234567890,"m":{"y":1.50,"x":[1e400,-0.0]},"s":"<\u00e9\/😀>","z2":null}`
	watcher := connect(t, s, plain)
	watcher.joinAs(t, room, "watcher")
	c := connect(t, s, plain)
	got := snapshot(t, c.join(t, room, `{"user_id":"1","user_info":`+info+`}`))
	if got.Hash["1"] != info {
		t.Fatalf("hash has %s, want %s", got.Hash["1"], info)
	}
	watcher.expectAdded(t, room, "1", info)
}

func nullInfo(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	f := connect(t, s, plain).joinAs(t, room, "1")
	if got, want := f.text(t), `{"presence":{"count":1,"ids":["1"],"hash":{"1":null}}}`; got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	c := connect(t, s, plain)
	snapshot(t, c.join(t, room, `{"user_id":"2","user_info":null}`)).has(t, "1", "2")
	connect(t, s, plain).joinAs(t, room, "3")
	c.expectAdded(t, room, "3", "null")
}

func numericUserID(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, c := connect(t, s, talkative), connect(t, s, talkative)
	watcher.joinAs(t, room, "w")
	snapshot(t, c.join(t, room, `{"user_id":10}`)).has(t, "10", "w")
	watcher.expectAdded(t, room, "10", "null")
	c.clientEvent(t, "client-x", room, "1")
	watcher.expectRaw(t, `{"event":"client-x","channel":"`+room+`","data":"1","user_id":"10"}`)
	var users struct{ Users []struct{ ID string } }
	s.api(talkative).get(t, "/channels/"+room+"/users", "").into(t, &users)
	if len(users.Users) != 2 || users.Users[0].ID != "10" && users.Users[1].ID != "10" {
		t.Fatalf("got users %v", users)
	}
	// The string is the same user.
	snapshot(t, connect(t, s, talkative).joinAs(t, room, "10")).has(t, "10", "w")
	big := connect(t, s, talkative)
	snapshot(t, big.join(t, room, `{"user_id":12345678901234567890}`)).has(t, "10", "w", "12345678901234567890")
	watcher.expectAdded(t, room, "12345678901234567890", "null")
	big.leave(t)
	watcher.expectRemoved(t, room, "12345678901234567890")
}

func unusableUserID(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, c := connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	for _, channelData := range []string{
		`{"user_id":true}`, `{"user_id":false}`, `{"user_id":null}`, `{"user_id":{}}`, `{"user_id":["1"]}`, `{}`, `{"user_id":""}`,
		`{"user_info":{"user_id":"1"}}`, `[]`, `"1"`, `1`, `null`, `{`, ``, `{"user_id":"1"`,
	} {
		c.askJoin(t, room, channelData)
		c.expectError(t, 0, "Invalid channel_data for "+room)
	}
	// As an object its signed text cannot be known.
	c.sendEvent(t, "pusher:subscribe", object{
		"channel": room, "auth": plain.authData(c.socketID, room, `{"user_id":"1"}`), "channel_data": object{"user_id": "1"},
	})
	c.expectError(t, 0, "Invalid channel_data for "+room)
	expectSentinel(t, s, room, watcher)
}

func memberAdded(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	var others []*client
	for i := range 3 {
		c := connect(t, s, plain)
		c.joinAs(t, room, strconv.Itoa(i))
		for _, before := range others {
			before.expectAdded(t, room, strconv.Itoa(i), "null")
		}
		others = append(others, c)
	}
	connect(t, s, plain).join(t, room, `{"user_id":"new","user_info":{"b":1,"a":"é"}}`)
	for _, c := range others {
		c.expectAdded(t, room, "new", `{"b":1,"a":"é"}`)
	}
	expectSentinel(t, s, room, others...)
}

func notOwnMemberAdded(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	witness, c := connect(t, s, plain), connect(t, s, plain)
	witness.joinAs(t, room, "w")
	c.joinAs(t, room, "1")
	witness.expectAdded(t, room, "1", "null")
	expectSentinel(t, s, room, c, witness)
}

func secondConnection(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, one, two := connect(t, s, plain), connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	one.joinAs(t, room, "1")
	watcher.expectAdded(t, room, "1", "null")
	snapshot(t, two.joinAs(t, room, "1")).has(t, "1", "w")
	expectSentinel(t, s, room, watcher, one, two)
}

func oneOfTwoLeaves(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, one, two := connect(t, s, plain), connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	one.joinAs(t, room, "1")
	watcher.expectAdded(t, room, "1", "null")
	two.joinAs(t, room, "1")
	one.drop()
	eventually(t, "the server has noticed", func() bool {
		return s.api(plain).get(t, "/channels/"+room, "info=subscription_count").body == `{"occupied":true,"subscription_count":2}`
	})
	expectSentinel(t, s, room, watcher, two)
	snapshot(t, connect(t, s, plain).joinAs(t, room, "w")).has(t, "1", "w")
}

func lastOneDisconnects(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, mate := connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	mate.joinAs(t, room, "m")
	watcher.expectAdded(t, room, "m", "null")
	for _, end := range []func(*client){(*client).drop, func(c *client) { c.leave(t) }} {
		c, twin := connect(t, s, plain), connect(t, s, plain)
		c.joinAs(t, room, "1")
		watcher.expectAdded(t, room, "1", "null")
		mate.expectAdded(t, room, "1", "null")
		twin.joinAs(t, room, "1")
		end(c)
		end(twin)
		watcher.expectRemoved(t, room, "1")
		mate.expectRemoved(t, room, "1")
	}
	expectSentinel(t, s, room, watcher, mate)
}

func lastOneUnsubscribes(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, c := connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	c.joinAs(t, room, "1")
	watcher.expectAdded(t, room, "1", "null")
	c.unsubscribe(t, room)
	watcher.expectRemoved(t, room, "1")
	expectSentinel(t, s, room, watcher)
	c.expectNothing(t)
}

func firstInfoStays(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, one, two := connect(t, s, plain), connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	one.join(t, room, `{"user_id":"1","user_info":{"n":"first"}}`)
	watcher.expectAdded(t, room, "1", `{"n":"first"}`)
	got := snapshot(t, two.join(t, room, `{"user_id":"1","user_info":{"n":"second"}}`))
	if got.Hash["1"] != `{"n":"first"}` {
		t.Fatalf("the later connection sees %s", got.Hash["1"])
	}
	expectSentinel(t, s, room, watcher, one, two)
	// Even after the first connection has gone.
	one.unsubscribe(t, room)
	got = snapshot(t, connect(t, s, plain).joinAs(t, room, "w"))
	if got.Hash["1"] != `{"n":"first"}` {
		t.Fatalf("a newcomer sees %s", got.Hash["1"])
	}
}

func noSpuriousRemoval(t *testing.T) {
	s := shared(t)
	room := unique("presence-")
	watcher, twin := connect(t, s, plain), connect(t, s, plain)
	watcher.joinAs(t, room, "w")
	twin.joinAs(t, room, "w")
	stranger := connect(t, s, plain)
	for _, auth := range []string{"", "x:y", plain.key + ":" + strings.Repeat("0", 64)} {
		stranger.sendEvent(t, "pusher:subscribe", object{"channel": room, "auth": auth, "channel_data": `{"user_id":"s"}`})
		stranger.expect(t, "pusher:subscription_error", room)
		stranger.expect(t, "pusher:error", "")
	}
	stranger.askJoin(t, room, `{"user_id":"`+strings.Repeat("x", 129)+`"}`)
	stranger.expect(t, "pusher:subscription_error", room)
	stranger.expect(t, "pusher:error", "")
	stranger.sendEvent(t, "pusher:unsubscribe", object{"channel": room})
	stranger.expect(t, "pusher:error", "")
	stranger.leave(t)
	twin.leave(t)
	eventually(t, "the twin has left", func() bool {
		return s.api(plain).get(t, "/channels/"+room, "info=subscription_count").body == `{"occupied":true,"subscription_count":1}`
	})
	expectSentinel(t, s, room, watcher)
}
