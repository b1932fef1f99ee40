package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var (
	pair      = auth.Key{Key: "278d425bdf160c739803", Secret: "7ad3773142a6692b25b8"}
	otherPair = auth.Key{Key: "other-key", Secret: "other-secret"}
)

// fixture is an API over a real hub with the apps 3, 4 (another tenant) and 5
// (disabled).
type fixture struct {
	t        testing.TB
	registry *apps.Registry
	app      *apps.App
	hub      *hub.Hub
	api      *httpapi.API
	metrics  *prometheus.Registry
	log      *testkit.LogCapture
}

func newFixture(t testing.TB, change ...func(*httpapi.Options, *apps.App)) *fixture {
	t.Helper()
	app := newApp("3", pair)
	other := newApp("4", otherPair)
	disabled := newApp("5", auth.Key{Key: "disabled-key", Secret: "disabled-secret"})
	disabled.Enabled = false
	f := &fixture{t: t, app: app, metrics: prometheus.NewRegistry(), log: &testkit.LogCapture{}}
	o := httpapi.Options{Metrics: f.metrics, Log: f.log.Logger()}
	for _, c := range change {
		c(&o, app)
	}
	var err error
	if f.registry, err = apps.NewRegistry(app, other, disabled); err != nil {
		t.Fatal(err)
	}
	f.hub = hub.New(hub.Options{Registry: f.registry})
	o.Registry = f.registry
	if o.Hub == nil {
		o.Hub = f.hub
	}
	f.api = httpapi.New(o)
	return f
}

func newApp(id apps.ID, pair auth.Key) *apps.App {
	app := apps.Defaults()
	app.ID, app.Keys = id, auth.Keys{pair}
	return &app
}

// bubble runs test in fake time, with a fixture of its own.
func bubble(t *testing.T, test func(*fixture), change ...func(*httpapi.Options, *apps.App)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(newFixture(t, change...)) })
}

// request is what a test sends. Zero fields are left out.
type request struct {
	method string
	path   string
	params url.Values
	body   string
	pair   auth.Key // zero: the app's
	query  string   // instead of a signed one
}

// send signs the request and returns the answer. Every answer is checked for
// what all of them promise.
func (f *fixture) send(r request) *httptest.ResponseRecorder {
	f.t.Helper()
	if r.pair.Key == "" {
		r.pair = pair
	}
	if r.query == "" {
		r.query = auth.SignedQuery(r.pair, r.method, r.path, r.params, []byte(r.body), time.Now())
	}
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	recorder := httptest.NewRecorder()
	f.api.ServeHTTP(recorder, httptest.NewRequest(r.method, r.path+"?"+r.query, body))
	checkAnswer(f.t, recorder.Result(), recorder.Body.String())
	return recorder
}

// checkAnswer holds for every answer of the API: JSON on success, otherwise one
// line of text (P-219), and never a CORS header (P-250).
func checkAnswer(t testing.TB, answer *http.Response, body string) {
	t.Helper()
	contentType := answer.Header.Get("Content-Type")
	switch {
	case answer.StatusCode < 300:
		if contentType != "application/json" {
			t.Errorf("status %d with Content-Type %q", answer.StatusCode, contentType)
		}
	case contentType != "text/plain; charset=utf-8":
		t.Errorf("status %d with Content-Type %q", answer.StatusCode, contentType)
	case len(body) < 2 || strings.Index(body, "\n") != len(body)-1:
		t.Errorf("status %d with body %q, want one line", answer.StatusCode, body)
	}
	for name := range answer.Header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("answer has %s", name)
		}
	}
}

// want sends the request and compares status and body. Errors are given without
// their newline.
func (f *fixture) want(r request, status int, body string) {
	f.t.Helper()
	got := f.send(r)
	if text := strings.TrimSuffix(got.Body.String(), "\n"); got.Code != status || text != body {
		f.t.Errorf("%s %s %v %.200s\n got %d %s\nwant %d %s", r.method, r.path, r.params, r.body, got.Code, text, status, body)
	}
}

func post(path, body string) request { return request{method: "POST", path: path, body: body} }

// get takes parameters as pairs of name and value.
func get(path string, params ...string) request {
	r := request{method: "GET", path: path, params: url.Values{}}
	for i := 0; i < len(params); i += 2 {
		r.params.Add(params[i], params[i+1])
	}
	return r
}

// socket is a connection to the hub that keeps what it gets.
type socket struct {
	f          *fixture
	attachment *hub.Attachment

	mu     sync.Mutex
	bytes  []byte
	closed protocol.CloseError
}

func (s *socket) Deliver(w protocol.Wire) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes = append(s.bytes, w...)
	return nil
}

func (s *socket) Outlet() hub.Outlet { return s }

func (s *socket) Deflates() bool { return false }

func (s *socket) Close(e protocol.CloseError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = e
}

// connect attaches a connection to the fixture's app and subscribes it.
func (f *fixture) connect(channels ...string) *socket {
	f.t.Helper()
	s := &socket{f: f}
	attachment, err := f.hub.Attach(f.app, s)
	if err != nil {
		f.t.Fatal(err)
	}
	s.attachment = attachment
	for _, channel := range channels {
		s.subscribe(channel, "")
	}
	return s
}

// member attaches a connection and subscribes it to a presence channel.
func (f *fixture) member(channel, userID string) *socket {
	f.t.Helper()
	s := f.connect()
	s.subscribe(channel, `{"user_id":"`+userID+`"}`)
	return s
}

func (s *socket) subscribe(channel, data string) {
	s.f.t.Helper()
	r := hub.SubscribeRequest{Channel: channel}
	if data != "" {
		r.ChannelData = &data
	}
	r.Auth = auth.Token(pair, auth.ChannelText(s.id(), protocol.ChannelName(channel), r.ChannelData))
	if refusal := s.attachment.Subscribe(nil, r); refusal != nil {
		s.f.t.Fatalf("subscribe %s: %s", channel, refusal.Message)
	}
}

func (s *socket) signIn(userID string) {
	s.f.t.Helper()
	data := `{"id":"` + userID + `"}`
	if refusal := s.attachment.Signin(nil, auth.Token(pair, auth.UserText(s.id(), data)), data); refusal != nil {
		s.f.t.Fatalf("sign in: %s", refusal.Message)
	}
}

func (s *socket) id() protocol.SocketID { return s.attachment.SocketID() }

// delivered waits until the hub is idle and returns "EVENT CHANNEL DATA" of each
// event of a backend that has arrived since the last call, by channel: order is
// promised within one channel only. It works in a bubble.
func (s *socket) delivered() []string {
	s.f.t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var events []string
	for _, frame := range testkit.Frames(s.f.t, s.bytes) {
		if !strings.HasPrefix(frame.Event, protocol.ReservedPrefix) {
			events = append(events, frame.Event+" "+frame.Channel+" "+frame.Data)
		}
	}
	s.bytes = nil
	channel := func(event string) string { return strings.SplitN(event, " ", 3)[1] }
	slices.SortStableFunc(events, func(a, b string) int { return strings.Compare(channel(a), channel(b)) })
	return events
}

func (s *socket) closeReason() protocol.CloseError {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
