package conformance

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// api is a backend: the HTTP API of one app on one server. Safe for concurrent
// use.
type api struct {
	srv *server
	app app
}

// api returns the HTTP API client of the app.
func (s *server) api(a app) api { return api{s, a} }

// call is a request before it is signed. Zero fields mean the usual.
type call struct {
	method string // POST with a body, else GET
	path   string // below the app: "/events"; a path with a leading "//" is taken whole
	query  url.Values
	body   string

	timestamp int64  // now
	version   string // 1.0
	md5       string // of the body; "-" for none
	secret    string // of the app
	key       string // of the app
	signPath  string // instead of the path that is requested
}

// answer is a response.
type answer struct {
	status int
	header http.Header
	body   string
}

// request returns the signed request, for tests that tamper with it.
func (a api) request(t testing.TB, c call) *http.Request {
	t.Helper()
	path, whole := strings.CutPrefix(c.path, "//")
	if whole {
		path = "/" + path
	} else {
		path = a.srv.mount + "/apps/" + a.app.id + c.path
	}
	method := or(c.method, http.MethodGet)
	if c.method == "" && c.body != "" {
		method = http.MethodPost
	}
	query := a.parameters(c)
	query.Set("auth_signature", sign(or(c.secret, a.app.secret),
		signedText(method, or(c.signPath, strings.TrimPrefix(path, a.srv.mount)), query)))
	r, err := http.NewRequestWithContext(t.Context(), method,
		a.srv.public+path+"?"+query.Encode(), strings.NewReader(c.body))
	if err != nil {
		t.Fatalf("request: %v", err)
	}
	return r
}

// parameters returns the query without the signature.
func (a api) parameters(c call) url.Values {
	query := url.Values{}
	maps.Copy(query, c.query)
	timestamp := c.timestamp
	if timestamp == 0 {
		timestamp = time.Now().Unix()
	}
	query.Set("auth_key", or(c.key, a.app.key))
	query.Set("auth_timestamp", strconv.FormatInt(timestamp, 10))
	query.Set("auth_version", or(c.version, "1.0"))
	switch {
	case c.md5 == "-":
	case c.md5 != "":
		query.Set("body_md5", c.md5)
	case c.body != "":
		query.Set("body_md5", bodyMD5(c.body))
	}
	return query
}

// signedText is the string to sign of §6.3. Parameters must have lower-case
// names.
func signedText(method, path string, query url.Values) string {
	var names []string
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	var pairs []string
	for _, name := range names {
		for _, value := range query[name] {
			pairs = append(pairs, name+"="+value)
		}
	}
	return method + "\n" + path + "\n" + strings.Join(pairs, "&")
}

func bodyMD5(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// do signs, sends and reads the whole answer.
func (a api) do(t testing.TB, c call) answer {
	t.Helper()
	return a.srv.roundTrip(t, a.request(t, c))
}

// roundTrip sends a request as it is.
func (s *server) roundTrip(t testing.TB, r *http.Request) answer {
	t.Helper()
	got, err := s.tryRoundTrip(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	return got
}

func (s *server) tryRoundTrip(r *http.Request) (answer, error) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*patience)
	defer cancel()
	response, err := s.http.Do(r.WithContext(ctx))
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body)}, err
}

// post sends a JSON body to a path below the app.
func (a api) post(t testing.TB, path string, body any) answer {
	t.Helper()
	return a.do(t, call{path: path, body: marshal(t, body)})
}

// get reads a path below the app; query is as in a URL.
func (a api) get(t testing.TB, path, query string) answer {
	t.Helper()
	values, err := url.ParseQuery(query)
	if err != nil {
		t.Fatalf("query: %v", err)
	}
	return a.do(t, call{path: path, query: values})
}

// trigger publishes an event on one channel; it must be accepted.
func (a api) trigger(t testing.TB, channel, event, data string) {
	t.Helper()
	a.triggerExcept(t, channel, event, data, "")
}

// triggerExcept is trigger with a socket id that does not get the event.
func (a api) triggerExcept(t testing.TB, channel, event, data, socketID string) {
	t.Helper()
	body := object{"name": event, "channels": []string{channel}, "data": data}
	if socketID != "" {
		body["socket_id"] = socketID
	}
	a.post(t, "/events", body).ok(t, "{}")
}

// ok requires status 200 and this body.
func (a answer) ok(t testing.TB, body string) {
	t.Helper()
	a.is(t, http.StatusOK, body)
}

// is requires this status and body.
func (a answer) is(t testing.TB, status int, body string) {
	t.Helper()
	if a.status != status || a.body != body {
		t.Fatalf("got %d %q, want %d %q", a.status, a.body, status, body)
	}
}

// into decodes a body of status 200.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if a.status != http.StatusOK {
		t.Fatalf("got %d %q, want 200", a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
