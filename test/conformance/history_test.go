package conformance

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// pastPage is an answer of the history endpoint.
type pastPage struct {
	Events []pastEvent `json:"events"`
	Next   string      `json:"next"`
}

type pastEvent struct {
	ID       string  `json:"id"`
	TimeMS   int64   `json:"time_ms"`
	Name     string  `json:"name"`
	Data     string  `json:"data"`
	SocketID *string `json:"socket_id"`
	UserID   *string `json:"user_id"`
}

// String writes an event in one line, without what differs from run to run.
func (e pastEvent) String() string {
	line := e.Name + " " + e.Data
	if e.UserID != nil {
		line += " user=" + *e.UserID
	}
	if e.SocketID != nil {
		line += " socket=" + *e.SocketID
	}
	return line
}

// past asks for the history of a channel.
func (a api) past(t testing.TB, channel, query string) pastPage {
	t.Helper()
	var page pastPage
	a.get(t, "/channels/"+strings.ReplaceAll(channel, "#", "%23")+"/history", query).into(t, &page)
	return page
}

// wantPast requires that these are all events of a channel, oldest first.
func (a api) wantPast(t testing.TB, channel string, want ...string) {
	t.Helper()
	var got []string
	for _, e := range a.past(t, channel, "order=oldest").Events {
		got = append(got, e.String())
		if age := time.Since(time.UnixMilli(e.TimeMS)); age < -time.Second || age > time.Minute {
			t.Errorf("event %s is %v old", e, age)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("history of %s:\n%s\nwant:\n%s", channel, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// inFile keeps the history in a file of this directory.
func inFile(dir string) string { return "data_dir: " + dir + "\n" }

// historyConfig has apps with a history that is kept as the setting says.
func historyConfig(kept string) string {
	return kept + "apps:\n" +
		appYAML(talkative, "client_events: true", `history: {channels: ["p*", "cache-*", "?server-to-user-*"]}`) +
		appYAML(plain)
}

func TestHistory(t *testing.T) {
	t.Parallel()
	s := startServer(t, historyConfig(kept(t)))
	backend := s.api(talkative)

	t.Run("events of every origin", func(t *testing.T) {
		ann, ben := connect(t, s, talkative), connect(t, s, talkative)
		ann.joinAs(t, "presence-room", "ann")
		ben.joinAs(t, "presence-room", "ben")
		ann.expect(t, "pusher_internal:member_added", "presence-room")
		backend.trigger(t, "presence-room", "a <&>", "{\"x\":\"<é>\", \"n\":1.0}\n\u2028")
		backend.triggerExcept(t, "presence-room", "b", "2", ben.socketID)
		ann.clientEvent(t, "client-c", "presence-room", object{"y": 3})
		ben.expect(t, "a <&>", "presence-room")
		ben.expect(t, "client-c", "presence-room") // which tells that it was accepted
		backend.post(t, "/batch_events", object{"batch": []object{
			{"name": "d", "channel": "presence-room", "data": "4"}, {"name": "e", "channel": "presence-room", "data": "5"},
		}}).ok(t, "{}")
		backend.do(t, call{method: "POST", path: "/channels/presence-room/events", query: map[string][]string{"name": {"f"}}, body: "legacy"}).is(t, 202, "{}")
		if usual.nodes > 1 { // client events of other nodes are there a moment later
			eventually(t, "the client event is in the history", func() bool {
				return len(backend.past(t, "presence-room", "").Events) == 6
			})
		}
		backend.wantPast(t, "presence-room",
			"a <&> {\"x\":\"<é>\", \"n\":1.0}\n\u2028", "b 2 socket="+ben.socketID,
			`client-c {"y":3} user=ann socket=`+ann.socketID, "d 4", "e 5", "f legacy")
	})
	t.Run("nobody needs to be there", func(t *testing.T) {
		backend.trigger(t, "private-empty", "a", "1")
		backend.wantPast(t, "private-empty", "a 1")
		backend.trigger(t, "cache-empty", "b", "2")
		backend.wantPast(t, "cache-empty", "b 2")
		backend.trigger(t, "#server-to-user-7", "c", "3")
		backend.wantPast(t, "#server-to-user-7", "c 3")
	})
	t.Run("ciphertext stays ciphertext", func(t *testing.T) {
		const sealed = `{"nonce":"4sVYwy4j/8dCcjyxtPCWyk19GaaViaW9","ciphertext":"/GMESnFGlbNn01BuBjp31XYa3i9vZsGKR8fgR9EDhXKx3lzGiUD501A="}`
		backend.trigger(t, "private-encrypted-x", "a", sealed)
		backend.wantPast(t, "private-encrypted-x", "a "+sealed)
	})
	t.Run("events that were refused are not there", func(t *testing.T) {
		c := connect(t, s, talkative)
		c.subscribe(t, "private-refused")
		backend.post(t, "/events", object{"name": "pusher:x", "channel": "private-refused", "data": "1"}).is(t, 400, "The 'pusher' namespace is reserved for internal usage\n")
		backend.post(t, "/events", object{"name": "e", "channel": "private-refused", "data": strings.Repeat("x", 10_241)})
		c.clientEvent(t, strings.Repeat("client-", 40), "private-refused", "1")
		c.recv(t)
		backend.wantPast(t, "private-refused")
	})
	t.Run("pages", func(t *testing.T) {
		for i := range 25 {
			backend.trigger(t, "private-pages", fmt.Sprint(i), "x")
		}
		var all []string
		for i := range 25 {
			all = append(all, fmt.Sprint(i, " x"))
		}
		backend.wantPast(t, "private-pages", all...)
		var names []string
		query := "limit=10"
		for pages := 1; ; pages++ {
			page := backend.past(t, "private-pages", query)
			for _, e := range page.Events {
				names = append(names, e.Name)
			}
			if page.Next == "" {
				if pages != 3 {
					t.Errorf("%d pages", pages)
				}
				break
			}
			backend.trigger(t, "private-pages", "later", "x") // moves nothing
			query = "limit=10&cursor=" + page.Next
		}
		slices.Reverse(names)
		if len(names) != 25 || names[0] != "0" || names[24] != "24" || !slices.IsSortedFunc(names, func(a, b string) int { return len(a) - len(b) }) {
			t.Errorf("names %q", names)
		}
		events := backend.past(t, "private-pages", "order=oldest&limit=5").Events
		if n := len(backend.past(t, "private-pages", fmt.Sprintf("from=%d&to=%d", events[0].TimeMS, events[0].TimeMS+1)).Events); n < 1 || n > 27 {
			t.Errorf("%d events in the first millisecond", n)
		}
	})
	t.Run("what is not kept", func(t *testing.T) {
		backend.trigger(t, "other", "a", "1")
		backend.get(t, "/channels/other/history", "").is(t, http.StatusNotFound, "History is not kept for this channel\n")
		s.api(plain).get(t, "/channels/presence-room/history", "").is(t, http.StatusNotFound, "History is off for this app\n")
		backend.get(t, "/channels/private-empty/history", "cursor=x").is(t, http.StatusBadRequest, "Invalid cursor\n")
		backend.do(t, call{path: "/channels/private-empty/history", secret: "guessed"}).refusesSignature(t)
	})
	t.Run("the command shows it", func(t *testing.T) {
		c := exec.CommandContext(t.Context(), program, "history", "private-empty", "--url", s.public, "--app-id", talkative.id, "--key", talkative.key, "--secret", talkative.secret, "--json")
		c.Env = testkit.WithoutSettings(os.Environ())
		out, err := c.CombinedOutput()
		var e pastEvent
		if err != nil || json.Unmarshal(out, &e) != nil || e.String() != "a 1" {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

func (a answer) refusesSignature(t testing.TB) {
	t.Helper()
	if a.status != http.StatusUnauthorized || !strings.HasPrefix(a.body, "Invalid signature") {
		t.Errorf("got %d %q", a.status, a.body)
	}
}

// What could be read before the process is killed can be read afterwards.
func TestHistorySurvivesAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	want := 0
	for range 3 {
		s, err := launch(alone, t.TempDir, historyConfig(inFile(dir))) // a file is of one node
		if err != nil {
			t.Fatal(err)
		}
		backend := s.api(talkative)
		check := func() {
			t.Helper()
			events := backend.past(t, "private-x", "order=oldest&limit=1000").Events
			if len(events) < want {
				t.Fatalf("%d events, want %d", len(events), want)
			}
			for i, e := range events[:want] {
				if e.Name != fmt.Sprint(i) || e.Data != fmt.Sprintf("data of %d", i) {
					t.Fatalf("event %d is %s", i, e)
				}
			}
		}
		check()
		for range 50 {
			backend.trigger(t, "private-x", fmt.Sprint(want), fmt.Sprintf("data of %d", want))
			want++
		}
		check()
		s.nodes[0].Kill()
		s.http.CloseIdleConnections()
	}
}
