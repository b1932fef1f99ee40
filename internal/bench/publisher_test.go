package bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// backend is a fleet of nothing but a publisher's connections.
func backend(t *testing.T, o Options, answer http.HandlerFunc) (*fleet, *publisher) {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	o.URLs, o.AppID, o.Key = []string{server.URL}, "1", auth.Key{Key: "k", Secret: "s"}
	o.Connecting = 64
	targets, err := newTargets(t.Context(), &o)
	if err != nil {
		t.Fatal(err)
	}
	endpoint, body := shape{channels: 1, subscribers: 1, batch: 1}.bodies(newEventData(64))
	p := newPublisher(&o, targets, endpoint, body)
	f := newFleet(&o, targets, nil, &silence{}, p)
	if err := f.open(t.Context(), &o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.close)
	return f, p
}

// counted waits until the publisher's counts satisfy ok.
func counted(t *testing.T, f *fleet, ok func() bool, what string) {
	t.Helper()
	testkit.WaitFor(t, func() (is bool) {
		f.engine.do(func() { is = ok() })
		return is
	}, what)
}

func TestPublisherSignsRequests(t *testing.T) {
	keys := auth.Keys{{Key: "k", Secret: "s"}}
	f, p := backend(t, Options{InFlight: 2, Timeout: time.Second}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		request := auth.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: auth.ParseQuery(r.URL.RawQuery), Body: body}
		if err := request.Verify(keys, time.Now()); err != nil || r.URL.Path != "/apps/1/events" {
			http.Error(w, "bad", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, "{}")
	})
	f.engine.do(p.begin)
	counted(t, f, func() bool { return p.accepted == 2 && p.idle() }, "two answers")
	f.engine.do(p.release)
	counted(t, f, func() bool { return p.accepted == 3 && p.issued == 3 && p.failures == 0 }, "a third")
}

func TestPublisherOpensConnectionsAgain(t *testing.T) {
	for _, portable := range []bool{false, true} {
		o := Options{InFlight: 1, Timeout: 5 * time.Second, portable: portable}
		f, p := backend(t, o, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, "{}")
		})
		f.engine.do(p.begin)
		for n := range uint64(4) {
			counted(t, f, func() bool { return p.accepted == n+1 && p.idle() }, "an answer")
			f.engine.do(p.release)
		}
		if f.engine.do(func() {}); p.failures != 0 {
			t.Errorf("%d requests failed: %s", p.failures, p.failure)
		}
	}
}

func TestPublisherGivesUpSlowRequests(t *testing.T) {
	release := make(chan struct{})
	var first atomic.Bool
	f, p := backend(t, Options{InFlight: 1, Timeout: 100 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
		if first.CompareAndSwap(false, true) {
			<-release
		}
		_, _ = io.WriteString(w, "{}")
	})
	defer close(release)
	f.engine.do(p.begin)
	counted(t, f, func() bool { return p.failures == 1 && p.accepted == 1 }, "one failure, and the next request")
	if !strings.Contains(p.failure, "no answer within 100ms") {
		t.Errorf("failure %q", p.failure)
	}
}

func TestPublisherOpenLoop(t *testing.T) {
	block := make(chan struct{})
	f, p := backend(t, Options{InFlight: 1, Rate: 1, Timeout: time.Minute}, func(w http.ResponseWriter, _ *http.Request) {
		<-block
		_, _ = io.WriteString(w, "{}")
	})
	due := now() - int64(time.Second)
	f.engine.do(func() {
		for range maxDue + 3 { // one is on its way, the queue is full, two are too many
			p.request(due)
		}
	})
	f.engine.do(func() {
		if p.unsent != 2 || p.issued != 1 || len(p.due) != maxDue {
			t.Errorf("%d not sent, %d begun, %d wait", p.unsent, p.issued, len(p.due))
		}
		if late := p.lag.figure("late", 50).Value; late < 1000 || late > 20_000 {
			t.Errorf("the request was late by %v ms, want a second", late)
		}
		p.stop()
	})
	close(block)
	counted(t, f, p.idle, "the last answer")
}
