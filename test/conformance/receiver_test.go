package conformance

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// receiver is a webhook receiver on loopback. Configure its url, and
// "webhooks: {allow_addresses: [127.0.0.0/8]}". Safe for concurrent use.
type receiver struct {
	url     string
	arrived chan delivery // never closed

	mu     sync.Mutex
	count  int
	answer func(w http.ResponseWriter, n int)
}

// delivery is one webhook request.
type delivery struct {
	n      int // counted from 1
	at     time.Time
	header http.Header
	body   string
	TimeMS int64            `json:"time_ms"`
	Events []map[string]any `json:"events"`
}

// newReceiver starts a receiver that answers 200 until told otherwise.
func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{arrived: make(chan delivery, 4096)}
	srv := httptest.NewServer(r)
	t.Cleanup(srv.Close)
	r.url = srv.URL + "/hook"
	return r
}

// respond sets how requests are answered from now on; n counts from 1.
func (r *receiver) respond(answer func(w http.ResponseWriter, n int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// ServeHTTP implements http.Handler. A delivery is visible to next before it is
// answered.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // the sender went away in the middle
	}
	r.mu.Lock()
	r.count++
	d := delivery{n: r.count, at: time.Now(), header: req.Header, body: string(body)}
	answer := r.answer
	r.mu.Unlock()
	_ = json.Unmarshal(body, &d) // next reports a body without events
	r.arrived <- d
	if answer != nil {
		answer(w, d.n)
	}
}

// next returns the next request.
func (r *receiver) next(t testing.TB) delivery {
	t.Helper()
	return r.nextWithin(t, 2*patience)
}

// nextWithin is next with another deadline.
func (r *receiver) nextWithin(t testing.TB, within time.Duration) delivery {
	t.Helper()
	select {
	case d := <-r.arrived:
		if len(d.Events) == 0 {
			t.Fatalf("webhook without events: %q", d.body)
		}
		return d
	case <-time.After(within):
		t.Fatalf("no webhook within %v", within)
		return delivery{}
	}
}

// nextEvent returns the next request's only event, which must have this name.
func (r *receiver) nextEvent(t testing.TB, name string) map[string]any {
	t.Helper()
	d := r.next(t)
	if len(d.Events) != 1 || d.Events[0]["name"] != name {
		t.Fatalf("got webhook %s, want one event %q", d.body, name)
	}
	return d.Events[0]
}

// signedBy requires the headers of §8.1, made with this key pair.
func (d delivery) signedBy(t testing.TB, a app) {
	t.Helper()
	if got := d.header.Get("X-Pusher-Key"); got != a.key {
		t.Fatalf("X-Pusher-Key is %q, want %q", got, a.key)
	}
	if got, want := d.header.Get("X-Pusher-Signature"), sign(a.secret, d.body); got != want {
		t.Fatalf("X-Pusher-Signature is %q, want %q", got, want)
	}
}
