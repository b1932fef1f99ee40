package conformance

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

func TestTrigger(t *testing.T) {
	prove(t, []statement{
		{"P-188 success is 200, JSON and {}", triggerAnswer},
		{"P-189 channel and channels deliver data character for character", triggerForms},
		{"P-190 parameters may stand in the query", triggerByQuery},
		{"P-191 nulls equal absence", triggerNulls},
		{"P-192 socket_id excludes that connection on all channels", triggerExcludes},
		{"P-193 a malformed socket_id is 400, an unknown one is not", triggerSocketIDs},
		{"P-194 100 channels pass, 101 do not", triggerManyChannels},
		{"P-195 a repeated channel is delivered once", triggerRepeated},
		{"P-196 data of 10240 bytes passes, 10241 is 413", triggerLargeData},
		{"P-197 missing parameters are named", triggerMissing},
		{"P-198 a name must be a string", triggerNameType},
		{"P-199 a name of 201 characters is 400", triggerLongName},
		{"P-200 names beginning with pusher are reserved", triggerReserved},
		{"P-201 other data than strings is delivered as its JSON text", triggerOtherData},
		{"P-202 info answers counts per channel", triggerInfo},
		{"P-203 an unknown info attribute is 400", triggerUnknownInfo},
		{"a channel name outside the grammar is 400", triggerChannelNames},
	})
}

func textMissing(name string) string { return "Missing required parameter: " + name + "\n" }

// event is the body of a trigger on one channel, changed as given; a nil value
// takes the key away.
func event(channel string, changes object) object {
	body := object{"name": "e", "channels": []string{channel}, "data": "1"}
	for key, value := range changes {
		if value == nil {
			delete(body, key)
			continue
		}
		body[key] = value
	}
	return body
}

// deliversOnly proves that an own event is the next thing on the channel.
func (a api) deliversOnly(t testing.TB, c *client, channel string) {
	t.Helper()
	a.trigger(t, channel, "sentinel", "end")
	c.expectEvent(t, "sentinel", channel, "end")
}

func triggerAnswer(t *testing.T) {
	got := shared(t).api(plain).post(t, "/events", event(unique("x-"), nil))
	got.ok(t, "{}")
	if kind := got.header.Values("Content-Type"); len(kind) != 1 || kind[0] != "application/json" {
		t.Errorf("Content-Type is %q, want application/json", kind)
	}
}

func triggerForms(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	for _, data := range []string{
		"", "plain", `{"a":1}`, ` { "a" : 1.0 } `, "żółw € 🐢 <b>&</b>\u2028\u2029", "\u0000\u001f\u007f\\\"/", "null",
	} {
		a := s.api(plain)
		a.post(t, "/events", object{"name": "my-event", "channel": channel, "data": data}).ok(t, "{}")
		c.expectEvent(t, "my-event", channel, data)
		a.post(t, "/events", object{"name": "my-event", "channels": []string{channel}, "data": data}).ok(t, "{}")
		f := c.expectEvent(t, "my-event", channel, data)
		if f.UserID != nil {
			t.Errorf("triggered event with user_id: %s", f.raw)
		}
	}
	// The simplest frame, byte for byte.
	s.api(plain).trigger(t, channel, "client-like", `{"x":1}`)
	c.expectRaw(t, `{"event":"client-like","channel":"`+channel+`","data":"{\"x\":1}"}`)
	// If both forms are given, channels wins.
	elsewhere := unique("x-")
	s.api(plain).post(t, "/events", event(channel, object{"channel": elsewhere})).ok(t, "{}")
	c.expectEvent(t, "e", channel, "1")
}

func triggerByQuery(t *testing.T) {
	s := shared(t)
	first, second := unique("x-"), unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, first)
	c.subscribe(t, second)
	a := s.api(plain)
	a.do(t, call{method: http.MethodPost, path: "/events", query: url.Values{
		"name": {"e"}, "channels[]": {first, second}, "data": {`{"a":"b c+d&e"}`},
	}}).ok(t, "{}")
	for range 2 {
		if f := c.recv(t); f.Event != "e" || f.text(t) != `{"a":"b c+d&e"}` {
			t.Errorf("got frame %s", f.raw)
		}
	}
	a.do(t, call{method: http.MethodPost, path: "/events", query: url.Values{
		"name": {"e"}, "channel": {first}, "data": {"2"}, "socket_id": {c.socketID}, "info": {"subscription_count"},
	}}).ok(t, `{"channels":{"`+first+`":{"subscription_count":1}}}`)
	// Where both speak, the body wins.
	a.do(t, call{path: "/events", query: url.Values{"name": {"query"}, "data": {"query"}}, body: marshal(t, event(first, nil))}).ok(t, "{}")
	c.expectEvent(t, "e", first, "1")
}

func triggerNulls(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	for _, nothing := range []string{`null`, `""`} {
		body := `{"name":"e","channels":["` + channel + `"],"channel":null,"data":"1","socket_id":` + nothing + `,"info":` + nothing + `,"event_ids":null}`
		s.api(plain).do(t, call{path: "/events", body: body}).ok(t, "{}")
		c.expectEvent(t, "e", channel, "1")
	}
	s.api(plain).do(t, call{path: "/events", body: `{"name":"e","channel":"` + channel + `","channels":null,"data":"2"}`}).ok(t, "{}")
	c.expectEvent(t, "e", channel, "2")
	s.api(plain).do(t, call{path: "/events", body: `{"name":null,"channel":"x","data":"2"}`}).is(t, 400, textMissing("name"))
	s.api(plain).do(t, call{path: "/events", body: `{"name":"e","channel":"x","data":null}`}).is(t, 400, textMissing("data"))
}

func triggerExcludes(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	first, second := unique("x-"), unique("private-")
	excluded, included := connect(t, s, plain), connect(t, s, plain)
	for _, c := range []*client{excluded, included} {
		c.subscribe(t, first)
		c.subscribe(t, second)
	}
	a.post(t, "/events", object{
		"name": "e", "channels": []string{first, second}, "data": "1", "socket_id": excluded.socketID,
	}).ok(t, "{}")
	got := map[string]bool{}
	for range 2 {
		got[included.recv(t).channel()] = true
	}
	if !got[first] || !got[second] {
		t.Errorf("delivered on %v, want both channels", got)
	}
	for _, channel := range []string{first, second} {
		a.deliversOnly(t, excluded, channel)
		included.expectEvent(t, "sentinel", channel, "end")
	}
}

func triggerSocketIDs(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	for _, bad := range []any{"nonsense", "1234", "1.2.3", "1.", ".1", "-1.1", "1.1\n", " 1.1", "1.1:private-x", "1,1", true, []string{"1.1"}} {
		got := s.api(plain).post(t, "/events", event(channel, object{"socket_id": bad}))
		if got.status != 400 || got.body != "Invalid socket_id\n" {
			t.Errorf("socket_id %#v: got %d %q, want 400", bad, got.status, got.body)
		}
	}
	s.api(plain).post(t, "/events", event(channel, object{"socket_id": "1.1"})).ok(t, "{}")
	c.expectEvent(t, "e", channel, "1")
}

func triggerManyChannels(t *testing.T) {
	s := shared(t)
	prefix := unique("x-")
	var names []string
	for i := range 101 {
		names = append(names, prefix+"-"+strconv.Itoa(i))
	}
	c := connect(t, s, plain)
	for _, name := range []string{names[0], names[99], names[100]} {
		c.subscribe(t, name)
	}
	a := s.api(plain)
	a.post(t, "/events", object{"name": "many", "channels": names, "data": "1"}).is(t, 400, "Too many channels (101 > 100)\n")
	a.post(t, "/events", object{"name": "e", "channels": names[:100], "data": "1"}).ok(t, "{}")
	for range 2 {
		if f := c.recv(t); f.Event != "e" || f.channel() == names[100] {
			t.Errorf("got frame %s", f.raw)
		}
	}
	c.expectNothing(t)
}

func triggerRepeated(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	s.api(plain).post(t, "/events", object{
		"name": "e", "channels": []string{channel, channel, channel}, "data": "1", "info": "subscription_count",
	}).ok(t, `{"channels":{"`+channel+`":{"subscription_count":1}}}`)
	c.expectEvent(t, "e", channel, "1")
	s.api(plain).deliversOnly(t, c, channel)
}

func triggerLargeData(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	for _, unit := range []string{"x", `"`, "\u0001", "é"} {
		fits := strings.Repeat(unit, 10_240/len(unit))
		s.api(plain).trigger(t, channel, "e", fits)
		c.expectEvent(t, "e", channel, fits)
		s.api(plain).post(t, "/events", event(channel, object{"data": fits + "x"})).is(t, 413, textEventSize+"\n")
	}
	s.api(plain).deliversOnly(t, c, channel)
}

func triggerMissing(t *testing.T) {
	a := shared(t).api(plain)
	channel := unique("x-")
	a.post(t, "/events", event(channel, object{"name": nil})).is(t, 400, textMissing("name"))
	a.post(t, "/events", event(channel, object{"data": nil})).is(t, 400, textMissing("data"))
	a.post(t, "/events", event(channel, object{"channels": nil})).is(t, 400, textMissing("channel"))
	for _, channels := range []any{[]string{}, channel, 5, object{"a": channel}} {
		a.post(t, "/events", event(channel, object{"channels": channels})).is(t, 400, textMissing("channel"))
	}
}

func triggerNameType(t *testing.T) {
	for _, name := range []any{5, true, []string{"e"}, object{"a": "e"}} {
		got := shared(t).api(plain).post(t, "/events", event(unique("x-"), object{"name": name}))
		if got.status != 400 || got.body != "Expected name parameter to be a string\n" {
			t.Errorf("name %v: got %d %q", name, got.status, got.body)
		}
	}
}

func triggerLongName(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	for _, unit := range []string{"x", "é", "🐢"} {
		longest := strings.Repeat(unit, 200)
		s.api(plain).trigger(t, channel, longest, "1")
		c.expectEvent(t, longest, channel, "1")
		s.api(plain).post(t, "/events", event(channel, object{"name": longest + "x"})).is(t, 400, "Event name too long (201 > 200)\n")
	}
	s.api(plain).deliversOnly(t, c, channel)
}

func triggerReserved(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	const reserved = "The 'pusher' namespace is reserved for internal usage\n"
	for _, name := range []string{
		"pusher", "pusher:ping", "pusher:error", "pusher_internal:member_added", "pusher-notification", "pusherfoo",
	} {
		s.api(plain).post(t, "/events", event(channel, object{"name": name})).is(t, 400, reserved)
		s.api(plain).post(t, "/batch_events", object{"batch": []object{{"channel": channel, "name": name, "data": "1"}}}).
			is(t, 400, reserved)
	}
	for _, name := range []string{"Pusher:x", "my-pusher", "client-x"} {
		s.api(plain).trigger(t, channel, name, "1")
		c.expectEvent(t, name, channel, "1")
	}
	c.expectNothing(t)
}

func triggerOtherData(t *testing.T) {
	s := shared(t)
	channel := unique("x-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	for _, data := range []string{
		`{"b":1,"a":[true,null,"<é>"],"n":1.50}`, `[]`, `{}`, `5`, `12345678901234567890`, `true`, `false`,
	} {
		s.api(plain).do(t, call{path: "/events", body: `{"name":"e","channel":"` + channel + `","data":` + data + `}`}).ok(t, "{}")
		c.expectEvent(t, "e", channel, data)
	}
}

func triggerInfo(t *testing.T) {
	s := shared(t)
	public, presence, empty := unique("x-"), unique("presence-"), unique("private-")
	for _, user := range []string{"1", "2", "2"} {
		c := connect(t, s, plain)
		c.subscribe(t, public)
		c.joinAs(t, presence, user)
	}
	got := s.api(plain).post(t, "/events", object{
		"name": "e", "channels": []string{public, presence, empty, "presence-" + empty}, "data": "1",
		"info": "user_count,subscription_count",
	})
	want := `{"channels":{"` + public + `":{"subscription_count":3},"` + presence + `":{"user_count":2,"subscription_count":3},"` +
		empty + `":{"subscription_count":0},"presence-` + empty + `":{"user_count":0,"subscription_count":0}}}`
	if got.status != 200 || !sameJSON(t, got.body, want) {
		t.Errorf("got %d %q, want %s", got.status, got.body, want)
	}
	s.api(plain).post(t, "/events", event(public, object{"info": "user_count"})).ok(t, `{"channels":{"`+public+`":{}}}`)
}

func triggerUnknownInfo(t *testing.T) {
	s := shared(t)
	channel := unique("cache-")
	c := connect(t, s, plain)
	c.subscribe(t, channel)
	c.expect(t, "pusher:cache_miss", channel)
	for _, info := range []any{"bogus", "user_count,bogus", "cache", "user_count subscription_count", 5, []string{"user_count"}} {
		got := s.api(plain).post(t, "/events", event(channel, object{"info": info}))
		if got.status != 400 || got.body != "info should be a comma separated list of attributes\n" {
			t.Errorf("info %v: got %d %q", info, got.status, got.body)
		}
	}
	s.api(plain).deliversOnly(t, c, channel)
}

func triggerChannelNames(t *testing.T) {
	a := shared(t).api(plain)
	for _, name := range []string{
		"", "a b", "a:b", "a/b", "a#b", "#a", "#server-to-user-", "#server-to-user-a b", "żółw", strings.Repeat("x", 201),
	} {
		a.post(t, "/events", event(name, nil)).is(t, 400, "Invalid channel name "+name+"\n")
	}
	a.trigger(t, strings.Repeat("x", 200), "e", "1")
	a.trigger(t, "a-_=@,.;1", "e", "1")
}
