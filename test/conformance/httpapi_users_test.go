package conformance

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestUserEndpoints(t *testing.T) {
	prove(t, []statement{
		{"P-216 terminate answers 200 for unknown users and without body", terminateAnswers},
		{"P-217 terminate works without the app in the path", terminateByAlias},
		{"an unusable user id is 400", terminateInvalid},
	})
}

func terminateAnswers(t *testing.T) {
	a := shared(t).api(plain)
	path := "/users/" + unique("nobody-") + "/terminate_connections"
	a.do(t, call{path: path, body: "{}"}).ok(t, "{}")
	a.do(t, call{path: path, method: http.MethodPost}).ok(t, "{}")
	a.do(t, call{path: path, body: "not even JSON"}).ok(t, "{}")
}

func terminateByAlias(t *testing.T) {
	s := shared(t)
	user := unique("u-")
	for _, c := range []call{{body: "{}"}, {method: http.MethodPost}} {
		theirs, namesake := connect(t, s, plain), connect(t, s, other)
		theirs.signin(t, `{"id":"`+user+`"}`)
		namesake.signin(t, `{"id":"`+user+`"}`)
		c.path = "//users/" + user + "/terminate_connections"
		s.api(plain).do(t, c).ok(t, "{}")
		theirs.expectTerminated(t)
		namesake.expectNothing(t)
	}
	path := "//users/" + user + "/terminate_connections"
	s.api(unknown).do(t, call{path: path, body: "{}"}).is(t, 401, "Unknown auth_key\n")
	if got := s.api(plain).do(t, call{path: path, body: "{}", signPath: "/apps/1001" + path[1:]}); got.status != 401 {
		t.Errorf("signed over the longer path: got %d %q, want 401", got.status, got.body)
	}
}

func terminateInvalid(t *testing.T) {
	a := shared(t).api(plain)
	for _, user := range []string{strings.Repeat("x", 201), "%ff"} {
		a.do(t, call{path: "/users/" + user + "/terminate_connections", body: "{}"}).is(t, 400, "Invalid user id\n")
	}
	a.do(t, call{path: "/users/" + strings.Repeat("x", 200) + "/terminate_connections", body: "{}"}).ok(t, "{}")
}

func TestLegacyEndpoints(t *testing.T) {
	prove(t, []statement{
		{"P-218 the legacy trigger takes the raw body and answers 202", legacyTrigger},
		{"stats tell occupation and counts", legacyStats},
	})
}

func legacyTrigger(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	channel := unique("x-")
	c, excluded := connect(t, s, plain), connect(t, s, plain)
	c.subscribe(t, channel)
	excluded.subscribe(t, channel)
	ask := func(body string, query url.Values) answer {
		return a.do(t, call{method: http.MethodPost, path: "/channels/" + channel + "/events", query: query, body: body})
	}
	for _, data := range []string{`{"some":"data"}`, "raw, not JSON \"", "żółw", strings.Repeat("x", 10_240)} {
		ask(data, url.Values{"name": {"foo"}, "socket_id": {excluded.socketID}}).is(t, 202, "{}")
		c.expectEvent(t, "foo", channel, data)
	}
	for _, invalid := range []string{"\xff", "a\xc3", "\xed\xa0\x80"} {
		if got := ask(invalid, url.Values{"name": {"foo"}}); got.status != 400 {
			t.Errorf("body %q: got %d %q, want 400", invalid, got.status, got.body)
		}
	}
	ask(strings.Repeat("x", 10_241), url.Values{"name": {"foo"}}).is(t, 413, textEventSize+"\n")
	ask("1", nil).is(t, 400, textMissing("name"))
	ask("1", url.Values{"name": {"foo"}, "socket_id": {"nonsense"}}).is(t, 400, "Invalid socket_id\n")
	a.deliversOnly(t, c, channel)
	excluded.expectEvent(t, "sentinel", channel, "end")
}

func legacyStats(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	public, presence := unique("x-"), unique("presence-")
	for _, user := range []string{"1", "1"} {
		c := connect(t, s, plain)
		c.subscribe(t, public)
		c.joinAs(t, presence, user)
	}
	for channel, want := range map[string]string{
		public:        `{"occupied":true,"connection_count":2}`,
		presence:      `{"occupied":true,"user_count":1,"connection_count":2}`,
		public + "-x": `{"occupied":false,"connection_count":0}`,
	} {
		got := a.get(t, "/channels/"+channel+"/stats", "")
		if got.status != 200 || !sameJSON(t, got.body, want) {
			t.Errorf("%s: got %d %q, want %s", channel, got.status, got.body, want)
		}
	}
}
