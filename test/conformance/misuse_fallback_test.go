package conformance

import (
	"net/http"
	"strings"
	"testing"
)

func TestFallbackTransports(t *testing.T) {
	prove(t, []statement{
		{"P-247 their addresses answer 404 to any origin", noFallbacks},
	})
}

func noFallbacks(t *testing.T) {
	s := shared(t)
	app := "/pusher/app/" + plain.key + "/1/abc/"
	for _, ask := range []struct{ method, path string }{
		{http.MethodPost, app + "xhr_streaming?protocol=7&client=js&version=8.4.0&t=1&n=1"},
		{http.MethodPost, app + "xhr?protocol=7"},
		{http.MethodPost, app + "xhr_send?t=1&n=2"},
		{http.MethodOptions, app + "xhr_streaming"},
		{http.MethodGet, "/pusher/info"},
		{http.MethodGet, "/pusher/info?t=1"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), ask.method, s.public+s.mount+ask.path, strings.NewReader("[]"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Origin", "https://example.com")
		got := s.roundTrip(t, r)
		if got.status != 404 || got.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: got %d, Access-Control-Allow-Origin %q, want 404 and *",
				ask.method, ask.path, got.status, got.header.Get("Access-Control-Allow-Origin"))
		}
	}
}
