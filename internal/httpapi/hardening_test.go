package httpapi_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// serve starts a real server and returns its address and a client.
func (f *fixture) serve() (base string, client *http.Client) {
	f.t.Helper()
	server := httptest.NewServer(f.api)
	f.t.Cleanup(server.Close)
	return server.URL, server.Client()
}

// exchange sends raw bytes and returns the answer.
func exchange(t *testing.T, base, raw string) (int, string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err = io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("answer to %.80q: %v", raw, err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func TestChunkedBody(t *testing.T) {
	f := newFixture(t)
	base, client := f.serve()
	const body = `{"name":"e","channel":"a","data":"1","info":"subscription_count"}`
	// A reader without a known length is sent in chunks.
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+events+"?"+
		auth.SignedQuery(pair, "POST", events, nil, []byte(body), time.Now()), io.MultiReader(strings.NewReader(body)))
	r.Header.Set("Content-Type", "text/strange")
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	got, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusOK || string(got) != `{"channels":{"a":{"subscription_count":0}}}` {
		t.Errorf("%d %s", answer.StatusCode, got)
	}
}

func TestOversizeBody(t *testing.T) {
	const limit = 1000
	f := newFixture(t, func(o *httpapi.Options, _ *apps.App) { o.MaxBody = limit })
	base, client := f.serve()
	const tooLarge = "The request body exceeds the allowed maximum (1000 bytes).\n"
	for _, size := range []int{limit, limit + 1, 100 * limit, 3 << 20} {
		for _, chunked := range []bool{false, true} {
			body := strings.Repeat(" ", size)
			var reader io.Reader = strings.NewReader(body)
			if chunked {
				reader = io.MultiReader(reader)
			}
			r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, base+events+"?"+
				auth.SignedQuery(pair, "POST", events, nil, []byte(body), time.Now()), reader)
			answer, err := client.Do(r)
			if err != nil {
				t.Fatalf("%d bytes, chunked=%v: %v", size, chunked, err)
			}
			got, _ := io.ReadAll(answer.Body)
			_ = answer.Body.Close()
			status, want := http.StatusRequestEntityTooLarge, tooLarge
			if size == limit {
				status, want = http.StatusBadRequest, "The request body is not accepted: invalid JSON\n"
			}
			if answer.StatusCode != status || string(got) != want {
				t.Errorf("%d bytes, chunked=%v: %d %s", size, chunked, answer.StatusCode, got)
			}
		}
	}
}

// A client that sends all before it reads gets the 413 too, and may go on with
// the same connection.
func TestConnectionSurvivesAnOversizeBody(t *testing.T) {
	f := newFixture(t, func(o *httpapi.Options, _ *apps.App) { o.MaxBody = 1000 })
	base, _ := f.serve()
	const size = 1 << 20
	body := strings.Repeat(" ", size)
	query := auth.SignedQuery(pair, "POST", events, nil, []byte(body), time.Now())
	for name, framed := range map[string]string{
		"with a length": fmt.Sprintf("Content-Length: %d\r\n\r\n%s", size, body),
		"in chunks":     fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, body),
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			reader := bufio.NewReader(conn)
			for _, step := range []struct {
				raw  string
				want int
			}{
				{"POST " + events + "?" + query + " HTTP/1.1\r\nHost: x\r\n" + framed, http.StatusRequestEntityTooLarge},
				{"GET /nope HTTP/1.1\r\nHost: x\r\n\r\n", http.StatusNotFound},
			} {
				if _, err = io.WriteString(conn, step.raw); err != nil {
					t.Fatalf("send: %v", err)
				}
				answer, err := http.ReadResponse(reader, nil)
				if err != nil {
					t.Fatalf("answer: %v", err)
				}
				_, _ = io.Copy(io.Discard, answer.Body)
				_ = answer.Body.Close()
				if answer.StatusCode != step.want {
					t.Fatalf("status %d, want %d", answer.StatusCode, step.want)
				}
			}
		})
	}
}

// A body that announces more than would be read is answered without waiting.
func TestAnnouncedHugeBodyIsNotWaitedFor(t *testing.T) {
	f := newFixture(t)
	base, _ := f.serve()
	query := auth.SignedQuery(pair, "POST", events, nil, []byte("x"), time.Now())
	status, body := exchange(t, base, fmt.Sprintf("POST %s?%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\nabc", events, query, int64(1)<<40))
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", status, body)
	}
}

// unreadable is a body that must not be touched.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestBodyOfAStrangerIsNotRead(t *testing.T) {
	f := newFixture(t)
	for _, target := range []string{
		"/nope", "/apps/99/events", events, events + "?auth_key=x&auth_timestamp=1&auth_version=1.0&auth_signature=00",
		events + "?auth_key=" + pair.Key + "&auth_timestamp=1&auth_version=1.0&auth_signature=00",
		"/app/key", "/pusher/info",
	} {
		r := httptest.NewRequest(http.MethodPost, target, unreadable{t})
		r.ContentLength = 1 << 20
		f.api.ServeHTTP(httptest.NewRecorder(), r)
	}
}

// failing is a body that ends with an error.
type failing struct{ err error }

func (b failing) Read(p []byte) (int, error) { return copy(p, `{"name"`), b.err }

func TestBrokenBody(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct {
		err    error
		status int
		want   string
	}{
		{io.ErrUnexpectedEOF, http.StatusBadRequest, "The request body could not be read\n"},
		{errors.New("secret detail"), http.StatusBadRequest, "The request body could not be read\n"},
		{fmt.Errorf("read: %w", os.ErrDeadlineExceeded), http.StatusRequestTimeout, "The request body did not arrive in time\n"},
	} {
		query := auth.SignedQuery(pair, "POST", events, nil, []byte("x"), time.Now())
		recorder := httptest.NewRecorder()
		f.api.ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, events+"?"+query, failing{tt.err}))
		if recorder.Code != tt.status || recorder.Body.String() != tt.want {
			t.Errorf("%v: %d %s, want %d %s", tt.err, recorder.Code, recorder.Body, tt.status, tt.want)
		}
	}
}

func TestDeepJSON(t *testing.T) {
	f := newFixture(t)
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	body := func(data string) string { return `{"name":"e","channel":"a","data":` + data + `}` }
	f.want(post(events, body(nested(127))), http.StatusOK, "{}")
	f.want(post(events, body(nested(128))), http.StatusBadRequest, "The request body is not accepted: JSON nested too deeply")
	f.want(post(events, strings.Repeat("[", 1<<20)), http.StatusBadRequest, "The request body is not accepted: JSON nested too deeply")
	f.want(post(events, strings.Repeat(`{"a":`, 200_000)), http.StatusBadRequest, "The request body is not accepted: JSON nested too deeply")
}

// Many small things in one request cost time in proportion to their number.
func TestMassesOfSmallThings(t *testing.T) {
	f := newFixture(t)
	var keys strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&keys, `"k%d":1,`, i)
	}
	f.want(post(events, "{"+keys.String()+`"name":"e","channel":"a","data":"1"}`), http.StatusOK, "{}")
	f.want(post(events, `{"name":"e","data":"1","channels":[`+strings.Repeat(`"a",`, 200_000)+`"a"]}`),
		http.StatusBadRequest, "Too many channels (200001 > 100)")
	f.want(post("/apps/3/batch_events", `{"batch":[`+strings.Repeat(`{},`, 300_000)+`{}]}`),
		http.StatusBadRequest, "Batch too large (300001 > 10)")

	params := url.Values{}
	for i := range 100_000 {
		params.Add(fmt.Sprintf("p%d[]", i%50_000), "a+b%")
	}
	f.want(request{method: "GET", path: "/apps/3/channels", params: params}, http.StatusOK, `{"channels":{}}`)
	r := request{method: "GET", path: "/apps/3/channels", params: params, pair: auth.Key{Key: pair.Key, Secret: "wrong"}}
	if got := f.send(r); got.Code != http.StatusUnauthorized || got.Body.Len() > 16<<10 {
		t.Errorf("%d with %d bytes", got.Code, got.Body.Len())
	}
}

// What a request holds cannot break out of the one line of an answer.
func TestTextInjection(t *testing.T) {
	f := newFixture(t, func(o *httpapi.Options, _ *apps.App) { o.Development = true })
	const evil = "a\r\nX-Injected: 1\r\n\r\n<script>\x00\x1b[2J\u2028\u202e"
	escaped := url.PathEscape(evil)
	for name, r := range map[string]request{
		"channel in the path":  get("/apps/3/channels/" + escaped),
		"channel in the body":  post(events, `{"name":"e","data":"1","channel":"a\r\nX-Injected: 1\r\n\r\n\u0000\u001b[2J\u2028"}`),
		"channel in the query": {method: "POST", path: events, params: url.Values{"name": {"e"}, "data": {"1"}, "channel": {evil}}},
		"number as channel":    post(events, "{\"name\":\"e\",\"data\":\"1\",\"channel\":[\r\n\n 1]}"),
		"signature":            {method: "GET", path: "/apps/3/channels", query: "auth_key=" + pair.Key + fmt.Sprintf("&auth_timestamp=%d", time.Now().Unix()) + "&auth_version=1.0&x=" + url.QueryEscape(evil) + "&auth_signature=" + url.QueryEscape(evil)},
		"path in the text":     {method: "GET", path: "/apps/3/channels/" + escaped, pair: auth.Key{Key: pair.Key, Secret: "wrong"}},
		"body_md5":             {method: "POST", path: events, body: "x", query: "auth_key=" + pair.Key + fmt.Sprintf("&auth_timestamp=%d", time.Now().Unix()) + "&auth_version=1.0&auth_signature=00&body_md5=" + url.QueryEscape(evil)},
	} {
		t.Run(name, func(t *testing.T) {
			f := *f
			f.t = t
			got := f.send(r)
			if got.Code < 400 || got.Header().Get("X-Injected") != "" || strings.ContainsAny(got.Body.String(), "\r\x00\x1b\u2028\u202e") {
				t.Errorf("%d %q", got.Code, got.Body)
			}
		})
	}
}

func TestHugeEchoIsCut(t *testing.T) {
	f := newFixture(t)
	name := strings.Repeat("€", 300_000)
	for _, r := range []request{
		post(events, `{"name":"e","data":"1","channel":"`+name+`"}`),
		{method: "GET", path: "/apps/3/channels", params: url.Values{"x": {name}}, pair: auth.Key{Key: pair.Key, Secret: "wrong"}},
		{method: "GET", path: "/apps/3/channels/" + strings.Repeat("x", 500_000)},
	} {
		if got := f.send(r); got.Code < 400 || got.Body.Len() > 16<<10+1 {
			t.Errorf("%d with %d bytes", got.Code, got.Body.Len())
		}
	}
}

// A request can be repeated within the window, as against the hosted service,
// and nothing else can be made of it.
func TestReplay(t *testing.T) {
	const body = `{"name":"e","channel":"a","data":"1"}`
	f := newFixture(t, at(docClock))
	query := auth.SignedQuery(pair, "POST", events, nil, []byte(body), time.Unix(docClock, 0))
	for range 2 {
		f.want(request{method: "POST", path: events, body: body, query: query}, http.StatusOK, "{}")
	}
	for name, r := range map[string]request{
		"on another endpoint":  {method: "POST", path: "/apps/3/batch_events", body: body, query: query},
		"on another app":       {method: "POST", path: "/apps/4/events", body: body, query: query},
		"with another body":    {method: "POST", path: events, body: body + " ", query: query},
		"with one more query":  {method: "POST", path: events, body: body, query: query + "&channel=b"},
		"with a path encoded":  {method: "POST", path: "/apps/3/channels/..%2F..%2Fapps%2F3%2Fevents/events", body: body, query: query},
		"with an added equals": {method: "POST", path: events, body: body, query: query + "&="},
	} {
		if got := f.send(r); got.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, got.Code, got.Body)
		}
	}
	later := newFixture(t, at(docClock+601))
	if got := later.send(request{method: "POST", path: events, body: body, query: query}); got.Code != http.StatusUnauthorized {
		t.Errorf("after the window: %d", got.Code)
	}
}

// Every single-character change of a signed query is refused or means the same.
func TestMutatedQueries(t *testing.T) {
	f := newFixture(t, at(docClock))
	query := auth.SignedQuery(pair, "GET", "/apps/3/channels", url.Values{"info": {"subscription_count"}}, nil, time.Unix(docClock, 0))
	for i := range len(query) {
		mutated := query[:i] + string(query[i]^1) + query[i+1:]
		if strings.ContainsAny(mutated[i:i+1], "#% \x7f") {
			continue // not one query any more
		}
		got := f.send(request{method: "GET", path: "/apps/3/channels", query: mutated})
		if got.Code != http.StatusUnauthorized {
			t.Errorf("byte %d of %s: %d %s", i, mutated, got.Code, got.Body)
		}
	}
}

// One app's key opens nothing of another's.
func TestAppsAreSeparate(t *testing.T) {
	bubble(t, func(f *fixture) {
		s := f.connect("a")
		r := post("/apps/4/events", `{"name":"e","channel":"a","data":"1"}`)
		f.want(r, http.StatusUnauthorized, "Unknown auth_key")
		r.pair = otherPair
		f.want(r, http.StatusOK, "{}")
		wantDelivered(s)
		channels := get("/apps/4/channels")
		channels.pair = otherPair
		f.want(channels, http.StatusOK, `{"channels":{}}`)
	})
}

func TestMalformedRequestsOnTheWire(t *testing.T) {
	f := newFixture(t)
	base, _ := f.serve()
	for raw, want := range map[string]int{
		"GET /apps/3/channels/%zz HTTP/1.1\r\nHost: x\r\n\r\n":                                       http.StatusBadRequest,
		"GET /apps/3/channels/%2e%2e%2f HTTP/1.1\r\nHost: x\r\n\r\n":                                 http.StatusUnauthorized,
		"GET /apps/3/../3/channels HTTP/1.1\r\nHost: x\r\n\r\n":                                      http.StatusNotFound,
		"GET /apps/3/channels?%zz=%zz;a&&&=& HTTP/1.1\r\nHost: x\r\n\r\n":                            http.StatusUnauthorized,
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":                                                      http.StatusOK, // net/http answers this one itself
		"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n":                                                    http.StatusNotFound,
		"GET /apps/3/channels/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n":                                  http.StatusUnauthorized,
		"POST /apps/3/events HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx": http.StatusBadRequest,
		"BREW /apps/3/events HTTP/1.1\r\nHost: x\r\n\r\n":                                            http.StatusMethodNotAllowed,
	} {
		if status, body := exchange(t, base, raw); status != want {
			t.Errorf("%.60q: %d %s, want %d", raw, status, body, want)
		}
	}
}

// panicking is a hub with a bug.
type panicking struct{ httpapi.Hub }

func (panicking) PublishEach(*apps.App, hub.Publication, ...protocol.ChannelName) {
	panic("a bug with a secret")
}

func (panicking) PublishInOrder(*apps.App, []hub.Publication) { panic("a bug with a secret") }

func TestPanicEndsOneRequestOnly(t *testing.T) {
	f := newFixture(t, func(o *httpapi.Options, _ *apps.App) { o.Hub = panicking{} })
	f.want(post(events, `{"name":"e","channel":"a","data":"1"}`), http.StatusInternalServerError, "Internal error")
	f.want(post(events, `{`), http.StatusBadRequest, "The request body is not accepted: invalid JSON")
	if records := f.log.Records(); len(records) != 1 || records[0].Attrs["route"] != "/apps/{app}/events" || records[0].Attrs["stack"] == "" {
		t.Errorf("log %v", records)
	}
}
