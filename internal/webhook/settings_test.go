package webhook

import (
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// An app may have any number of endpoints, each with settings of its own, also
// at one URL.
func TestManyEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		var endpoints []apps.Endpoint
		for i := range 300 {
			endpoints = append(endpoints, apps.Endpoint{
				URL: fmt.Sprintf("http://hooks.example/%d", i/2), ChannelGlob: fmt.Sprintf("room-%d-*", i), Events: []string{"channel_occupied"},
			})
		}
		app := newApp("1", endpoints...)
		d := start(t, Options{Transport: r})
		for i := range 300 {
			d.Emit(edgeNotice(app, hub.ChannelOccupied, fmt.Sprintf("room-%d-x", i), ""))
		}
		synctest.Wait()
		got := r.requests()
		if len(got) != 300 {
			t.Fatalf("got %d requests, want one for each endpoint", len(got))
		}
		for _, req := range got {
			var room int
			_, err := fmt.Sscanf(req.hook.Events[0].Channel, "room-%d-x", &room)
			if want := fmt.Sprintf("http://hooks.example/%d", room/2); err != nil || req.url != want {
				t.Errorf("%s came to %s, want %s", req.body, req.url, want)
			}
		}
	})
}

// An endpoint whose pattern cannot be read gets nothing rather than everything.
func TestUnreadableGlobSelectsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", apps.Endpoint{URL: hookURL, ChannelGlob: "[a-z]*"})
		d := start(t, Options{Transport: r})
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "a", ""))
		synctest.Wait()
		wantEvents(t, r.events())
	})
}

func TestBatchBoundsOfAnEndpoint(t *testing.T) {
	for name, c := range map[string]struct {
		endpoint  apps.Endpoint
		wait      time.Duration // after which everything must have come
		wantSizes []int         // of 10 events of 100 bytes and more
	}{
		"by count":        {apps.Endpoint{BatchEvents: 4}, time.Second, []int{4, 4, 2}},
		"of one":          {apps.Endpoint{BatchEvents: 1}, 0, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		"by bytes":        {apps.Endpoint{BatchBytes: 1024}, time.Second, []int{4, 4, 2}},
		"by time, short":  {apps.Endpoint{BatchWait: 5 * time.Millisecond}, 5 * time.Millisecond, []int{10}},
		"by time, long":   {apps.Endpoint{BatchWait: time.Minute}, time.Minute, []int{10}},
		"without setting": {apps.Endpoint{}, time.Second, []int{10}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &receiver{}
				c.endpoint.URL, c.endpoint.Batching = hookURL, true
				app := newApp("1", c.endpoint)
				d := start(t, Options{Transport: r})
				for range 10 {
					n := clientEvent(app, "private-c", 0)
					n.Data = protocol.PayloadOfText(strings.Repeat("x", 150))
					d.Emit(n)
				}
				if c.wait > time.Millisecond {
					time.Sleep(c.wait - time.Millisecond)
					synctest.Wait()
					if got := r.sizes(); slices.Equal(got, c.wantSizes) {
						t.Errorf("all came before their time: %v", got)
					}
					time.Sleep(time.Millisecond)
				}
				synctest.Wait()
				if got := r.sizes(); !slices.Equal(got, c.wantSizes) {
					t.Errorf("requests had %v events, want %v", got, c.wantSizes)
				}
				for _, req := range r.requests() {
					if most := c.endpoint.WithDefaults().BatchBytes; len(req.body) > most {
						t.Errorf("a body has %d bytes, want at most %d", len(req.body), most)
					}
				}
			})
		})
	}
}

// The named pair signs; without a name, or if there is none of it any more, the
// oldest does.
func TestSigningKeyOfAnEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", apps.Endpoint{URL: "http://a.example/", SigningKey: "newer"}, apps.Endpoint{URL: "http://b.example/"},
			apps.Endpoint{URL: "http://c.example/", SigningKey: "gone"}, apps.Endpoint{URL: "http://d.example/", SigningKey: "older"})
		app.Keys = auth.Keys{{Key: "older", Secret: "older-secret"}, {Key: "newer", Secret: "newer-secret"}}
		d := start(t, Options{Transport: r})
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "a", ""))
		synctest.Wait()
		want := map[string]string{"http://a.example/": "newer", "http://b.example/": "older", "http://c.example/": "older", "http://d.example/": "older"}
		for _, req := range r.requests() {
			pair, _ := app.Keys.Find(want[req.url])
			if got := req.header.Get("X-Pusher-Key"); got != pair.Key || !pair.Secret.Verify([]byte(req.body), req.header.Get("X-Pusher-Signature")) {
				t.Errorf("%s: signed by %q, want %q", req.url, got, pair.Key)
			}
		}
		if got := len(r.requests()); got != len(want) {
			t.Errorf("got %d requests, want %d", got, len(want))
		}
	})
}

// Each endpoint's requests have its own headers, on every attempt; those of the
// protocol cannot be replaced (§8.1).
func TestHeadersOfAnEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(r request) (int, error) {
			return map[bool]int{true: 503, false: 200}[r.url == "http://b.example/"], nil
		}}
		app := newApp("1",
			apps.Endpoint{URL: "http://a.example/", Headers: []apps.Header{{Name: "authorization", Value: "Bearer a"}, {Name: "X-A", Value: "1"}}},
			apps.Endpoint{URL: "http://b.example/", Headers: []apps.Header{{Name: "x-b", Value: "2"}, {Name: "USER-AGENT", Value: "ours"}}},
			apps.Endpoint{URL: "http://c.example/", Headers: []apps.Header{{Name: "content-type", Value: "text/plain"}, {Name: "x-pusher-key", Value: "k"}, {Name: "X-Pusher-Signature", Value: "s"}}},
		)
		d := start(t, Options{Transport: r, UserAgent: "pipesocketd/1.2"})
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "a", ""))
		time.Sleep(5 * time.Second) // b has retries
		synctest.Wait()
		want := map[string]http.Header{
			"http://a.example/": {"Authorization": {"Bearer a"}, "X-A": {"1"}, "User-Agent": {"pipesocketd/1.2"}},
			"http://b.example/": {"X-B": {"2"}, "User-Agent": {"ours"}},
			"http://c.example/": {"User-Agent": {"pipesocketd/1.2"}},
		}
		seen := make(map[string]int)
		for _, req := range r.requests() {
			seen[req.url]++
			expected := want[req.url].Clone()
			expected["Content-Type"] = []string{"application/json"}
			expected["X-Pusher-Key"] = []string{testKey}
			expected["X-Pusher-Signature"] = []string{testSecret.Sign([]byte(req.body))}
			expected[headerDelivery] = req.header[headerDelivery] // see TestDeliveriesHaveNames
			if got, want := fmt.Sprint(req.header), fmt.Sprint(expected); got != want {
				t.Errorf("%s: headers %s, want %s", req.url, got, want)
			}
		}
		if seen["http://a.example/"] != 1 || seen["http://b.example/"] < 2 || seen["http://c.example/"] != 1 {
			t.Errorf("requests %v", seen)
		}
	})
}

// New settings of an app hold for the lane that is there already: for what is
// sealed and attempted from then on.
func TestReloadedSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fail := true
		r := &receiver{answer: func(request) (int, error) { return map[bool]int{true: 500, false: 200}[fail], nil }}
		before := newApp("1", apps.Endpoint{URL: hookURL, Headers: []apps.Header{{Name: "X-A", Value: "old"}}})
		before.Keys = auth.Keys{{Key: "older", Secret: "1"}, {Key: "newer", Secret: "2"}}
		after := newApp("1", apps.Endpoint{
			URL: hookURL, Headers: []apps.Header{{Name: "X-A", Value: "new"}}, SigningKey: "newer", Batching: true, BatchEvents: 2,
		})
		after.Keys = before.Keys
		registry := registryOf(t, before)
		d := start(t, Options{Transport: r, Registry: registry})
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "a", ""))
		synctest.Wait()
		if err := registry.Replace(after); err != nil {
			t.Fatal(err)
		}
		fail = false
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "b", ""))
		d.Emit(edgeNotice(before, hub.ChannelOccupied, "c", ""))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		var got []string
		for _, req := range r.requests() {
			var channels []string
			for _, e := range req.hook.Events {
				channels = append(channels, e.Channel)
			}
			got = append(got, fmt.Sprint(channels, req.header["X-A"], req.header["X-Pusher-Key"]))
		}
		slices.Sort(got)
		// The retry of "a" has the bytes and the signature of its first attempt.
		if want := []string{"[a] [new] [older]", "[a] [old] [older]", "[b c] [new] [newer]"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Neither the log nor the settings themselves tell a header's value.
func TestHeaderValuesAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		r := &receiver{answer: func(request) (int, error) { return 500, nil }}
		app := newApp("1", apps.Endpoint{URL: hookURL, Headers: []apps.Header{{Name: "X-A", Value: "hunter2"}}})
		d := start(t, Options{Transport: r, Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "a", ""))
		time.Sleep(6 * time.Minute)
		synctest.Wait()
		all := log.String() + fmt.Sprintf("%v %+v %#v", app.Webhooks, app.Webhooks, app.Webhooks)
		if strings.Contains(all, "hunter2") || !strings.Contains(all, "webhook") {
			t.Errorf("told:\n%s", all)
		}
	})
}
