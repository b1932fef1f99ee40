package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
)

// docClock is the timestamp of the documentation's vectors.
const docClock = 1353088179

// at sets the clock of the API, in seconds.
func at(seconds int64) func(*httpapi.Options, *apps.App) {
	return func(o *httpapi.Options, _ *apps.App) { o.Now = func() time.Time { return time.Unix(seconds, 0) } }
}

// P-174
func TestDocumentedRequestIsAccepted(t *testing.T) {
	f := newFixture(t, at(docClock))
	f.want(request{
		method: "POST", path: "/apps/3/events",
		body: `{"name":"foo","channels":["project-3"],"data":"{\"some\":\"data\"}"}`,
		query: "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0" +
			"&body_md5=ec365a775a4cd0599faeb73354201b6f" +
			"&auth_signature=da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c",
	}, http.StatusOK, "{}")
}

// P-175
func TestTimestampWindow(t *testing.T) {
	query := auth.SignedQuery(pair, "GET", "/apps/3/channels", nil, nil, time.Unix(docClock, 0))
	for clock, want := range map[int64]string{
		docClock - 601: "Timestamp expired: Given timestamp (2012-11-16T17:49:39Z) not within 600s of server time (2012-11-16T17:39:38Z)",
		docClock - 600: `{"channels":{}}`,
		docClock + 600: `{"channels":{}}`,
		docClock + 601: "Timestamp expired: Given timestamp (2012-11-16T17:49:39Z) not within 600s of server time (2012-11-16T17:59:40Z)",
	} {
		f := newFixture(t, at(clock))
		status := http.StatusOK
		if strings.HasPrefix(want, "Timestamp") {
			status = http.StatusUnauthorized
		}
		f.want(request{method: "GET", path: "/apps/3/channels", query: query}, status, want)
	}
}

// P-176, P-177, P-180, P-183, P-184
func TestUnauthorized(t *testing.T) {
	const body = `{"name":"e","channel":"a","data":"1"}`
	signed := func(change func(url.Values)) string {
		values, _ := url.ParseQuery(auth.SignedQuery(pair, "POST", events, nil, []byte(body), time.Now()))
		change(values)
		return values.Encode()
	}
	tests := []struct {
		name, query, body string
		want              string // beginning
	}{
		{"no signature at all", "x=1", body, "Missing parameter: auth_key\n"},
		{"no timestamp", signed(func(v url.Values) { v.Del("auth_timestamp") }), body, "Missing parameter: auth_timestamp\n"},
		{"no version", signed(func(v url.Values) { v.Del("auth_version") }), body, "Missing parameter: auth_version\n"},
		{"no auth_signature", signed(func(v url.Values) { v.Del("auth_signature") }), body, "Missing parameter: auth_signature\n"},
		{"another version", signed(func(v url.Values) { v.Set("auth_version", "2.0") }), body, "Unsupported auth_version\n"},
		{"an unknown key", signed(func(v url.Values) { v.Set("auth_key", "nope") }), body, "Unknown auth_key\n"},
		{"a key of another app", auth.SignedQuery(otherPair, "POST", events, nil, []byte(body), time.Now()), body, "Unknown auth_key\n"},
		{"a timestamp that is none", signed(func(v url.Values) { v.Set("auth_timestamp", "soon") }), body, "Invalid auth_timestamp\n"},
		{"a changed body byte", signed(func(url.Values) {}), strings.Replace(body, "1", "2", 1), "Invalid body_md5\n"},
		{"no body_md5", auth.SignedQuery(pair, "POST", events, nil, nil, time.Now()), body, "Invalid body_md5\n"},
		{"a body that is gone", signed(func(url.Values) {}), "", "Invalid body_md5\n"},
		{"a parameter added", signed(func(v url.Values) { v.Set("info", "user_count") }), body, "Invalid signature: you should have sent HmacSHA256Hex("},
		{"signed for another path", auth.SignedQuery(pair, "POST", "/apps/3/batch_events", nil, []byte(body), time.Now()), body, "Invalid signature: "},
		{"signed for another method", auth.SignedQuery(pair, "GET", events, nil, []byte(body), time.Now()), body, "Invalid signature: "},
		{"another secret", auth.SignedQuery(auth.Key{Key: pair.Key, Secret: "x"}, "POST", events, nil, []byte(body), time.Now()), body, "Invalid signature: "},
	}
	f := newFixture(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			got := f.send(request{method: "POST", path: events, query: tt.query, body: tt.body})
			if got.Code != http.StatusUnauthorized || !strings.HasPrefix(got.Body.String(), tt.want) {
				t.Errorf("%d %s, want 401 %s", got.Code, got.Body, tt.want)
			}
		})
	}
}

// P-178, P-179, P-180, P-181, P-182
func TestSignatureTolerances(t *testing.T) {
	f := newFixture(t, at(docClock))
	const credentials = "auth_key=278d425bdf160c739803&auth_timestamp=1353088179&auth_version=1.0"
	for _, tt := range []struct{ name, path, wire, signed string }{
		{"the MD5 of nothing on a GET", "/apps/3/channels", credentials + "&body_md5=d41d8cd98f00b204e9800998ecf8427e", credentials + "&body_md5=d41d8cd98f00b204e9800998ecf8427e"},
		{"an empty info", "/apps/3/channels", credentials + "&info=", credentials + "&info="},
		{"an unknown parameter", "/apps/3/channels", credentials + "&x=1", credentials + "&x=1"},
		{"an encoded comma", "/apps/3/channels", credentials + "&filter_by_prefix=presence-&info=user_count%2Csubscription_count", credentials + "&filter_by_prefix=presence-&info=user_count,subscription_count"},
		{"a raw comma", "/apps/3/channels", credentials + "&filter_by_prefix=presence-&info=user_count,subscription_count", credentials + "&filter_by_prefix=presence-&info=user_count,subscription_count"},
		{"upper-case names", "/apps/3/channels", credentials + "&Filter_By_Prefix=presence-&INFO=user_count", credentials + "&filter_by_prefix=presence-&info=user_count"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := *f
			f.t = t
			signature := pair.Secret.Sign([]byte("GET\n" + tt.path + "\n" + tt.signed))
			f.want(request{method: "GET", path: tt.path, query: tt.wire + "&auth_signature=" + signature}, http.StatusOK, `{"channels":{}}`)
		})
	}
}

// P-186
func TestEncodedUserID(t *testing.T) {
	f := newFixture(t)
	const wire = "/apps/3/users/user%201/terminate_connections"
	for _, signed := range []string{wire, "/apps/3/users/user 1/terminate_connections"} {
		f.want(request{method: "POST", path: wire, query: auth.SignedQuery(pair, "POST", signed, nil, nil, time.Now())}, http.StatusOK, "{}")
	}
}

// P-187
func TestSignatureErrorTellsNoSecret(t *testing.T) {
	const body = `{"name":"e","channel":"a","data":"1"}`
	for _, development := range []bool{false, true} {
		f := newFixture(t, func(o *httpapi.Options, _ *apps.App) { o.Development = development })
		query := auth.SignedQuery(pair, "POST", events, url.Values{"x": {"a b"}}, []byte(body), time.Now())
		values, _ := url.ParseQuery(query)
		right := values.Get("auth_signature")
		sent := strings.Repeat("0f", 32)
		query = strings.Replace(query, right, sent, 1)
		got := f.send(request{method: "POST", path: events, query: query, body: body}).Body.String()

		text := `POST\n/apps/3/events\nauth_key=` + pair.Key + "&auth_timestamp=" + values.Get("auth_timestamp") +
			"&auth_version=1.0&body_md5=" + values.Get("body_md5") + "&x=a b"
		want := `Invalid signature: you should have sent HmacSHA256Hex("` + text + `", your_secret_key), but you sent "` + sent + `"`
		if !strings.HasPrefix(got, want) {
			t.Errorf("text\n got %s\nwant %s", got, want)
		}
		if strings.Contains(got, string(pair.Secret)) || strings.Contains(got, right) {
			t.Errorf("development=%v: text holds a secret: %s", development, got)
		}
		if explained := strings.Contains(got, "server time") && strings.Contains(got, "also tried"); explained != development {
			t.Errorf("development=%v: text %s", development, got)
		}
	}
}

// Every active key signs; a request names which.
func TestSeveralKeys(t *testing.T) {
	second := auth.Key{Key: "second", Secret: "second-secret"}
	f := newFixture(t, func(_ *httpapi.Options, app *apps.App) { app.Keys = append(app.Keys, second) })
	for _, p := range []auth.Key{pair, second} {
		r := get("/apps/3/channels")
		r.pair = p
		f.want(r, http.StatusOK, `{"channels":{}}`)
	}
}
