package httpapi_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
)

const opsToken = "0123456789abcdef-token"

// opsRequest is a request to the operations listener, from this machine unless
// it says otherwise.
type opsRequest struct {
	method, path, peer, host string
	header                   http.Header
}

func (q opsRequest) ask(h http.Handler) *httptest.ResponseRecorder {
	r := httptest.NewRequest(or(q.method, "GET"), or(q.path, "/api/x"), nil)
	r.RemoteAddr, r.Host = or(q.peer, "127.0.0.1:50000"), or(q.host, "127.0.0.1:9601")
	maps.Copy(r.Header, q.header)
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, r)
	return recorder
}

func or(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}

func opsWith(access httpapi.OpsAccess) http.Handler {
	return httpapi.NewOps(httpapi.OpsOptions{
		Ready:    func() []string { return []string{"draining"} },
		Gatherer: prometheus.NewRegistry(),
		Pprof:    true,
		Access:   func() httpapi.OpsAccess { return access },
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, "api "+r.Method+" "+r.URL.Path)
		}),
	})
}

func bearer(value string) http.Header { return http.Header{"Authorization": {value}} }

func TestOpsAPIWithToken(t *testing.T) {
	ops := opsWith(httpapi.OpsAccess{Token: opsToken})
	for name, c := range map[string]struct {
		request opsRequest
		status  int
	}{
		"from this machine":              {opsRequest{header: bearer("Bearer " + opsToken)}, 200},
		"from elsewhere":                 {opsRequest{header: bearer("Bearer " + opsToken), peer: "192.0.2.7:1", host: "ops.example"}, 200},
		"through a proxy":                {opsRequest{header: http.Header{"Authorization": {"Bearer " + opsToken}, "X-Forwarded-For": {"192.0.2.7"}}}, 200},
		"scheme in other letters":        {opsRequest{header: bearer("bearer " + opsToken)}, 200},
		"two spaces":                     {opsRequest{header: bearer("Bearer  " + opsToken)}, 200},
		"another method":                 {opsRequest{method: "POST", header: bearer("Bearer " + opsToken)}, 200},
		"no token from this machine":     {opsRequest{}, 401},
		"no token from elsewhere":        {opsRequest{peer: "192.0.2.7:1"}, 401},
		"wrong token":                    {opsRequest{header: bearer("Bearer 0123456789abcdef-tokem")}, 401},
		"beginning of the token":         {opsRequest{header: bearer("Bearer 0123456789abcdef")}, 401},
		"more than the token":            {opsRequest{header: bearer("Bearer " + opsToken + "x")}, 401},
		"token in other letters":         {opsRequest{header: bearer("Bearer " + strings.ToUpper(opsToken))}, 401},
		"empty token":                    {opsRequest{header: bearer("Bearer ")}, 401},
		"no scheme":                      {opsRequest{header: bearer(opsToken)}, 401},
		"another scheme":                 {opsRequest{header: bearer("Basic " + opsToken)}, 401},
		"two headers":                    {opsRequest{header: http.Header{"Authorization": {"Bearer " + opsToken, "Bearer " + opsToken}}}, 401},
		"the token in the query":         {opsRequest{path: "/api/x?token=" + opsToken + "&access_token=" + opsToken}, 401},
		"the token in a cookie":          {opsRequest{header: http.Header{"Cookie": {"token=" + opsToken}}}, 401},
		"an unknown path below":          {opsRequest{path: "/api/no/such"}, 401},
		"below by way of dots":           {opsRequest{path: "/live/../api/x"}, 404},
		"below by way of a double slash": {opsRequest{path: "//api/x"}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.request.ask(ops)
			if got.Code != c.status || c.status == 200 != strings.HasPrefix(got.Body.String(), "api ") {
				t.Errorf("%d %s, want %d", got.Code, got.Body, c.status)
			}
			challenge := got.Header().Get("WWW-Authenticate")
			if (challenge != "") != (c.status == 401) || challenge != "" && !strings.HasPrefix(challenge, "Bearer ") {
				t.Errorf("%d with the challenge %q", got.Code, challenge)
			}
			if c.status == 401 && !strings.Contains(got.Body.String(), "ops.token") {
				t.Errorf("the answer does not name the setting: %s", got.Body)
			}
			if strings.Contains(got.Body.String(), opsToken) {
				t.Errorf("the answer tells the token: %s", got.Body)
			}
		})
	}
}

func TestOpsAPIWithoutToken(t *testing.T) {
	ops := opsWith(httpapi.OpsAccess{})
	for name, c := range map[string]struct {
		request opsRequest
		status  int
	}{
		"from this machine":               {opsRequest{}, 200},
		"by another address of loopback":  {opsRequest{peer: "127.8.9.10:1", host: "127.8.9.10:9601"}, 200},
		"by IPv6":                         {opsRequest{peer: "[::1]:1", host: "[::1]:9601"}, 200},
		"by IPv6 without a port":          {opsRequest{peer: "[::1]:1", host: "[::1]"}, 200},
		"by a mapped address":             {opsRequest{peer: "[::ffff:127.0.0.1]:1"}, 200},
		"by localhost":                    {opsRequest{host: "LocalHost:9601"}, 200},
		"by localhost without a port":     {opsRequest{host: "localhost"}, 200},
		"with an empty bearer":            {opsRequest{header: bearer("Bearer ")}, 200},
		"typed into a browser":            {opsRequest{header: http.Header{"Sec-Fetch-Site": {"none"}}}, 200},
		"from elsewhere":                  {opsRequest{peer: "192.0.2.7:1"}, 403},
		"from elsewhere with a token":     {opsRequest{peer: "192.0.2.7:1", header: bearer("Bearer " + opsToken)}, 403},
		"from elsewhere, claiming not to": {opsRequest{peer: "192.0.2.7:1", header: http.Header{"X-Forwarded-For": {"127.0.0.1"}}}, 403},
		"from a private network":          {opsRequest{peer: "10.0.0.1:1"}, 403},
		"from an unknown peer":            {opsRequest{peer: "@"}, 403},
		"through a proxy":                 {opsRequest{header: http.Header{"X-Forwarded-For": {"192.0.2.7"}}}, 403},
		"through a proxy, newer":          {opsRequest{header: http.Header{"Forwarded": {"for=192.0.2.7"}}}, 403},
		"through a proxy, other":          {opsRequest{header: http.Header{"Via": {"1.1 proxy"}}}, 403},
		"through a proxy, real address":   {opsRequest{header: http.Header{"X-Real-Ip": {"192.0.2.7"}}}, 403},
		"from a page":                     {opsRequest{method: "POST", header: http.Header{"Origin": {"https://evil.example"}}}, 403},
		"from a page without an origin":   {opsRequest{header: http.Header{"Sec-Fetch-Site": {"cross-site"}}}, 403},
		"from a page that rebinds":        {opsRequest{host: "evil.example:9601", header: http.Header{"Sec-Fetch-Site": {"same-origin"}}}, 403},
		"from an old browser that does":   {opsRequest{host: "evil.example:9601"}, 403},
		"without a name":                  {opsRequest{host: ":9601"}, 403},
		"a name that begins alike":        {opsRequest{host: "127.0.0.1.evil.example"}, 403},
		"a name that ends alike":          {opsRequest{host: "evil.localhost"}, 403},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.request.ask(ops)
			if got.Code != c.status || c.status == 200 != strings.HasPrefix(got.Body.String(), "api ") {
				t.Errorf("%d %s, want %d", got.Code, got.Body, c.status)
			}
			if c.status == 403 && !strings.Contains(got.Body.String(), "PIPESOCKETD_OPS_TOKEN") {
				t.Errorf("the answer does not tell what to do: %s", got.Body)
			}
		})
	}
}

// What was there before needs the token only if that is required, and probes
// never do.
func TestOpsRequireToken(t *testing.T) {
	for name, c := range map[string]struct {
		access httpapi.OpsAccess
		header http.Header
		open   bool
	}{
		"no token":                       {httpapi.OpsAccess{}, nil, true},
		"a token that is not required":   {httpapi.OpsAccess{Token: opsToken}, nil, true},
		"a required token that is sent":  {httpapi.OpsAccess{Token: opsToken, Require: true}, bearer("Bearer " + opsToken), true},
		"a required token that is not":   {httpapi.OpsAccess{Token: opsToken, Require: true}, nil, false},
		"a required token that is wrong": {httpapi.OpsAccess{Token: opsToken, Require: true}, bearer("Bearer x"), false},
		"a required one without any":     {httpapi.OpsAccess{Require: true}, bearer("Bearer "), false},
	} {
		t.Run(name, func(t *testing.T) {
			ops := opsWith(c.access)
			for _, path := range []string{"/", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap"} {
				got := opsRequest{path: path, peer: "192.0.2.7:1", header: c.header}.ask(ops)
				if (got.Code == 200) != c.open || !c.open && got.Code != 401 {
					t.Errorf("%s: %d", path, got.Code)
				}
			}
			if got := (opsRequest{path: "/live", header: c.header}).ask(ops); got.Code != 200 {
				t.Errorf("/live: %d", got.Code)
			}
			got := opsRequest{path: "/ready", header: c.header}.ask(ops)
			if reasons := strings.Contains(got.Body.String(), "draining"); got.Code != 503 || reasons != c.open {
				t.Errorf("/ready: %d %s", got.Code, got.Body)
			}
		})
	}
}

// A reload changes the access of a handler that is there already.
func TestOpsAccessIsThatOfTheMoment(t *testing.T) {
	access := httpapi.OpsAccess{Token: opsToken}
	ops := httpapi.NewOps(httpapi.OpsOptions{
		Ready: func() []string { return nil }, Gatherer: prometheus.NewRegistry(), Access: func() httpapi.OpsAccess { return access },
	})
	if got := (opsRequest{header: bearer("Bearer " + opsToken)}).ask(ops); got.Code != 404 {
		t.Errorf("nothing below /api/ is answered with %d", got.Code)
	}
	access.Token = "another-0123456789"
	if got := (opsRequest{header: bearer("Bearer " + opsToken)}).ask(ops); got.Code != 401 {
		t.Errorf("the old token is answered with %d", got.Code)
	}
	if got := (opsRequest{header: bearer("Bearer another-0123456789")}).ask(ops); got.Code != 404 {
		t.Errorf("the new token is answered with %d", got.Code)
	}
}
