package conformance

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAPIErrors(t *testing.T) {
	prove(t, []statement{
		{"P-219 P-250 errors are plain text ending in a newline and carry no CORS headers", errorForm},
		{"P-220 statuses of unknown and disabled apps, methods and paths", errorRouting},
		{"P-221 a body that is no JSON object is 400", errorBodies},
		{"P-250 successes carry no CORS headers", successWithoutCORS},
		{"a body over the limit is 413", errorLargeBody},
	})
}

// faulty is one request of every kind that the API refuses, with its status.
func faulty(t *testing.T, s *server) map[string]struct {
	request *http.Request
	status  int
} {
	t.Helper()
	a := s.api(plain)
	wrong := a.request(t, call{path: "/channels"})
	wrong.URL.RawQuery += "&later=1"
	bare := a.request(t, call{path: "/channels"})
	bare.URL.RawQuery = ""
	return map[string]struct {
		request *http.Request
		status  int
	}{
		"validation":      {a.request(t, call{path: "/events", body: "{}"}), 400},
		"invalid JSON":    {a.request(t, call{path: "/events", body: "{"}), 400},
		"channel name":    {a.request(t, call{path: "/channels/a%20b"}), 400},
		"user id":         {a.request(t, call{path: "/users/" + strings.Repeat("x", 201) + "/terminate_connections", body: "{}"}), 400},
		"no auth":         {bare, 401},
		"signature":       {wrong, 401},
		"expired":         {a.request(t, call{path: "/channels", timestamp: 1}), 401},
		"unknown key":     {s.api(app{plain.id, unknown.key, unknown.secret}).request(t, call{path: "/channels"}), 401},
		"version":         {a.request(t, call{path: "/channels", version: "2.0"}), 401},
		"no md5":          {a.request(t, call{path: "/events", body: "{}", md5: "-"}), 401},
		"disabled":        {s.api(disabled).request(t, call{path: "/channels"}), 403},
		"unknown app":     {s.api(unknown).request(t, call{path: "/channels"}), 404},
		"unknown path":    {a.request(t, call{path: "/nothing"}), 404},
		"unknown root":    {a.request(t, call{path: "//nothing"}), 404},
		"method":          {a.request(t, call{method: http.MethodGet, path: "/events"}), 405},
		"large data":      {a.request(t, call{path: "/events", body: marshal(t, event("x", object{"data": strings.Repeat("x", 10_241)}))}), 413},
		"large body":      {a.request(t, call{path: "/events", body: strings.Repeat(" ", 1<<20+1)}), 413},
		"legacy data":     {a.request(t, call{path: "/channels/x/events", query: url.Values{"name": {"e"}}, body: "\xff"}), 400},
		"alias user id":   {a.request(t, call{path: "//users/" + strings.Repeat("x", 201) + "/terminate_connections", body: "{}"}), 400},
		"alias signature": {s.api(app{plain.id, plain.key, "wrong"}).request(t, call{path: "//users/1/terminate_connections", body: "{}"}), 401},
	}
}

func errorForm(t *testing.T) {
	s := shared(t)
	for name, fault := range faulty(t, s) {
		got := s.roundTrip(t, fault.request)
		if got.status != fault.status {
			t.Errorf("%s: got %d %q, want %d", name, got.status, got.body, fault.status)
		}
		if kind := got.header.Get("Content-Type"); kind != "text/plain; charset=utf-8" {
			t.Errorf("%s: Content-Type is %q", name, kind)
		}
		if len(got.body) < 2 || !strings.HasSuffix(got.body, "\n") {
			t.Errorf("%s: body is %q, want text and a newline", name, got.body)
		}
		hasNoCORS(t, name, got)
	}
}

func hasNoCORS(t *testing.T, name string, got answer) {
	t.Helper()
	for header := range got.header {
		if strings.HasPrefix(header, "Access-Control-") {
			t.Errorf("%s: answered with header %s", name, header)
		}
	}
}

func successWithoutCORS(t *testing.T) {
	s := shared(t)
	a := s.api(plain)
	for name, c := range map[string]call{
		"trigger":   {path: "/events", body: marshal(t, event("x", nil))},
		"channels":  {path: "/channels"},
		"channel":   {path: "/channels/x"},
		"users":     {path: "/channels/presence-x/users"},
		"terminate": {path: "/users/nobody/terminate_connections", body: "{}"},
		"preflight": {path: "/events", method: http.MethodOptions},
	} {
		r := a.request(t, c)
		r.Header.Set("Origin", "https://example.com")
		if c.method == http.MethodOptions {
			r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		}
		got := s.roundTrip(t, r)
		hasNoCORS(t, name, got)
		if want := c.method != http.MethodOptions; (got.status == 200) != want {
			t.Errorf("%s: got %d %q", name, got.status, got.body)
		}
	}
}

func errorRouting(t *testing.T) {
	s := shared(t)
	s.api(unknown).get(t, "/channels", "").is(t, 404, "Unknown app_id\n")
	s.api(unknown).post(t, "/events", event("x", nil)).is(t, 404, "Unknown app_id\n")
	s.api(disabled).get(t, "/channels", "").is(t, 403, "App disabled\n")
	s.api(disabled).post(t, "/events", object{}).is(t, 403, "App disabled\n") // before validation
	got := s.api(app{disabled.id, disabled.key, "wrong"}).get(t, "/channels", "")
	if got.status != 401 { // after the signature
		t.Errorf("wrong signature for a disabled app: got %d %q, want 401", got.status, got.body)
	}
	a := s.api(plain)
	for _, wrong := range []struct{ method, path, allow string }{
		{http.MethodGet, "/events", http.MethodPost},
		{http.MethodPut, "/events", http.MethodPost},
		{http.MethodGet, "/batch_events", http.MethodPost},
		{http.MethodPost, "/channels", http.MethodGet},
		{http.MethodDelete, "/channels/x", http.MethodGet},
		{http.MethodPost, "/channels/presence-x/users", http.MethodGet},
		{http.MethodGet, "/users/1/terminate_connections", http.MethodPost},
		{http.MethodGet, "//users/1/terminate_connections", http.MethodPost},
		{http.MethodGet, "/channels/x/events", http.MethodPost},
	} {
		got := a.do(t, call{method: wrong.method, path: wrong.path})
		if got.status != 405 || got.body != "Method not allowed\n" || !strings.Contains(got.header.Get("Allow"), wrong.allow) {
			t.Errorf("%s %s: got %d %q, Allow %q", wrong.method, wrong.path, got.status, got.body, got.header.Get("Allow"))
		}
	}
	for _, path := range []string{"/nothing", "", "/events/x", "/channels/x/y", "/channels/a/b/users", "//", "//apps", "//users", "//nothing"} {
		if got := a.do(t, call{path: path}); got.status != 404 {
			t.Errorf("%q: got %d %q, want 404", path, got.status, got.body)
		}
	}
}

func errorBodies(t *testing.T) {
	a := shared(t).api(plain)
	for _, path := range []string{"/events", "/batch_events"} {
		for _, body := range []string{
			"{", `{"name":`, "[]", `"x"`, "5", "true", "null", "nonsense", `{"name":"e"} {}`, `{"name":"e",}`, `{'name':'e'}`,
			"{\"name\":\"\xff\"}", strings.Repeat(`{"a":`, 100_000), "\x00",
			`[{"name":"e","channel":"x","data":"1"}]`,
		} {
			if got := a.do(t, call{path: path, body: body}); got.status != 400 {
				t.Errorf("%s with %.40q: got %d %q, want 400", path, body, got.status, got.body)
			}
		}
	}
}

func errorLargeBody(t *testing.T) {
	a := shared(t).api(plain)
	padded := func(size int) string {
		body := marshal(t, event(unique("x-"), nil))
		return body + strings.Repeat(" ", size-len(body))
	}
	a.do(t, call{path: "/events", body: padded(1 << 20)}).ok(t, "{}")
	if got := a.do(t, call{path: "/events", body: padded(1<<20 + 1)}); got.status != 413 {
		t.Errorf("got %d %q, want 413", got.status, got.body)
	}
}
