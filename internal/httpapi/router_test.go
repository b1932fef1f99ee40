package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
)

// P-219, P-220: send checks that every error is one line of text.
func TestRoutes(t *testing.T) {
	f := newFixture(t)
	const unknownPath, wrongMethod = "Not found", "Method not allowed"
	tests := []struct {
		method, path string
		status       int
		want         string
		allow        string
	}{
		{"GET", "/", http.StatusNotFound, unknownPath, ""},
		{"GET", "/apps", http.StatusNotFound, unknownPath, ""},
		{"GET", "/apps/3", http.StatusNotFound, unknownPath, ""},
		{"POST", "/apps/3/event", http.StatusNotFound, unknownPath, ""},
		{"POST", "/apps/3/events/", http.StatusNotFound, unknownPath, ""},
		{"POST", "//apps/3/events", http.StatusNotFound, unknownPath, ""},
		{"POST", "/APPS/3/events", http.StatusNotFound, unknownPath, ""},
		{"POST", "/x/../apps/3/events", http.StatusNotFound, unknownPath, ""},
		{"GET", "/apps/3/channels/a/b", http.StatusNotFound, unknownPath, ""},
		{"GET", "/apps/3/channels/a/users/x", http.StatusNotFound, unknownPath, ""},
		{"FOO", "/nope", http.StatusNotFound, unknownPath, ""},
		{"OPTIONS", "/nope", http.StatusNotFound, unknownPath, ""},
		{"GET", "/apps/3/events", http.StatusMethodNotAllowed, wrongMethod, "POST"},
		{"PUT", "/apps/3/events", http.StatusMethodNotAllowed, wrongMethod, "POST"},
		{"OPTIONS", "/apps/3/events", http.StatusMethodNotAllowed, wrongMethod, "POST"},
		{"FOO", "/apps/3/events", http.StatusMethodNotAllowed, wrongMethod, "POST"},
		{"GET", "/apps/3/batch_events", http.StatusMethodNotAllowed, wrongMethod, "POST"},
		{"POST", "/apps/3/channels", http.StatusMethodNotAllowed, wrongMethod, "GET"},
		{"HEAD", "/apps/3/channels", http.StatusMethodNotAllowed, wrongMethod, "GET"},
		{"DELETE", "/apps/3/channels/a", http.StatusMethodNotAllowed, wrongMethod, "GET"},
		{"POST", "/apps/3/channels/presence-a/users", http.StatusMethodNotAllowed, wrongMethod, "GET"},
		{"GET", "/apps/3/users/1/terminate_connections", http.StatusMethodNotAllowed, wrongMethod, "POST"},
		{"DELETE", "/users/1/terminate_connections", http.StatusMethodNotAllowed, wrongMethod, "POST"},
		{"GET", "/apps/3/channels/a/events", http.StatusMethodNotAllowed, wrongMethod, "POST"},
		{"POST", "/apps/3/channels/a/stats", http.StatusMethodNotAllowed, wrongMethod, "GET"},
		{"POST", "/apps/99/events", http.StatusNotFound, "Unknown app_id", ""},
		{"GET", "/apps/99/events", http.StatusMethodNotAllowed, wrongMethod, "POST"}, // the route comes first
		{"POST", "/apps//events", http.StatusNotFound, "Unknown app_id", ""},
		{"POST", "/apps/%33/events", http.StatusBadRequest, "Missing required parameter: name", ""}, // app 3, decoded once
		{"POST", "/apps/%2533/events", http.StatusNotFound, "Unknown app_id", ""},
		{"POST", "/apps/3%2Fevents", http.StatusNotFound, unknownPath, ""},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			f := *f
			f.t = t
			got := f.send(request{method: tt.method, path: tt.path})
			if got.Code != tt.status || got.Body.String() != tt.want+"\n" || got.Header().Get("Allow") != tt.allow {
				t.Errorf("%d %q Allow %q, want %d %q %q", got.Code, got.Body, got.Header().Get("Allow"), tt.status, tt.want, tt.allow)
			}
		})
	}
}

// P-220
func TestDisabledApp(t *testing.T) {
	f := newFixture(t)
	r := post("/apps/5/events", `{`)
	r.pair = auth.Key{Key: "disabled-key", Secret: "disabled-secret"}
	f.want(r, http.StatusForbidden, "App disabled")
	r.pair.Secret = "wrong" // whether an app is disabled is told to those who can sign
	if got := f.send(r); got.Code != http.StatusUnauthorized {
		t.Errorf("unsigned request to a disabled app: status %d", got.Code)
	}
}

// P-021
func TestPlainRequestForAWebSocket(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/app/278d425bdf160c739803", "/app/unknown", "/app/278d425bdf160c739803/"} {
		got := f.send(request{method: "GET", path: path, query: "protocol=7"})
		if got.Code != http.StatusUpgradeRequired || got.Header().Get("Upgrade") != "websocket" {
			t.Errorf("%s: %d, Upgrade %q, want 426, websocket", path, got.Code, got.Header().Get("Upgrade"))
		}
	}
	f.want(request{method: "GET", path: "/nope"}, http.StatusNotFound, "Not found")
	f.want(request{method: "GET", path: "/app"}, http.StatusNotFound, "Not found")
	f.want(request{method: "GET", path: "/app/a/b"}, http.StatusNotFound, "Not found")
	f.want(request{method: "POST", path: "/app/a"}, http.StatusMethodNotAllowed, "Method not allowed")
}

// P-247
func TestFallbackTransportsAreNotThere(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct{ method, path string }{
		{"POST", "/pusher/app/278d425bdf160c739803/1/abc/xhr_streaming"},
		{"OPTIONS", "/pusher/app/278d425bdf160c739803/1/abc/xhr_streaming"},
		{"POST", "/pusher/app/278d425bdf160c739803/1/abc/xhr"},
		{"GET", "/pusher/info"},
		{"GET", "/pusher"},
		{"FOO", "/pusher/info"},
	} {
		recorder := httptest.NewRecorder()
		f.api.ServeHTTP(recorder, httptest.NewRequest(tt.method, tt.path+"?protocol=7", strings.NewReader("x")))
		if recorder.Code != http.StatusNotFound || recorder.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: %d, Access-Control-Allow-Origin %q", tt.method, tt.path, recorder.Code, recorder.Header().Get("Access-Control-Allow-Origin"))
		}
		if body := recorder.Body.String(); !strings.HasSuffix(body, "\n") {
			t.Errorf("%s %s: body %q", tt.method, tt.path, body)
		}
	}
	f.want(request{method: "GET", path: "/pushers"}, http.StatusNotFound, "Not found")
}

// P-250: a browser gets no permission, whatever it asks; send checks the answers.
func TestNoCORS(t *testing.T) {
	f := newFixture(t)
	for _, method := range []string{"POST", "OPTIONS", "GET"} {
		r := httptest.NewRequest(method, events+"?"+auth.SignedQuery(pair, method, events, nil, nil, time.Now()), nil)
		r.Header.Set("Origin", "https://example.com")
		r.Header.Set("Access-Control-Request-Method", "POST")
		recorder := httptest.NewRecorder()
		f.api.ServeHTTP(recorder, r)
		checkAnswer(t, recorder.Result(), recorder.Body.String())
	}
}

// P-004, P-185
func TestMount(t *testing.T) {
	for _, mount := range []string{"/realtime", "realtime/", "/realtime//"} {
		f := newFixture(t, func(o *httpapi.Options, _ *apps.App) { o.Mount = mount })
		const body = `{"name":"e","channel":"a","data":"1"}`
		signedOver := func(path string) request {
			return request{
				method: "POST", path: "/realtime/apps/3/events", body: body,
				query: auth.SignedQuery(pair, "POST", path, nil, []byte(body), time.Now()),
			}
		}
		f.want(signedOver("/realtime/apps/3/events"), http.StatusOK, "{}")
		f.want(signedOver("/apps/3/events"), http.StatusOK, "{}")
		if got := f.send(signedOver("/other/apps/3/events")); got.Code != http.StatusUnauthorized {
			t.Errorf("signed over another prefix: %d", got.Code)
		}
		f.want(post("/apps/3/events", body), http.StatusNotFound, "Not found")
		f.want(post("/realtimes/apps/3/events", body), http.StatusNotFound, "Not found")
		f.want(post("/realtimeapps/3/events", body), http.StatusNotFound, "Not found")
		f.want(post("/realtime", body), http.StatusNotFound, "Not found")
		f.want(post("/realtime/", body), http.StatusNotFound, "Not found")
		f.want(post("/realtime/users/1/terminate_connections", ""), http.StatusOK, "{}")
		f.want(request{method: "GET", path: "/app/key"}, http.StatusNotFound, "Not found")
		if got := f.send(request{method: "GET", path: "/realtime/app/key"}); got.Code != http.StatusUpgradeRequired {
			t.Errorf("/realtime/app/key: %d, want 426", got.Code)
		}
		recorder := httptest.NewRecorder()
		f.api.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/realtime/pusher/app/key/1/abc/xhr", nil))
		if recorder.Code != http.StatusNotFound || recorder.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("fallback under the mount: %d %v", recorder.Code, recorder.Header())
		}
	}
}

// What net/http hands over is not always what a test makes: absolute request
// targets, paths that are no paths, raw bytes, and URLs that were put together.
func TestUnusualRequestTargets(t *testing.T) {
	f := newFixture(t)
	query := auth.SignedQuery(pair, "GET", "/apps/3/channels", nil, nil, time.Now())
	recorder := httptest.NewRecorder()
	f.api.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "http://elsewhere.example/apps/3/channels?"+query, nil))
	if recorder.Code != http.StatusOK {
		t.Errorf("absolute target: %d %s", recorder.Code, recorder.Body)
	}
	for name, u := range map[string]*url.URL{
		"an asterisk":       {Path: "*"},
		"nothing":           {},
		"an authority":      {Host: "example.com:443"},
		"a bad raw path":    {Path: "/apps/3/channels/a", RawPath: "/apps/3/channels/%zz"},
		"a cut escape":      {Path: "/apps/3/channels/a", RawPath: "/apps/3/channels/%"},
		"another raw path":  {Path: "/apps/3/channels", RawPath: "/x"},
		"control bytes":     {Path: "/apps/3/channels/\x00\r\n"},
		"bytes of no UTF-8": {Path: "/apps/\xff/channels"},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			f.api.ServeHTTP(recorder, &http.Request{Method: http.MethodGet, URL: u, Body: http.NoBody})
			if recorder.Code != http.StatusNotFound && recorder.Code != http.StatusBadRequest && recorder.Code != http.StatusUnauthorized {
				t.Errorf("status %d", recorder.Code)
			}
			checkAnswer(t, recorder.Result(), recorder.Body.String())
		})
	}
}
