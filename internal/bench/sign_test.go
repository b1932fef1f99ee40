package bench

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

func TestSignerMakesTheSameAsTheAuthPackage(t *testing.T) {
	at := time.Unix(1_764_000_000, 0)
	for _, pair := range []auth.Key{{Key: "app-key", Secret: "app-secret"}, {Key: "a b&c=d", Secret: "+/="}} {
		s := newSigner(pair, "/apps/7/events")
		for _, body := range []string{`{"name":"tick"}`, "", strings.Repeat("x", 5000)} {
			want := auth.SignedQuery(pair, http.MethodPost, "/apps/7/events", nil, []byte(body), at)
			if got := string(s.appendQuery(nil, []byte(body), at.Unix())); got != want {
				t.Errorf("key %q, %d bytes:\n%s, want\n%s", pair.Key, len(body), got, want)
			}
		}
	}
}

func TestSigningDoesNotAllocate(t *testing.T) {
	s := newSigner(auth.Key{Key: "app-key", Secret: "app-secret"}, "/apps/7/events")
	body, query := []byte(strings.Repeat("x", 300)), make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { query = s.appendQuery(query[:0], body, 1_764_000_000) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
