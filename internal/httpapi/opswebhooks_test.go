package httpapi_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// webhookStore is a store of the given webhooks that notes what it is asked.
type webhookStore struct {
	webhooks []httpapi.Webhook
	detail   *httpapi.WebhookDetail
	n        int
	err      error
	asked    []string

	entered, leave chan struct{} // where they are set, List waits between them
}

func (s *webhookStore) note(what string, f httpapi.WebhookFilter) {
	for _, at := range []*time.Time{&f.From, &f.To} {
		*at = at.UTC()
	}
	s.asked = append(s.asked, fmt.Sprintf("%s %+v", what, f))
}

func (s *webhookStore) List(_ context.Context, f httpapi.WebhookFilter, after int64, limit int) ([]httpapi.Webhook, error) {
	if s.entered != nil {
		s.entered <- struct{}{}
		<-s.leave
		return nil, nil
	}
	s.note(fmt.Sprintf("list after %d, %d of", after, limit), f)
	return s.webhooks[:min(limit, len(s.webhooks))], s.err
}

func (s *webhookStore) Show(_ context.Context, id int64) (*httpapi.WebhookDetail, error) {
	s.asked = append(s.asked, fmt.Sprintf("show %d", id))
	return s.detail, s.err
}

func (s *webhookStore) Replay(_ context.Context, f httpapi.WebhookFilter) (int, error) {
	s.note("replay", f)
	return s.n, s.err
}

func (s *webhookStore) Drop(_ context.Context, f httpapi.WebhookFilter) (int, error) {
	s.note("drop", f)
	return s.n, s.err
}

func askOpsAPI(h http.Handler, method, path, body string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequest(method, "/api/webhooks"+path, strings.NewReader(body)))
	return recorder
}

// filter is how the notes tell of one.
func filter(f httpapi.WebhookFilter) string { return fmt.Sprintf("%+v", f) }

func TestListWebhooks(t *testing.T) {
	store := &webhookStore{webhooks: []httpapi.Webhook{
		{ID: 1763906130123456, App: "1", Endpoint: "https://hooks.example/in?<&>", State: "dead", SealedMS: 5, Events: 2, Bytes: 30, Failures: 3, DiedMS: 6, Reason: "expired"},
		{ID: 1763906130123457, App: "1", Endpoint: "https://hooks.example/in", State: "waiting", SealedMS: 7, Events: 1, Bytes: 10, DueMS: 8},
	}}
	h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: store})
	second := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct{ query, asked string }{
		"all":        {"", "list after 0, 101 of " + filter(httpapi.WebhookFilter{})},
		"by field":   {"?app=1&endpoint=https://hooks.example/in&state=dead", "list after 0, 101 of " + filter(httpapi.WebhookFilter{App: "1", Endpoint: "https://hooks.example/in", State: "dead"})},
		"by time":    {"?from=2026-01-02T03:04:05Z&to=1767323045001&state=waiting", "list after 0, 101 of " + filter(httpapi.WebhookFilter{State: "waiting", From: second, To: second.Add(time.Millisecond)})},
		"since 1970": {"?from=0", "list after 0, 101 of " + filter(httpapi.WebhookFilter{From: time.Unix(0, 0).UTC()})},
		"by page":    {"?limit=500&cursor=17", "list after 17, 501 of " + filter(httpapi.WebhookFilter{})},
	} {
		t.Run(name, func(t *testing.T) {
			store.asked = nil
			got := askOpsAPI(h, "GET", c.query, "")
			if got.Code != 200 || !slices.Equal(store.asked, []string{c.asked}) {
				t.Errorf("%d %s\nasked %q\nwant  %q", got.Code, got.Body, store.asked, c.asked)
			}
		})
	}
	const first = `{"id":"1763906130123456","app":"1","endpoint":"https://hooks.example/in?<&>","state":"dead","sealed_ms":5,"events":2,"bytes":30,"failures":3,"died_ms":6,"reason":"expired"}`
	const other = `{"id":"1763906130123457","app":"1","endpoint":"https://hooks.example/in","state":"waiting","sealed_ms":7,"events":1,"bytes":10,"failures":0,"due_ms":8}`
	for query, want := range map[string]string{
		"":         `{"webhooks":[` + first + "," + other + `]}`,
		"?limit=2": `{"webhooks":[` + first + "," + other + `]}`,
		"?limit=1": `{"webhooks":[` + first + `],"next":"1763906130123456"}`,
	} {
		got := askOpsAPI(h, "GET", query, "")
		if strings.TrimSpace(got.Body.String()) != want || got.Header().Get("Content-Type") != "application/json" || got.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %v %s\nwant %s", query, got.Header(), got.Body, want)
		}
	}
	store.webhooks = nil
	if got := askOpsAPI(h, "GET", "", ""); strings.TrimSpace(got.Body.String()) != `{"webhooks":[]}` {
		t.Errorf("nothing is listed as %s", got.Body)
	}
}

func TestListWebhooksRefuses(t *testing.T) {
	store := &webhookStore{}
	h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: store})
	for query, want := range map[string]string{
		"limit=0":                   "Invalid limit: it must be 1 to 500",
		"limit=501":                 "Invalid limit",
		"limit=x":                   "Invalid limit",
		"cursor=":                   "Invalid cursor",
		"cursor=-1":                 "Invalid cursor",
		"state=lost":                "Invalid state: it must be waiting or dead",
		"state=delivered":           "Invalid state",
		"state=":                    "Parameter state must not be empty",
		"app=":                      "Parameter app must not be empty",
		"endpont=x":                 "Unknown parameter endpont",
		"ids=1":                     "Unknown parameter ids",
		"app=1&app=2":               "Parameter app is there twice",
		"from=yesterday":            "Invalid from: it must be Unix milliseconds or an RFC 3339 time, 1970 to 9999",
		"to=2026-01-02":             "Invalid to",
		"from=-1":                   "Invalid from",
		"from=1e3":                  "Invalid from",
		"to=99999999999999":         "",
		"to=999999999999999999":     "Invalid to",
		"from=0001-01-01T00:00:00Z": "Invalid from",
		"from=1969-12-31T23:59:59Z": "Invalid from",
		"from=2026-01-02T03:04:05Z&to=1767323045000": "from must be before to",
		"from=2026-01-02T03:04:05Z&to=1767323044000": "from must be before to",
		"app=%zz":          "The query could not be read",
		"app=1;endpoint=2": "The query could not be read",
		"a%0Ab=1":          `Unknown parameter a\nb`,
		"from=2026-01-02T03:04:05Z&to=2026-01-02T03:04:06": "Invalid to",
	} {
		store.asked = nil
		got := askOpsAPI(h, "GET", "?"+query, "")
		if want == "" {
			if got.Code != 200 {
				t.Errorf("%s: %d %s", query, got.Code, got.Body)
			}
			continue
		}
		if got.Code != 400 || !strings.HasPrefix(got.Body.String(), want) || len(store.asked) > 0 {
			t.Errorf("%s: %d %s, asked %q, want %q", query, got.Code, got.Body, store.asked, want)
		}
	}
}

func TestShowWebhook(t *testing.T) {
	store := &webhookStore{detail: &httpapi.WebhookDetail{
		Webhook: httpapi.Webhook{ID: 17, App: "1", Endpoint: "https://hooks.example/in", State: "delivered", SealedMS: 5},
		Body:    `{"time_ms":5}`,
		Attempts: []httpapi.WebhookAttempt{
			{AtMS: 6, TookMS: 1.5, Outcome: "http_5xx", Status: 503, Answer: "busy\xff"},
			{AtMS: 7, TookMS: 1000, Outcome: "timeout", Error: "slow"},
		},
	}}
	h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: store})
	got := askOpsAPI(h, "GET", "/17", "")
	const want = `{"id":"17","app":"1","endpoint":"https://hooks.example/in","state":"delivered","sealed_ms":5,"failures":0,"body":"{\"time_ms\":5}",` +
		`"attempts":[{"at_ms":6,"took_ms":1.5,"outcome":"http_5xx","status":503,"answer":"busy\ufffd"},{"at_ms":7,"took_ms":1000,"outcome":"timeout","error":"slow"}]}`
	if got.Code != 200 || strings.TrimSpace(got.Body.String()) != want || !slices.Equal(store.asked, []string{"show 17"}) {
		t.Errorf("%d %s\nwant %s\nasked %q", got.Code, got.Body, want, store.asked)
	}
	for _, id := range []string{"x", "0", "-1", "1.5", "99999999999999999999", "1%2f2"} {
		if got := askOpsAPI(h, "GET", "/"+id, ""); got.Code != 400 || !strings.HasPrefix(got.Body.String(), "Invalid id") {
			t.Errorf("%s: %d %s", id, got.Code, got.Body)
		}
	}
	store.err = fmt.Errorf("wrapped: %w", httpapi.ErrNoWebhook)
	if got := askOpsAPI(h, "GET", "/18", ""); got.Code != 404 || !strings.HasPrefix(got.Body.String(), "No such webhook") {
		t.Errorf("unknown: %d %s", got.Code, got.Body)
	}
}

func TestChangeWebhooks(t *testing.T) {
	second := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		path, body string
		asked      string
	}{
		"replay by id":       {"/replay", `{"ids":["17","18"]}`, "replay " + filter(httpapi.WebhookFilter{IDs: []int64{17, 18}, State: "dead"})},
		"replay by field":    {"/replay", ` {"app":"1","endpoint":"https://a.example/","state":"dead"} `, "replay " + filter(httpapi.WebhookFilter{App: "1", Endpoint: "https://a.example/", State: "dead"})},
		"replay all":         {"/replay", `{"all":true}`, "replay " + filter(httpapi.WebhookFilter{State: "dead", All: true})},
		"drop by id and app": {"/drop", `{"ids":["17"],"app":"1"}`, "drop " + filter(httpapi.WebhookFilter{IDs: []int64{17}, App: "1"})},
		"drop by time":       {"/drop", `{"from":"2026-01-02T03:04:05Z","to":1767323046000}`, "drop " + filter(httpapi.WebhookFilter{From: second, To: second.Add(time.Second)})},
		"drop what waits":    {"/drop", `{"app":"1","state":"waiting"}`, "drop " + filter(httpapi.WebhookFilter{App: "1", State: "waiting"})},
		"drop all":           {"/drop", `{"all":true}`, "drop " + filter(httpapi.WebhookFilter{All: true})},
		"drop all dead":      {"/drop", `{"all":true,"state":"dead"}`, "drop " + filter(httpapi.WebhookFilter{All: true, State: "dead"})},
	} {
		t.Run(name, func(t *testing.T) {
			store, log := &webhookStore{n: 3}, &testkit.LogCapture{}
			h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: store, Log: log.Logger()})
			got := askOpsAPI(h, "POST", c.path, c.body)
			done := map[string]string{"/replay": "replayed", "/drop": "dropped"}[c.path]
			if got.Code != 200 || strings.TrimSpace(got.Body.String()) != `{"`+done+`":3}` || !slices.Equal(store.asked, []string{c.asked}) {
				t.Errorf("%d %s\nasked %q\nwant  %q", got.Code, got.Body, store.asked, c.asked)
			}
			if found := log.Find("webhooks changed by an operator"); len(found) != 1 || found[0].Attrs["change"] != done || found[0].Attrs["webhooks"] != "3" {
				t.Errorf("the log says %v", log.Records())
			}
		})
	}
}

func TestChangeWebhooksRefuses(t *testing.T) {
	store := &webhookStore{}
	h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: store})
	many := `{"ids":["1"` + strings.Repeat(`,"1"`, 1000) + `]}`
	for body, want := range map[string]string{
		``:                                 "The request body is not accepted: invalid JSON",
		`[]`:                               "Expected the request body to be a JSON object",
		`{}`:                               "Nothing selects the webhooks: give ids, app, endpoint, from or to, or all: true",
		`{"state":"dead"}`:                 "Nothing selects the webhooks",
		`{"all":false}`:                    "Expected all to be true",
		`{"all":"true"}`:                   "Expected all to be true",
		`{"all":null,"app":"1"}`:           "Expected all to be true",
		`{"all":true,"app":"1"}`:           "Expected all to be true, which goes with no other parameter than state",
		`{"all":true,"ids":["1"]}`:         "Expected all to be true",
		`{"ids":[]}`:                       "Expected ids to be a list of ids, as strings",
		`{"ids":[],"app":"1"}`:             "Expected ids to be a list",
		`{"ids":null,"app":"1"}`:           "Expected ids to be a list",
		`{"ids":"17"}`:                     "Expected ids to be a list",
		`{"ids":[17]}`:                     "Expected ids to be a list",
		`{"ids":["x"]}`:                    "Invalid id",
		`{"ids":["0"]}`:                    "Invalid id",
		many:                               "Too many ids: at most 1000",
		`{"endpont":"https://a.example/"}`: "Unknown parameter endpont",
		`{"limit":1,"app":"1"}`:            "Unknown parameter limit",
		`{"app":""}`:                       "Parameter app must not be empty",
		`{"endpoint":"","app":"1"}`:        "Parameter endpoint must not be empty",
		`{"app":null}`:                     "Expected app to be a string",
		`{"app":["1"]}`:                    "Expected app to be a string",
		`{"app":"1","app":"2"}`:            "The request body is not accepted: JSON object names a key twice",
		`{"from":1.5}`:                     "Invalid from",
		`{"from":"0001-01-01T00:00:00Z"}`:  "Invalid from",
		`{"from":2000,"to":1000}`:          "from must be before to",
		`{"app":"` + strings.Repeat("x", 64<<10) + `"}`: "The request body exceeds the allowed maximum (65536 bytes).",
	} {
		for _, path := range []string{"/replay", "/drop"} {
			got := askOpsAPI(h, "POST", path, body)
			if status := 400; got.Code != status && (got.Code != 413 || len(body) < 64<<10) || !strings.HasPrefix(got.Body.String(), want) {
				t.Errorf("%s %.60s: %d %.200s, want %s", path, body, got.Code, got.Body, want)
			}
		}
	}
	if got := askOpsAPI(h, "POST", "/replay", `{"app":"1","state":"waiting"}`); got.Code != 400 || !strings.HasPrefix(got.Body.String(), "Only dead webhooks") {
		t.Errorf("what waits is replayed: %d %s", got.Code, got.Body)
	}
	if len(store.asked) > 0 {
		t.Errorf("refused, and yet asked %q", store.asked)
	}
}

func TestWebhooksThatAreNotKept(t *testing.T) {
	h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{})
	for _, path := range []string{"GET ", "GET /17", "POST /replay", "POST /drop"} {
		method, rest, _ := strings.Cut(path, " ")
		got := askOpsAPI(h, method, rest, `{"all":true}`)
		if got.Code != 501 || !strings.Contains(got.Body.String(), "data_dir (PIPESOCKETD_DATA_DIR)") {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
}

func TestOpsAPIRoutes(t *testing.T) {
	h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: &webhookStore{}})
	for path, c := range map[string]struct {
		status int
		allow  string
	}{
		"POST ": {405, "GET"}, "DELETE /17": {405, "GET"}, "PUT /drop": {405, "POST"}, "DELETE /replay": {405, "POST"}, "GET /17/body": {404, ""}, "GET /": {404, ""},
	} {
		method, rest, _ := strings.Cut(path, " ")
		if got := askOpsAPI(h, method, rest, ""); got.Code != c.status || got.Header().Get("Allow") != c.allow {
			t.Errorf("%s: %d, allowed %q", path, got.Code, got.Header().Get("Allow"))
		}
	}
}

// What went wrong is in the log, not in the answer; what was done before is.
func TestWebhookStoreFails(t *testing.T) {
	for name, c := range map[string]struct {
		path, body string
		n          int
		want       string
	}{
		"list":             {"GET ", "", 0, "Internal error\n"},
		"show":             {"GET /1", "", 0, "Internal error\n"},
		"drop":             {"POST /drop", `{"all":true}`, 0, "Internal error\n"},
		"replay half-way":  {"POST /replay", `{"all":true}`, 500, "Internal error, told by the log, after 500 webhooks were replayed\n"},
		"dropped half-way": {"POST /drop", `{"all":true}`, 1, "Internal error, told by the log, after 1 webhooks were dropped\n"},
	} {
		t.Run(name, func(t *testing.T) {
			log := &testkit.LogCapture{}
			store := &webhookStore{n: c.n, err: errors.New("disk I/O error")}
			h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: store, Log: log.Logger()})
			method, path, _ := strings.Cut(c.path, " ")
			got := askOpsAPI(h, method, path, c.body)
			if got.Code != 500 || got.Body.String() != c.want {
				t.Errorf("%d %s", got.Code, got.Body)
			}
			if found := log.Find("operations API"); len(found) != 1 || found[0].Attrs["error"] != "disk I/O error" {
				t.Errorf("the log says %v", log.Records())
			}
		})
	}
}

func TestOpsAPIServesFewRequestsAtATime(t *testing.T) {
	store := &webhookStore{entered: make(chan struct{}), leave: make(chan struct{})}
	h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: store})
	answers := make(chan int, 8)
	for range 8 {
		go func() { answers <- askOpsAPI(h, "GET", "", "").Code }()
		<-store.entered
	}
	if got := askOpsAPI(h, "GET", "", ""); got.Code != 503 {
		t.Errorf("the ninth: %d %s", got.Code, got.Body)
	}
	close(store.leave)
	for range 8 {
		if got := <-answers; got != 200 {
			t.Errorf("status %d", got)
		}
	}
	store.entered = nil
	if got := askOpsAPI(h, "GET", "", ""); got.Code != 200 {
		t.Errorf("afterwards: %d %s", got.Code, got.Body)
	}
}

// FuzzWebhookSelection posts any body and any query. Nothing is changed without
// an answer of success, nor by a selection of everything that does not say so.
func FuzzWebhookSelection(f *testing.F) {
	f.Add(`{"ids":["17"],"app":"1","endpoint":"https://a.example/","state":"dead","from":"2026-01-02T03:04:05Z","to":1767323046000}`, "app=1&from=0&limit=3&cursor=4")
	f.Add(`{"all":true}`, "state=dead")
	f.Add(`{"from":18446744073709551616,"to":-1}`, "to=9223372036854775807")
	f.Fuzz(func(t *testing.T, body, query string) {
		store := &selecting{}
		h := httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: store})
		for _, path := range []string{"/replay", "/drop"} {
			*store = selecting{}
			got := askOpsAPI(h, "POST", path, body)
			if got.Code != 200 && got.Code != 400 && got.Code != 413 || (got.Code == 200) != (store.calls == 1) {
				t.Fatalf("%s: %d %s after %d calls", path, got.Code, got.Body, store.calls)
			}
			if g := store.filter; got.Code == 200 && !g.All && len(g.IDs) == 0 && g.App == "" && g.Endpoint == "" && g.From.IsZero() && g.To.IsZero() {
				t.Fatalf("%s selects everything", body)
			}
		}
		r := httptest.NewRequest(http.MethodGet, "/api/webhooks", nil)
		r.URL.RawQuery = query
		got := httptest.NewRecorder()
		h.ServeHTTP(got, r)
		if got.Code != 200 && got.Code != 400 {
			t.Fatalf("%d %s", got.Code, got.Body)
		}
	})
}

// selecting keeps the last selection.
type selecting struct {
	webhookStore
	calls  int
	filter httpapi.WebhookFilter
}

func (s *selecting) Replay(_ context.Context, f httpapi.WebhookFilter) (int, error) {
	s.calls, s.filter = s.calls+1, f
	return 0, nil
}

func (s *selecting) Drop(ctx context.Context, f httpapi.WebhookFilter) (int, error) {
	return s.Replay(ctx, f)
}
