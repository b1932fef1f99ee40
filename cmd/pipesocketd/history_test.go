package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// pastAPI is a server with the events 1 to n of the app 1001, one in each
// millisecond but for every fifth, which is in that of the one before.
type pastAPI struct {
	*httptest.Server
	t     *testing.T
	n     int
	most  int // events on a page
	asked []string
	stop  int // requests after which it fails; 0: never
}

func newPastAPI(t *testing.T, n, most int) *pastAPI {
	t.Helper()
	a := &pastAPI{t: t, n: n, most: most}
	a.Server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(a.Close)
	return a
}

func timeMS(n int) int { return 1_700_000_000_000 + n - n/5 }

func (a *pastAPI) serve(w http.ResponseWriter, r *http.Request) {
	pair := auth.Key{Key: "app-key", Secret: "app-secret"}
	q := auth.ParseQuery(r.URL.RawQuery)
	signed := auth.Request{Method: r.Method, Path: r.URL.EscapedPath(), Query: q}
	if err := signed.VerifyWith(pair, time.Now()); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	values := r.URL.Query()
	for _, name := range []string{"auth_key", "auth_timestamp", "auth_version", "auth_signature"} {
		values.Del(name)
	}
	a.asked = append(a.asked, r.URL.EscapedPath()+"?"+values.Encode())
	if a.stop > 0 && len(a.asked) > a.stop {
		http.Error(w, "History is not available", http.StatusServiceUnavailable)
		return
	}
	oldest := values.Get("order") == "oldest"
	from, _ := strconv.Atoi(values.Get("from"))
	cursor, _ := strconv.Atoi(values.Get("cursor"))
	limit, _ := strconv.Atoi(values.Get("limit"))
	limit = min(limit, a.most)
	var ids []int
	for id := 1; id <= a.n; id++ {
		if timeMS(id) >= from && (cursor == 0 || oldest && id > cursor || !oldest && id < cursor) {
			ids = append(ids, id)
		}
	}
	if !oldest {
		slices.Reverse(ids)
	}
	next := ""
	if len(ids) > limit {
		ids = ids[:limit]
		next = fmt.Sprintf(`,"next":"%d"`, ids[limit-1])
	}
	var events []string
	for _, id := range ids {
		events = append(events, fmt.Sprintf(`{"id":"%d","time_ms":%d,"name":"e%d","data":"{\"x\":\"\u00e9\"}"}`, id, timeMS(id), id))
	}
	_, _ = fmt.Fprintf(w, `{"events":[%s]%s}`, strings.Join(events, ","), next)
	if a.stop > 0 {
		a.n++ // so that there is something to follow
	}
}

// numbersOf returns the numbers of the events that were printed.
func numbersOf(t *testing.T, out string) []int {
	t.Helper()
	var all []int
	for line := range strings.Lines(out) {
		n, err := strconv.Atoi(strings.TrimPrefix(strings.Fields(line)[1], "e"))
		if err != nil {
			t.Fatalf("line %q", line)
		}
		all = append(all, n)
	}
	return all
}

func upTo(n int, step int) []int {
	var all []int
	for i := 1; i <= n; i++ {
		all = append(all, i)
	}
	if step < 0 {
		slices.Reverse(all)
	}
	return all
}

func TestHistory(t *testing.T) {
	for _, tt := range []struct {
		name  string
		n     int
		args  []string
		want  []int
		asked []string // what stands behind the path
	}{
		{"the last hundred", 3, nil, upTo(3, -1), []string{"?limit=100&order=newest"}},
		{"pages until the limit", 10, []string{"--limit", "5"}, []int{10, 9, 8, 7, 6}, []string{"?limit=5&order=newest", "?cursor=8&limit=2&order=newest"}},
		{"all, oldest first", 4, []string{"--limit=0", "--order=oldest"}, upTo(4, 1), []string{"?limit=1000&order=oldest", "?cursor=3&limit=1000&order=oldest"}},
		{"a span", 2, []string{"--from", "2023-11-14T22:13:20Z", "--to", "1700000000005"}, upTo(2, -1), []string{"?from=1700000000000&limit=100&order=newest&to=1700000000005"}},
		{"nothing", 0, nil, nil, []string{"?limit=100&order=newest"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newPastAPI(t, tt.n, 3)
			got := command(t, nil, "", append([]string{"history", "presence-room", "--url", a.URL}, tt.args...)...)
			if got.code != 0 || got.stderr != "" || !slices.Equal(numbersOf(t, got.stdout), tt.want) {
				t.Errorf("%+v", got)
			}
			for i := range tt.asked {
				tt.asked[i] = "/apps/1001/channels/presence-room/history" + tt.asked[i]
			}
			if !slices.Equal(a.asked, tt.asked) {
				t.Errorf("asked %q\nwant  %q", a.asked, tt.asked)
			}
		})
	}
	t.Run("the path is escaped once", func(t *testing.T) {
		a := newPastAPI(t, 0, 3)
		got := command(t, nil, "", "history", "#server-to-user-7", "--url", a.URL+"/mount")
		if got.code != 0 || a.asked[0] != "/mount/apps/1001/channels/%23server-to-user-7/history?limit=100&order=newest" {
			t.Errorf("%+v, asked %q", got, a.asked)
		}
	})
}

func TestHistoryLines(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"events":[{"id":"7","time_ms":1700000000123,"name":"client-e\u001b[2J","data":"{\"x\":\"ü\n\"}","socket_id":"1.2","user_id":"a b"}]}`))
	}))
	defer server.Close()
	got := command(t, nil, "", "history", "presence-room", "--url", server.URL)
	if want := "2023-11-14T22:13:20.123Z  client-e\\u001b[2J  {\"x\":\"ü\\n\"}  user_id=a b  socket_id=1.2\n"; got.stdout != want {
		t.Errorf("%q, want %q", got.stdout, want)
	}
	got = command(t, nil, "", "history", "presence-room", "--json", "--url", server.URL)
	if want := `{"id":"7","time_ms":1700000000123,"name":"client-e\u001b[2J","data":"{\"x\":\"ü\n\"}","socket_id":"1.2","user_id":"a b"}` + "\n"; got.stdout != want {
		t.Errorf("%q, want %q", got.stdout, want)
	}
}

// Each event is shown once, whatever page or millisecond it is in.
func TestHistoryFollows(t *testing.T) {
	a := newPastAPI(t, 10, 2)
	a.stop = 40
	var out strings.Builder
	h := history{
		target:  target{url: a.URL, appID: "1001", key: "app-key", secret: "app-secret"},
		channel: "presence-room", limit: 4, follow: true, every: time.Millisecond,
	}
	err := h.print(t.Context(), &out)
	if err == nil || !strings.Contains(err.Error(), "no history: the server answered 503") {
		t.Errorf("error %v", err)
	}
	got := numbersOf(t, out.String())
	if len(got) < 30 || got[0] != 9 {
		t.Fatalf("shown %v", got)
	}
	for i, n := range got {
		if n != got[0]+i {
			t.Fatalf("shown %v", got)
		}
	}
}

func TestHistoryFailures(t *testing.T) {
	a := newPastAPI(t, 1, 1)
	text := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }))
	defer text.Close()
	for _, tt := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"no channel", nil, 2, "accepts 1 arg(s), received 0"},
		{"a wrong secret", []string{"c", "--url", a.URL, "--key", "app-key", "--secret", "sesame"}, 1, "no history: the server answered 401 Unauthorized: Invalid signature"},
		{"another server", []string{"c", "--url", text.URL}, 1, text.URL + " does not answer with a history"},
		{"no server", []string{"c", "--url", "http://127.0.0.1:1"}, 1, "nothing listens at http://127.0.0.1:1"},
		{"a negative limit", []string{"c", "--limit=-1"}, 2, "--limit must not be negative"},
		{"an unknown order", []string{"c", "--order=up"}, 2, "--order must be newest or oldest"},
		{"no time", []string{"c", "--from=yesterday"}, 2, `--from must be a time, a date, Unix milliseconds or a duration such as 2h, not "yesterday"`},
		{"a time to come", []string{"c", "--to=-2h"}, 2, "--to must be a time"},
		{"follow and order", []string{"c", "-f", "--order=oldest"}, 2, "--follow shows the last events"},
		{"follow everything", []string{"c", "-f", "--limit=0"}, 2, "--follow shows the last events"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := command(t, nil, "", append([]string{"history"}, tt.args...)...)
			if got.code != tt.code || !strings.Contains(got.stderr, tt.stderr) || strings.Contains(got.stderr, "sesame") {
				t.Errorf("%+v, want exit code %d and %q", got, tt.code, tt.stderr)
			}
		})
	}
}

func TestMoments(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for text, want := range map[string]int64{
		"0": 0, "1700000000123": 1_700_000_000_123, "2h": 1_699_992_800_000, "1.5s": 1_699_999_998_500,
		"2026-01-02": 1_767_312_000_000, "2026-01-02T01:00:00+01:00": 1_767_312_000_000, "2026-01-02T00:00:00.5Z": 1_767_312_000_500,
	} {
		if got, err := parseMoment(text, now); err != nil || got != want {
			t.Errorf("%s is %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "-1h", "1969-01-01", "99999999999999999999", "2026-01-02 15:00"} {
		if got, err := parseMoment(text, now); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}
