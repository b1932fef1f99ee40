package conformance

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRequestSignatures(t *testing.T) {
	a := shared(t).api(plain)
	with := func(test func(*testing.T, api)) func(*testing.T) {
		return func(t *testing.T) { test(t, a) }
	}
	prove(t, []statement{
		{"P-175 the timestamp may be 600 s off, not 601", with(timestampWindow)},
		{"P-176 body and body_md5 are covered", with(bodyCovered)},
		{"P-177 a body needs its md5", with(bodyNeedsMD5)},
		{"P-178 a GET may carry the md5 of nothing", with(emptyBodyMD5)},
		{"P-179 an empty info is signed and means none", with(emptyInfo)},
		{"P-180 unknown parameters are signed like the others", with(extraParameters)},
		{"P-181 escaped and raw commas verify alike", with(commaEncodings)},
		{"P-182 parameter names are lower-cased", with(upperCaseNames)},
		{"P-183 a key of another app is unknown", with(foreignKeys)},
		{"P-184 only auth_version 1.0 is supported", with(versions)},
		{"P-186 a user id may be signed encoded or decoded", with(encodedUserIDs)},
		{"P-187 a 401 explains without the secret", with(explanations)},
		{"missing parameters are named", with(missingParameters)},
		{"arrays and spaces verify in every spelling", with(spellings)},
	})
}

// rewritten returns the signed request with its raw query changed.
func (a api) rewritten(t testing.TB, c call, change func(rawQuery string) string) *http.Request {
	t.Helper()
	r := a.request(t, c)
	r.URL.RawQuery = change(r.URL.RawQuery)
	return r
}

// replaced is rewritten by one replacement, which must happen.
func (a api) replaced(t testing.TB, c call, old, replacement string) *http.Request {
	t.Helper()
	return a.rewritten(t, c, func(rawQuery string) string {
		if !strings.Contains(rawQuery, old) {
			t.Fatalf("no %q in %q", old, rawQuery)
		}
		return strings.Replace(rawQuery, old, replacement, 1)
	})
}

// withBody puts another body under a signed request.
func withBody(r *http.Request, body string) *http.Request {
	r.Body = io.NopCloser(strings.NewReader(body))
	r.GetBody = nil
	r.ContentLength = int64(len(body))
	return r
}

const eventBody = `{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}`

// timestampWindow repeats a request when the second changed under it, since the
// server reads its clock between the two readings here.
func timestampWindow(t *testing.T, a api) {
	answerAt := func(offset int64) answer {
		for {
			now := time.Now().Unix()
			got := a.do(t, call{path: "/channels", query: url.Values{"filter_by_prefix": {"nothing-"}}, timestamp: now + offset})
			if time.Now().Unix() == now {
				return got
			}
		}
	}
	for _, offset := range []int64{0, -600, 600, -599, 599} {
		answerAt(offset).ok(t, `{"channels":{}}`)
	}
	expired := regexp.MustCompile(`^Timestamp expired: Given timestamp \((\S+Z)\) not within 600s of server time \((\S+Z)\)\n$`)
	for _, offset := range []int64{-601, 601, -100_000, 100_000} {
		got := answerAt(offset)
		found := expired.FindStringSubmatch(got.body)
		if got.status != http.StatusUnauthorized || found == nil {
			t.Errorf("%d s off: got %d %q, want 401 Timestamp expired", offset, got.status, got.body)
			continue
		}
		given, err1 := time.Parse(time.RFC3339, found[1])
		server, err2 := time.Parse(time.RFC3339, found[2])
		if err1 != nil || err2 != nil || given.Unix()-server.Unix() != offset {
			t.Errorf("%d s off: got %q", offset, got.body)
		}
	}
	for _, nonsense := range []string{"abc", "", "1.5", "0x10", "99999999999999999999"} {
		query := a.parameters(call{path: "/channels"})
		query.Set("auth_timestamp", nonsense)
		r := a.request(t, call{path: "/channels"})
		query.Set("auth_signature", sign(a.app.secret, signedText("GET", "/apps/1001/channels", query)))
		r.URL.RawQuery = query.Encode()
		if got := a.srv.roundTrip(t, r); got.status != http.StatusUnauthorized {
			t.Errorf("auth_timestamp %q: got %d %q, want 401", nonsense, got.status, got.body)
		}
	}
}

func bodyCovered(t *testing.T, a api) {
	c := call{path: "/events", body: eventBody}
	changed := strings.Replace(eventBody, "foo", "fop", 1)
	a.srv.roundTrip(t, withBody(a.request(t, c), changed)).is(t, 401, "Invalid body_md5\n")
	a.srv.roundTrip(t, withBody(a.request(t, c), "")).is(t, 401, "Invalid body_md5\n")
	a.srv.roundTrip(t, withBody(a.request(t, call{path: "/channels"}), changed)).is(t, 401, "Invalid body_md5\n")

	both := withBody(a.replaced(t, c, bodyMD5(eventBody), bodyMD5(changed)), changed)
	got := a.srv.roundTrip(t, both)
	if got.status != 401 || !strings.HasPrefix(got.body, "Invalid signature: ") {
		t.Errorf("body and md5 changed: got %d %q, want 401 Invalid signature", got.status, got.body)
	}
	a.srv.roundTrip(t, a.request(t, c)).ok(t, "{}")
	upper := c
	upper.md5 = strings.ToUpper(bodyMD5(eventBody))
	a.do(t, upper).ok(t, "{}")
}

func bodyNeedsMD5(t *testing.T, a api) {
	a.do(t, call{path: "/events", body: eventBody, md5: "-"}).is(t, 401, "Invalid body_md5\n")
	a.do(t, call{path: "/events", body: eventBody, md5: bodyMD5("")}).is(t, 401, "Invalid body_md5\n")
	a.do(t, call{path: "/events", body: eventBody, md5: "nonsense"}).is(t, 401, "Invalid body_md5\n")
}

func emptyBodyMD5(t *testing.T, a api) {
	c := call{path: "/channels", query: url.Values{"filter_by_prefix": {"nothing-"}}, md5: bodyMD5("")}
	a.do(t, c).ok(t, `{"channels":{}}`)
	c.md5 = bodyMD5("x")
	a.do(t, c).is(t, 401, "Invalid body_md5\n")
}

func emptyInfo(t *testing.T, a api) {
	c := call{path: "/channels/nothing", query: url.Values{"info": {""}}}
	a.do(t, c).ok(t, `{"occupied":false}`)
	if got := a.srv.roundTrip(t, a.replaced(t, c, "&info=", "")); got.status != http.StatusUnauthorized {
		t.Errorf("info taken away after signing: got %d %q, want 401", got.status, got.body)
	}
}

func extraParameters(t *testing.T, a api) {
	c := call{path: "/channels/nothing", query: url.Values{"zebra": {"a b&c=d"}}}
	a.do(t, c).ok(t, `{"occupied":false}`)
	added := a.rewritten(t, call{path: "/channels/nothing"}, func(q string) string { return q + "&zebra=1" })
	if got := a.srv.roundTrip(t, added); got.status != http.StatusUnauthorized {
		t.Errorf("parameter added after signing: got %d %q, want 401", got.status, got.body)
	}
}

func commaEncodings(t *testing.T, a api) {
	c := call{path: "/channels/presence-nothing", query: url.Values{"info": {"user_count,subscription_count"}}}
	for _, r := range []*http.Request{a.request(t, c), a.replaced(t, c, "%2C", ",")} {
		got := a.srv.roundTrip(t, r)
		if got.status != 200 || !sameJSON(t, got.body, `{"occupied":false,"user_count":0,"subscription_count":0}`) {
			t.Errorf("%s: got %d %q", r.URL.RawQuery, got.status, got.body)
		}
	}
}

func upperCaseNames(t *testing.T, a api) {
	c := call{path: "/channels/presence-nothing", query: url.Values{"info": {"user_count"}, "zebra": {"1"}}}
	r := a.replaced(t, c, "info=", "INFO=")
	for _, name := range []string{"auth_key=", "auth_signature=", "auth_timestamp=", "auth_version=", "zebra="} {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, name, strings.ToUpper(name), 1)
	}
	got := a.srv.roundTrip(t, r)
	if got.status != 200 || !sameJSON(t, got.body, `{"occupied":false,"user_count":0}`) {
		t.Errorf("%s: got %d %q", r.URL.RawQuery, got.status, got.body)
	}
}

func foreignKeys(t *testing.T, a api) {
	for _, key := range []app{other, unknown} {
		a.do(t, call{path: "/channels", key: key.key, secret: key.secret}).is(t, 401, "Unknown auth_key\n")
		a.do(t, call{path: "/events", body: eventBody, key: key.key, secret: key.secret}).is(t, 401, "Unknown auth_key\n")
	}
}

func versions(t *testing.T, a api) {
	for _, version := range []string{"2.0", "1", "1.00", "0.9", "v1.0"} {
		a.do(t, call{path: "/channels", version: version}).is(t, 401, "Unsupported auth_version\n")
	}
}

func encodedUserIDs(t *testing.T, a api) {
	user := unique("u@") // valid in a sign-in, and often escaped in paths
	escaped := strings.Replace(user, "@", "%40", 1)
	for _, signed := range []string{escaped, user} {
		c := connect(t, a.srv, a.app)
		c.signin(t, `{"id":"`+user+`"}`)
		a.do(t, call{
			path: "/users/" + escaped + "/terminate_connections", body: "{}",
			signPath: "/apps/1001/users/" + signed + "/terminate_connections",
		}).ok(t, "{}")
		c.expectTerminated(t)
	}
	for _, signed := range []string{"user%201", "user 1"} { // the forms of V-30 and V-31
		a.do(t, call{
			path: "/users/user%201/terminate_connections", body: "{}",
			signPath: "/apps/1001/users/" + signed + "/terminate_connections",
		}).ok(t, "{}")
	}
}

func explanations(t *testing.T, a api) {
	developing := startServer(t, "development: true\napps:\n"+appYAML(plain)).api(plain)
	for _, c := range []call{
		{path: "/events", body: eventBody},
		{path: "/channels", query: url.Values{"filter_by_prefix": {"presence-"}, "info": {"user_count"}}},
	} {
		got, want := a.withWrongSignature(t, c)
		got.is(t, 401, want+"\n")
		// In development mode more may follow.
		if got, want := developing.withWrongSignature(t, c); got.status != 401 || !strings.HasPrefix(got.body, want) {
			t.Errorf("got %d %q in development mode, want 401 %q", got.status, got.body, want)
		}
	}
}

// withWrongSignature returns the answer, which must not give away secret or
// digest, and the text that §7.2 demands.
func (a api) withWrongSignature(t testing.TB, c call) (got answer, want string) {
	t.Helper()
	wrong := strings.Repeat("0", 64)
	r := a.request(t, c)
	query := r.URL.Query()
	digest := query.Get("auth_signature")
	query.Del("auth_signature")
	text := strings.ReplaceAll(signedText(r.Method, r.URL.Path, query), "\n", `\n`)
	r.URL.RawQuery = strings.Replace(r.URL.RawQuery, digest, wrong, 1)
	got = a.srv.roundTrip(t, r)
	if strings.Contains(got.body, a.app.secret) || strings.Contains(got.body, digest) {
		t.Errorf("the body gives away secret or digest: %q", got.body)
	}
	return got, `Invalid signature: you should have sent HmacSHA256Hex("` + text + `", your_secret_key), but you sent "` + wrong + `"`
}

func missingParameters(t *testing.T, a api) {
	for _, name := range []string{"auth_key", "auth_timestamp", "auth_version", "auth_signature"} {
		r := a.request(t, call{path: "/events", body: eventBody})
		query := r.URL.Query()
		query.Del(name)
		r.URL.RawQuery = query.Encode()
		a.srv.roundTrip(t, r).is(t, 401, "Missing parameter: "+name+"\n")
	}
}

// spellings are the tolerances of §6.3 for what libraries do to a query.
func spellings(t *testing.T, a api) {
	channel := unique("spelled-")
	c := connect(t, a.srv, a.app)
	c.subscribe(t, channel)
	query := func(signed string) string {
		text := "auth_key=" + a.app.key + "&auth_timestamp=" + strconv.FormatInt(time.Now().Unix(), 10) + "&auth_version=1.0" + signed
		return text + "&auth_signature=" + sign(a.app.secret, "POST\n/apps/1001/events\n"+text)
	}
	for i, spelling := range []struct{ signed, sent, data string }{
		{"&channels[]=" + channel + "&data=hello world&name=e", "&channels[]=" + channel + "&data=hello+world&name=e", "hello world"},
		{"&channels[]=" + channel + "&data=hello world&name=e", "&channels%5B%5D=" + channel + "&data=hello%20world&name=e", "hello world"},
		{"&channel=" + channel + "&data=a,b;c=d&name=e", "&channel=" + channel + "&data=a,b%3Bc=d&name=e", "a,b;c=d"},
		{"&channels=" + channel + ",x&data=1&name=e", "&channels[]=" + channel + "&channels[]=x&data=1&name=e", "1"},
	} {
		r := a.request(t, call{path: "/events", method: http.MethodPost})
		r.URL.RawQuery = strings.Replace(query(spelling.signed), spelling.signed, spelling.sent, 1)
		if got := a.srv.roundTrip(t, r); got.status != 200 {
			t.Errorf("spelling %d: got %d %q", i, got.status, got.body)
			continue
		}
		c.expectEvent(t, "e", channel, spelling.data)
	}
}

func TestMountedSignatures(t *testing.T) {
	s := startServer(t, "mount: /realtime\napps:\n"+appYAML(plain))
	s.mount = "/realtime"
	a := s.api(plain)
	prove(t, []statement{{"P-185 the path may be signed with and without the mount prefix", func(t *testing.T) {
		c := connect(t, s, plain)
		channel := unique("mounted-")
		c.subscribe(t, channel)
		body := marshal(t, object{"name": "e", "channel": channel, "data": "1"})
		for _, signed := range []string{"/apps/1001/events", "/realtime/apps/1001/events"} {
			a.do(t, call{path: "/events", body: body, signPath: signed}).ok(t, "{}")
			c.expectEvent(t, "e", channel, "1")
		}
		if got := a.do(t, call{path: "/events", body: body, signPath: "/other/apps/1001/events"}); got.status != 401 {
			t.Errorf("another prefix signed: got %d %q, want 401", got.status, got.body)
		}
		if got := a.do(t, call{path: "//apps/1001/events", body: body}); got.status != 404 {
			t.Errorf("without the prefix: got %d %q, want 404", got.status, got.body)
		}
	}}})
}
