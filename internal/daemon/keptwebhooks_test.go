package daemon

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/internal/webhook"
	"github.com/pipesocket/pipesocketd/internal/webhook/journal"
)

// kept is a journal with one endpoint, and the operations API above it.
type kept struct {
	t       *testing.T
	journal *journal.Journal
	queue   webhook.Queue
	api     http.Handler
}

const keptURL = "https://user:sesame@hooks.example/in?token=sesame"

func newKept(t *testing.T) *kept {
	t.Helper()
	j, err := journal.Open(t.Context(), filepath.Join(t.TempDir(), "webhooks.db"), journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(context.Background()); err != nil { //nolint:usetesting // the context of the test has ended
			t.Error(err)
		}
	})
	q := j.OpenQueue(webhook.QueueSpec{
		App: "1", URL: keptURL, Label: "https://hooks.example/in", MaxBytes: 1 << 20, Wake: func() {},
		Reseal: func(p *webhook.Payload) { p.TimeMS = time.Now().UnixMilli() }, Dropped: func(webhook.DropReason, int) {},
	})
	return &kept{t, j, q, httpapi.NewOpsAPI(httpapi.OpsAPIOptions{Webhooks: keptWebhooks{j}})}
}

// put puts a payload and returns it as it is handed out.
func (k *kept) put(body string) *webhook.Payload {
	k.t.Helper()
	k.queue.Put(&webhook.Payload{App: "1", URL: keptURL, Key: "k", Signature: "s", TimeMS: time.Now().UnixMilli(), Events: 1, Body: []byte(body)})
	return k.pop()
}

func (k *kept) pop() (p *webhook.Payload) {
	k.t.Helper()
	testkit.WaitFor(k.t, func() bool {
		p = k.queue.Pop(time.Now(), webhook.TurnFirst|webhook.TurnRetry)
		return p != nil
	}, "a payload")
	return p
}

// ask asks until the answer is accepted, since the journal writes a little later.
func (k *kept) ask(method, path, body string, accept func(status int, answer map[string]any) bool) {
	k.t.Helper()
	var last string
	defer func() {
		if k.t.Failed() {
			k.t.Logf("%s %s: %s", method, path, last)
		}
	}()
	testkit.WaitFor(k.t, func() bool {
		r := httptest.NewRecorder()
		k.api.ServeHTTP(r, httptest.NewRequest(method, "/api/webhooks"+path, strings.NewReader(body)))
		if last = r.Body.String(); strings.Contains(last, "sesame") {
			k.t.Fatalf("a secret in %s", last)
		}
		var answer map[string]any
		_ = json.Unmarshal(r.Body.Bytes(), &answer) // texts have no members
		return accept(r.Code, answer)
	}, method+" "+path)
}

// listed accepts a list of these ids.
func listed(ids ...int64) func(int, map[string]any) bool {
	return func(status int, answer map[string]any) bool {
		list, _ := answer["webhooks"].([]any)
		if status != http.StatusOK || len(list) != len(ids) {
			return false
		}
		for i, id := range ids {
			if list[i].(map[string]any)["id"] != strconv.FormatInt(id, 10) {
				return false
			}
		}
		return true
	}
}

func changed(what string, n float64) func(int, map[string]any) bool {
	return func(status int, answer map[string]any) bool { return status == http.StatusOK && answer[what] == n }
}

func TestWebhooksOfTheJournal(t *testing.T) {
	k := newKept(t)
	start := time.Now()
	first, second, third := k.put("body 1"), k.put("body 2"), k.put("body 3")
	k.journal.LogAttempt(webhook.Attempt{
		App: "1", URL: keptURL, Payload: first.ID, Start: start, Took: 1500 * time.Microsecond,
		Outcome: webhook.Status5xx, Status: 503, Answer: []byte("busy"),
	})
	first.Failures = 1
	k.queue.Dead(first, webhook.DropExpired)
	k.queue.Dead(second, webhook.DropOverflow)

	k.ask("GET", "", "", listed(first.ID, second.ID, third.ID))
	k.ask("GET", "?state=dead&app=1&endpoint=https://hooks.example/in&to="+strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10), "", listed(first.ID, second.ID))
	k.ask("GET", "?state=waiting", "", listed(third.ID))
	k.ask("GET", "?limit=1&cursor="+strconv.FormatInt(first.ID, 10), "", func(status int, answer map[string]any) bool {
		return listed(second.ID)(status, answer) && answer["next"] == strconv.FormatInt(second.ID, 10)
	})
	k.ask("GET", "?app=2", "", listed())

	path := "/" + strconv.FormatInt(first.ID, 10)
	k.ask("GET", path, "", func(_ int, d map[string]any) bool {
		attempts, _ := d["attempts"].([]any)
		if len(attempts) != 1 {
			return false
		}
		a := attempts[0].(map[string]any)
		return d["state"] == "dead" && d["body"] == "body 1" && d["delivery"] == first.Delivery() && d["reason"] == "expired" && d["failures"] == 1.0 && d["died_ms"].(float64) >= d["sealed_ms"].(float64) &&
			a["status"] == 503.0 && a["took_ms"] == 1.5 && a["outcome"] == "http_5xx" && a["answer"] == "busy" && a["at_ms"] == float64(start.UnixMilli())
	})

	k.ask("POST", "/replay", `{"endpoint":"https://hooks.example/in","from":0}`, changed("replayed", 2))
	again := k.pop()
	if again.ID != first.ID {
		t.Errorf("handed out %d, want %d", again.ID, first.ID)
	}
	k.journal.LogAttempt(webhook.Attempt{App: "1", URL: keptURL, Payload: first.ID, Start: start, Outcome: webhook.Delivered, Status: 200})
	k.journal.LogAttempt(webhook.Attempt{App: "1", URL: keptURL, Payload: first.ID, Start: start, Outcome: webhook.Aborted, Error: "stopped"})
	k.queue.Done(again)
	k.ask("GET", path, "", func(_ int, d map[string]any) bool {
		return d["state"] == "delivered" && d["failures"] == 1.0 && d["endpoint"] == "https://hooks.example/in" && d["sealed_ms"] == float64(first.ID/1000)
	})

	k.journal.LogAttempt(webhook.Attempt{App: "1", URL: keptURL, Payload: third.ID, Start: start, Outcome: webhook.TimedOut, Error: "slow"})
	k.ask("POST", "/drop", `{"ids":["`+strconv.FormatInt(third.ID, 10)+`","5"]}`, changed("dropped", 1))
	k.ask("GET", "/"+strconv.FormatInt(third.ID, 10), "", func(_ int, d map[string]any) bool { return d["state"] == "deleted" })
	k.ask("POST", "/drop", `{"all":true,"state":"dead"}`, changed("dropped", 0))
	k.ask("POST", "/drop", `{"all":true}`, changed("dropped", 1))
	k.ask("GET", "", "", listed())
	k.ask("GET", "/5", "", func(status int, _ map[string]any) bool { return status == http.StatusNotFound })
}

// The operations listener has the API: with a data directory the journal's, and
// without one a text that says what is missing.
func TestWebhooksOnTheOperationsListener(t *testing.T) {
	s := run(t, nil)
	if status, body := s.get(s.ops, "/api/webhooks"); status != http.StatusNotImplemented || !strings.Contains(body, "data_dir") {
		t.Errorf("without a data directory: %d %s", status, body)
	}
	dir := t.TempDir()
	s = run(t, func(o *Options) { o.Config.DataDir, o.Config.Ops.Token = dir, "0123456789abcdef" })
	if status, _ := s.get(s.ops, "/api/webhooks"); status != http.StatusUnauthorized {
		t.Errorf("without the token: %d", status)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.ops+"/api/webhooks", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer 0123456789abcdef")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || !listed()(response.StatusCode, answer) {
		t.Errorf("with the token: %d %v, %v", response.StatusCode, answer, err)
	}
}
