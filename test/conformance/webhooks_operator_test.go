package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

const operatorToken = "0123456789abcdef-operator"

// operator runs commands against a server.
type operator struct {
	server *server
	token  string
}

// commandResult is what a command left behind.
type commandResult struct {
	code           int
	stdout, stderr string
}

func (o operator) run(t testing.TB, args ...string) commandResult {
	t.Helper()
	var stdout, stderr bytes.Buffer
	c := exec.CommandContext(t.Context(), program, append([]string{"webhooks", "--ops", o.server.ops}, args...)...)
	// With the race detector a program waits for a second before it ends, unless told.
	c.Env = append(testkit.WithoutSettings(os.Environ()), "PIPESOCKETD_OPS_TOKEN="+o.token, "GORACE=atexit_sleep_ms=0")
	c.Stdout, c.Stderr = &stdout, &stderr
	err := c.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("run the command: %v", err)
	}
	return commandResult{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// does runs a command that must succeed, and returns what it prints.
func (o operator) does(t testing.TB, args ...string) string {
	t.Helper()
	got := o.run(t, args...)
	if got.code != 0 {
		t.Fatalf("%v: %+v", args, got)
	}
	return got.stdout
}

// keptHook is a webhook as the commands tell of it.
type keptHook struct {
	ID       string
	App      string
	Endpoint string
	State    string
	SealedMS int64 `json:"sealed_ms"`
	Failures int
	Reason   string
	Delivery string
	Body     string
	Attempts []struct {
		Outcome, Answer string
		Status          int
		TookMS          float64 `json:"took_ms"`
	}
}

// list returns all webhooks that the flags select, by id.
func (o operator) list(t testing.TB, flags ...string) map[string]keptHook {
	t.Helper()
	all := make(map[string]keptHook)
	lines := json.NewDecoder(strings.NewReader(o.does(t, append([]string{"list", "--json", "--limit=0"}, flags...)...)))
	for {
		var k keptHook
		switch err := lines.Decode(&k); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatal(err)
		}
		all[k.ID] = k
	}
}

func (o operator) show(t testing.TB, id string) (k keptHook) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.does(t, "show", id, "--json")), &k); err != nil {
		t.Fatal(err)
	}
	return k
}

// channel is that of the only event.
func (k keptHook) channel(t testing.TB) string {
	t.Helper()
	var d delivery
	if err := json.Unmarshal([]byte(k.Body), &d); err != nil || len(d.Events) != 1 {
		t.Fatalf("body %q: %v", k.Body, err)
	}
	return d.Events[0]["channel"].(string)
}

// A receiver that is down makes dead letters, here because the queue is small.
// An operator looks at them, has some delivered after all and forgets others.
func TestWebhookOperator(t *testing.T) {
	const channels = 40
	r := newReceiver(t)
	r.respond(func(w http.ResponseWriter, _ int) {
		http.Error(w, "down for maintenance", http.StatusServiceUnavailable)
	})
	a := app{"7001", "operator-key", "operator-secret"}
	s := onOneNode(t, "an operator sees what one node keeps", fmt.Sprintf("data_dir: %q\nwebhooks: {allow_addresses: [127.0.0.0/8], grace_delay: 0s, queue_bytes: 1024}\napps:\n", t.TempDir())+
		appYAML(a, fmt.Sprintf("webhooks: [{url: %q, events: [channel_occupied]}]", strings.Replace(r.url, "http://", "http://user:sesame@", 1)+"?token=sesame")),
		"PIPESOCKETD_OPS_TOKEN="+operatorToken)
	o := operator{s, operatorToken}
	c := connect(t, s, a)
	c.subscribe(t, unique("x-"))
	eventually(t, "an attempt has failed", func() bool {
		return slices.ContainsFunc(slices.Collect(maps.Values(o.list(t))), func(k keptHook) bool { return k.Failures > 0 })
	})
	for range channels - 1 {
		c.subscribe(t, unique("x-"))
	}

	var all, dead map[string]keptHook
	var tried keptHook
	if !poll(30*time.Second, func() bool {
		all = o.list(t)
		dead = o.list(t, "--state=dead", "--app", a.id, "--endpoint", r.url, "--from=1h")
		for _, k := range dead {
			if k.Failures > 0 {
				tried = k
			}
		}
		return len(all) == channels && len(dead) > channels/2 && tried.ID != ""
	}) {
		t.Fatalf("of %d webhooks %d are known, of which %d are dead letters: %v", channels, len(all), len(dead), dead)
	}
	if tried.App != a.id || tried.Endpoint != r.url || tried.Reason != "overflow" {
		t.Errorf("listed as %+v", tried)
	}
	if all := o.does(t, "list"); !strings.Contains(all, "ID ") || !strings.Contains(all, tried.ID) || strings.Contains(all, "sesame") {
		t.Errorf("the table is\n%s", all)
	}

	shown := o.show(t, tried.ID)
	if len(shown.Attempts) == 0 || shown.Attempts[0].Status != 503 || shown.Attempts[0].Outcome != "http_5xx" ||
		shown.Attempts[0].Answer != "down for maintenance\n" || shown.Attempts[0].TookMS <= 0 {
		t.Errorf("shown as %+v", shown)
	}
	if text := o.does(t, "show", tried.ID); !strings.Contains(text, `down for maintenance\n`) || strings.Contains(text, "sesame") {
		t.Errorf("shown as\n%s", text)
	}

	t.Run("only with the token", func(t *testing.T) {
		got := operator{s, "0123456789abcdef-stranger"}.run(t, "drop", "--all", "--yes")
		if got.code != 1 || !strings.Contains(got.stderr, "refuses the operations token") || strings.Contains(got.stderr, "stranger") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("nothing without an answer", func(t *testing.T) {
		if got := o.run(t, "drop", "--all"); got.code != 1 || !strings.Contains(got.stderr, fmt.Sprintf("drop %d webhooks (", channels)) {
			t.Errorf("%+v", got)
		}
		if all := o.list(t); len(all) != channels {
			t.Errorf("%d are left", len(all))
		}
	})

	// What waits goes, so that the next request tells of what is replayed.
	o.does(t, "drop", "--state=waiting", "--app", a.id, "--yes")
	if all := o.list(t); len(all) != len(o.list(t, "--state=dead")) || len(all) < len(dead) {
		t.Errorf("%d of %d are left", len(all), len(dead))
	}
	dead = o.list(t)
	r.respond(nil)
	before := len(r.arrived)
	if got := o.does(t, "replay", tried.ID); got != "replayed 1 webhook\n" {
		t.Errorf("replay says %q", got)
	}
	for range before { // of the time when it was down
		<-r.arrived
	}
	d := r.nextWithin(t, 40*time.Second) // the receiver is probed every 16 s at most
	d.signedBy(t, a)
	if !sameEvent(d.Events[0], hookOccupied(shown.channel(t))) || d.TimeMS <= tried.SealedMS || d.header.Get("X-Pipesocket-Delivery") != shown.Delivery {
		t.Errorf("replayed as %s with %v, it was %+v", d.body, d.header, shown)
	}
	eventually(t, "the replayed webhook is delivered", func() bool { return o.show(t, tried.ID).State == "delivered" })

	delete(dead, tried.ID)
	var gone keptHook
	for id := range dead {
		gone = o.show(t, id)
		break
	}
	if got := o.does(t, "drop", gone.ID); got != "dropped 1 webhook\n" {
		t.Errorf("drop says %q", got)
	}
	delete(dead, gone.ID)
	if got := o.run(t, "show", gone.ID); gone.Failures == 0 && got.code != 1 {
		t.Errorf("it is still shown: %+v", got)
	}
	want := make(map[string]bool)
	for id := range dead {
		want[o.show(t, id).channel(t)] = true
	}
	if got := o.does(t, "replay", "--endpoint", r.url, "--to", "0s", "--yes"); got != fmt.Sprintf("replayed %d webhooks\n", len(dead)) {
		t.Errorf("replay says %q, want %d", got, len(dead))
	}
	got := make(map[string]bool)
	for range dead {
		got[r.next(t).Events[0]["channel"].(string)] = true
	}
	if !maps.Equal(got, want) {
		t.Errorf("replayed %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	eventually(t, "nothing is kept", func() bool { return len(o.list(t)) == 0 })
}

func TestWebhookOperatorWithoutADataDirectory(t *testing.T) {
	s := onOneNode(t, "an operator asks one node", "apps:\n"+appYAML(app{"7002", "memory-key", "memory-secret"}))
	got := operator{server: s}.run(t, "list")
	if got.code != 1 || !strings.Contains(got.stderr, "set data_dir (PIPESOCKETD_DATA_DIR)") {
		t.Errorf("%+v", got)
	}
}
