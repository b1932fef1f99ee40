package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// opsAPI answers like the operations API and keeps what it was asked.
type opsAPI struct {
	*httptest.Server
	token   string
	answers map[string]string // by method and path; "STATUS text" where it is no success
	asked   []string
}

func newOpsAPI(t *testing.T, token string, answers map[string]string) *opsAPI {
	t.Helper()
	a := &opsAPI{token: token, answers: answers}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.token != "" && r.Header.Get("Authorization") != "Bearer "+a.token {
			http.Error(w, "This needs the operations token", http.StatusUnauthorized)
			return
		}
		body, _ := io.ReadAll(r.Body)
		a.asked = append(a.asked, strings.TrimSpace(r.Method+" "+r.URL.RequestURI()+" "+string(body)))
		answer, ok := a.answers[r.Method+" "+r.URL.RequestURI()]
		if !ok {
			answer, ok = a.answers[r.Method+" "+r.URL.Path]
		}
		var status int
		switch n, _ := fmt.Sscanf(answer, "%3d ", &status); {
		case !ok:
			http.Error(w, "Not found", http.StatusNotFound)
		case n == 1:
			http.Error(w, answer[4:], status)
		default:
			_, _ = io.WriteString(w, answer+"\n")
		}
	}))
	t.Cleanup(a.Close)
	return a
}

func (a *opsAPI) address() string { return strings.TrimPrefix(a.URL, "http://") }

const (
	deadHook    = `{"id":"17","app":"1","endpoint":"https://hooks.example/in","state":"dead","sealed_ms":1767323045000,"events":2,"bytes":300,"failures":3,"died_ms":1767323335000,"reason":"expired"}`
	waitingHook = `{"id":"1767323046000000","app":"my-app","endpoint":"https://b.example/","state":"waiting","sealed_ms":1767323046000,"events":1,"bytes":90,"failures":1,"due_ms":1767323047500}`
)

func TestWebhooksList(t *testing.T) {
	a := newOpsAPI(t, "", map[string]string{
		"GET /api/webhooks":                     `{"webhooks":[` + deadHook + "," + waitingHook + `]}`,
		"GET /api/webhooks?limit=1":             `{"webhooks":[` + deadHook + `],"next":"17"}`,
		"GET /api/webhooks?limit=500":           `{"webhooks":[` + deadHook + `],"next":"17"}`,
		"GET /api/webhooks?cursor=17&limit=500": `{"webhooks":[` + waitingHook + `]}`,
		"GET /api/webhooks?limit=100&app=none":  `{"webhooks":[]}`,
	})
	const table = "ID                STATE    APP     MADE                      EVENTS  BYTES  FAILURES  ENDPOINT                  NOTE\n" +
		"17                dead     1       2026-01-02T03:04:05.000Z  2       300    3         https://hooks.example/in  expired at 2026-01-02T03:08:55.000Z\n" +
		"1767323046000000  waiting  my-app  2026-01-02T03:04:06.000Z  1       90     1         https://b.example/        next attempt at 2026-01-02T03:04:07.500Z\n"
	for name, c := range map[string]struct {
		args   []string
		asked  []string
		stdout string
		stderr string
	}{
		"a table": {nil, []string{"GET /api/webhooks?limit=100"}, table, ""},
		"JSON":    {[]string{"--json"}, []string{"GET /api/webhooks?limit=100"}, deadHook + "\n" + waitingHook + "\n", ""},
		"by everything": {
			[]string{"--app=1", "--endpoint=https://hooks.example/in?a", "--state=dead", "--from=2026-01-02", "--to=1767323046000", "--limit=7", "--json"},
			[]string{"GET /api/webhooks?app=1&endpoint=https%3A%2F%2Fhooks.example%2Fin%3Fa&from=1767312000000&limit=7&state=dead&to=1767323046000"},
			deadHook + "\n" + waitingHook + "\n", "",
		},
		"the first":         {[]string{"--limit=1", "--json"}, []string{"GET /api/webhooks?limit=1"}, deadHook + "\n", "There are more: --limit 0 lists all.\n"},
		"page after page":   {[]string{"--limit=0", "--json"}, []string{"GET /api/webhooks?limit=500", "GET /api/webhooks?cursor=17&limit=500"}, deadHook + "\n" + waitingHook + "\n", ""},
		"several, not many": {[]string{"--limit=501", "--json"}, []string{"GET /api/webhooks?limit=500", "GET /api/webhooks?cursor=17&limit=500"}, deadHook + "\n" + waitingHook + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a.asked = nil
			got := command(t, nil, "", append([]string{"webhooks", "list", "--ops", a.URL + "/"}, c.args...)...)
			if got != (result{0, c.stdout, c.stderr}) || !slices.Equal(a.asked, c.asked) {
				t.Errorf("code %d, asked %q, want %q\n%s%s", got.code, a.asked, c.asked, got.stdout, got.stderr)
			}
		})
	}
}

func TestWebhooksShow(t *testing.T) {
	detail := strings.TrimSuffix(deadHook, "}") + `,"delivery":"h-0a","body":"{\"time_ms\":1}","attempts":[` +
		`{"at_ms":1767323045001,"took_ms":1.25,"outcome":"http_5xx","status":503,"answer":"bu\u001b[2Jsy\n"},{"at_ms":1767323046001,"took_ms":10000,"outcome":"timeout","error":"slow"}]}`
	a := newOpsAPI(t, "", map[string]string{
		"GET /api/webhooks/17": detail,
		"GET /api/webhooks/18": `{"id":"18","app":"1","endpoint":"https://hooks.example/in","state":"waiting","sealed_ms":1767323045000,"failures":0,"events":1,"bytes":2,"delivery":"i-0b","body":"{}","attempts":[]}`,
		"GET /api/webhooks/19": "404 No such webhook",
	})
	for name, c := range map[string]struct {
		args []string
		want result
	}{
		"all": {[]string{"17"}, result{0, `id        17
state     dead
app       1
endpoint  https://hooks.example/in
made      2026-01-02T03:04:05.000Z
failures  3
note      expired at 2026-01-02T03:08:55.000Z
events    2
bytes     300
delivery  h-0a
body      {"time_ms":1}

ATTEMPT                   TOOK       OUTCOME   STATUS  ANSWER OR ERROR
2026-01-02T03:04:05.001Z  1.2ms      http_5xx  503     bu\u001b[2Jsy\n
2026-01-02T03:04:06.001Z  10000.0ms  timeout   -       slow
`, ""}},
		"without attempts": {[]string{"18"}, result{0, `id        18
state     waiting
app       1
endpoint  https://hooks.example/in
made      2026-01-02T03:04:05.000Z
failures  0
events    1
bytes     2
delivery  i-0b
body      {}

no attempts are known
`, ""}},
		"JSON":      {[]string{"17", "--json"}, result{0, detail + "\n", ""}},
		"unknown":   {[]string{"19"}, result{1, "", "pipesocketd: the server answered 404 Not Found: No such webhook\n"}},
		"no number": {[]string{"../ready"}, result{2, "", "pipesocketd: \"../ready\" is not the id of a webhook, which is a positive number\n"}},
		"none":      {nil, result{2, "", "pipesocketd: accepts 1 arg(s), received 0\nRun 'pipesocketd --help' for usage.\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := command(t, nil, "", append([]string{"webhooks", "show", "--ops", a.URL}, c.args...)...); got != c.want {
				t.Errorf("code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

func TestWebhooksReplayAndDrop(t *testing.T) {
	const ask = "GET /api/webhooks?limit=500"
	two := `{"webhooks":[` + deadHook + "," + waitingHook + `]}`
	for name, c := range map[string]struct {
		args   []string
		stdin  string
		list   string // what is listed
		asked  []string
		code   int
		stdout string
		stderr string // a part of it, or all if it is empty
	}{
		"one by id":               {[]string{"replay", "17"}, "", "", []string{`POST /api/webhooks/replay {"ids":["17"]}`}, 0, "replayed 1 webhook\n", ""},
		"the same id twice":       {[]string{"drop", "17", "17"}, "", "", []string{`POST /api/webhooks/drop {"ids":["17"]}`}, 0, "dropped 1 webhook\n", ""},
		"several by id":           {[]string{"drop", "17", "18"}, "y\n", "", []string{`POST /api/webhooks/drop {"ids":["17","18"]}`}, 1, "dropped 1 webhook\n", "drop 2 webhooks? [y/N] pipesocketd: 1 of 2 were not dropped"},
		"several, not meant":      {[]string{"drop", "17", "18"}, "n\n", "", nil, 1, "", "pipesocketd: nothing was dropped: answer y, or give --yes\n"},
		"several, without answer": {[]string{"drop", "17", "18"}, "", "", nil, 1, "", "nothing was dropped"},
		"by filter": {
			[]string{"drop", "--app=1"},
			"yes\n", two,
			[]string{"GET /api/webhooks?app=1&limit=500", `POST /api/webhooks/drop {"app":"1","ids":["17","1767323046000000"]}`},
			0, "dropped 1 webhook\n", "drop 2 webhooks (dead for https://hooks.example/in, waiting for https://b.example/)? [y/N] ",
		},
		"a filter for one": {
			[]string{"replay", "--endpoint=https://hooks.example/in"},
			"", `{"webhooks":[` + deadHook + `]}`,
			[]string{"GET /api/webhooks?endpoint=https%3A%2F%2Fhooks.example%2Fin&limit=500&state=dead", `POST /api/webhooks/replay {"endpoint":"https://hooks.example/in","ids":["17"]}`},
			0, "replayed 1 webhook\n", "",
		},
		"too many to name": {
			[]string{"drop", "--all", "--state=dead"},
			"Y\n", `{"webhooks":[` + deadHook + "," + deadHook + `],"next":"17"}`,
			[]string{ask + "&state=dead", `POST /api/webhooks/drop {"all":true,"state":"dead"}`},
			0, "dropped 1 webhook\n", "drop more than 2 webhooks (dead for https://hooks.example/in)? [y/N] ",
		},
		"all, not meant":        {[]string{"drop", "--all"}, "all\n", two, []string{ask}, 1, "", "nothing was dropped"},
		"without a question":    {[]string{"replay", "--all", "-y"}, "", "", []string{`POST /api/webhooks/replay {"all":true}`}, 0, "replayed 1 webhook\n", ""},
		"JSON":                  {[]string{"drop", "--from=1767323046000", "--yes", "--json"}, "", "", []string{`POST /api/webhooks/drop {"from":"1767323046000"}`}, 0, "{\"dropped\":1}\n", ""},
		"nothing selects":       {[]string{"drop", "--yes"}, "", "", nil, 2, "", "nothing selects the webhooks to drop: give ids, --endpoint, --app, --from or --to, or --all"},
		"the state alone":       {[]string{"drop", "--state=dead", "--yes"}, "", "", nil, 2, "", "nothing selects the webhooks to drop"},
		"all and some":          {[]string{"replay", "--all", "17"}, "", "", nil, 2, "", "--all goes with neither ids nor another selection"},
		"all of an app":         {[]string{"replay", "--all", "--app=1"}, "", "", nil, 2, "", "--all goes with neither"},
		"an empty filter":       {[]string{"drop", "--app=", "--endpoint=x"}, "", "", nil, 2, "", "--app must not be empty"},
		"no such state":         {[]string{"drop", "--state=lost", "--all"}, "", "", nil, 2, "", "--state must be waiting or dead"},
		"no time":               {[]string{"drop", "--from=yesterday"}, "", "", nil, 2, "", `--from must be a time, a date, Unix milliseconds or a duration such as 2h, not "yesterday"`},
		"no id":                 {[]string{"drop", "1.5"}, "", "", nil, 2, "", `"1.5" is not the id of a webhook`},
		"waiting is not for it": {[]string{"replay", "--state=waiting"}, "", "", nil, 2, "", "unknown flag: --state"},
		"a command not known":   {[]string{"lst"}, "", "", nil, 2, "", `unknown command "lst" for "pipesocketd webhooks"`},
		"a negative limit":      {[]string{"list", "--limit=-1"}, "", "", nil, 2, "", "--limit must not be negative"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newOpsAPI(t, "", map[string]string{
				"GET /api/webhooks": c.list, "POST /api/webhooks/replay": `{"replayed":1}`, "POST /api/webhooks/drop": `{"dropped":1}`,
			})
			got := command(t, nil, c.stdin, append(append([]string{"webhooks"}, c.args...), "--ops", a.URL)...)
			if got.code != c.code || got.stdout != c.stdout || !strings.Contains(got.stderr, c.stderr) || (c.stderr == "") != (got.stderr == "") {
				t.Errorf("code %d\n%s%s", got.code, got.stdout, got.stderr)
			}
			if !slices.Equal(a.asked, c.asked) {
				t.Errorf("asked %q\nwant  %q", a.asked, c.asked)
			}
		})
	}
}

// Where address and token come from.
func TestWebhooksTarget(t *testing.T) {
	a := newOpsAPI(t, "0123456789-sesame", map[string]string{"GET /api/webhooks": `{"webhooks":[]}`})
	configured := file(t, "c.yaml", "ops: {listen: "+a.address()+", token: 0123456789-sesame}")
	other := file(t, "other.yaml", "ops: {listen: \"127.0.0.1:1\", token: 0123456789-other}")
	token := tokenVariable + "=0123456789-sesame"
	for name, c := range map[string]struct {
		environ, args []string
		code          int
		stderr        string
	}{
		"the file":                        {nil, []string{"-c", configured}, 0, ""},
		"the file of the environment":     {[]string{"PIPESOCKETD_CONFIG=" + configured}, nil, 0, ""},
		"the environment":                 {[]string{"PIPESOCKETD_OPS_LISTEN=" + a.address(), token}, nil, 0, ""},
		"flags":                           {[]string{"PIPESOCKETD_UNKNOWN=not even read"}, []string{"--ops", a.URL, "--token", "0123456789-sesame"}, 0, ""},
		"flags before the file":           {nil, []string{"-c", other, "--ops", a.URL, "--token", "0123456789-sesame"}, 0, ""},
		"the variable before the file":    {[]string{token, "PIPESOCKETD_OPS_LISTEN=" + a.address()}, []string{"-c", other}, 0, ""},
		"an address and the variable":     {[]string{token, "PIPESOCKETD_CONFIG=" + other}, []string{"--ops", a.URL}, 0, ""},
		"an address and a file":           {nil, []string{"-c", configured, "--ops", a.URL}, 0, ""},
		"no token for another server":     {[]string{"PIPESOCKETD_CONFIG=" + configured}, []string{"--ops", a.URL}, 1, "wants the operations token: set PIPESOCKETD_OPS_TOKEN or give --token"},
		"the wrong token":                 {[]string{tokenVariable + "=0123456789-other"}, []string{"--ops", a.URL}, 1, a.URL + " refuses the operations token, which is not its ops.token"},
		"a free port":                     {[]string{"PIPESOCKETD_OPS_LISTEN=127.0.0.1:0"}, nil, 2, "the configured port is 0, so the server chose one: give its address with --ops"},
		"a bad configuration":             {[]string{"PIPESOCKETD_LISTN=x"}, nil, 2, "is an unknown variable"},
		"no URL":                          {nil, []string{"--ops", "127.0.0.1:9601"}, 2, "--ops must be an http or https URL with a host"},
		"a token that no header can have": {nil, []string{"--ops", a.URL, "--token", "0123456789\nsesame"}, 1, "invalid header field value"},
		"a password in the URL":           {nil, []string{"--ops", "http://u:sesame@127.0.0.1:1"}, 1, "nothing listens at http://u:xxxxx@127.0.0.1:1: is the server running"},
	} {
		t.Run(name, func(t *testing.T) {
			got := command(t, c.environ, "", append([]string{"webhooks", "list", "--json"}, c.args...)...)
			if got.code != c.code || !strings.Contains(got.stderr, c.stderr) || (c.stderr == "") != (got.stderr == "") {
				t.Errorf("%+v, want exit code %d and %q", got, c.code, c.stderr)
			}
			if strings.Contains(got.stderr+got.stdout, "sesame") {
				t.Errorf("a secret in %+v", got)
			}
		})
	}
}

func TestWebhooksFailures(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	a := newOpsAPI(t, "", map[string]string{
		"GET /api/webhooks":         "501 Webhooks are kept in memory only: set data_dir (PIPESOCKETD_DATA_DIR) and restart",
		"GET /api/webhooks/17":      `[]`,
		"POST /api/webhooks/drop":   "500 Internal error\x1b[2J",
		"POST /api/webhooks/replay": `none`,
	})
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }))
	defer page.Close()
	moved := httptest.NewServer(http.RedirectHandler(a.URL, http.StatusFound))
	defer moved.Close()
	for name, c := range map[string]struct {
		args   []string
		stderr string
	}{
		"no data directory":     {[]string{"list", "--ops", a.URL}, "pipesocketd: Webhooks are kept in memory only: set data_dir (PIPESOCKETD_DATA_DIR) and restart\n"},
		"none before a drop":    {[]string{"drop", "--all", "--ops", a.URL}, "pipesocketd: Webhooks are kept in memory only: set data_dir (PIPESOCKETD_DATA_DIR) and restart\n"},
		"the server fails":      {[]string{"drop", "--all", "--yes", "--ops", a.URL}, "pipesocketd: the server answered 500 Internal Server Error: Internal error\\u001b[2J\n"},
		"another server's list": {[]string{"list", "--ops", page.URL}, "does not answer with a list of webhooks"},
		"another webhook":       {[]string{"show", "17", "--ops", a.URL}, "does not answer with a webhook"},
		"another count":         {[]string{"replay", "17", "--ops", a.URL}, "does not answer with a count"},
		"a redirect":            {[]string{"list", "--ops", moved.URL}, "the server answered 302 Found"},
		"nothing listens":       {[]string{"list", "--ops", "http://" + closed.Addr().String()}, "nothing listens at http://" + closed.Addr().String() + ": is the server running, and is that the address of its operations listener?"},
	} {
		t.Run(name, func(t *testing.T) {
			got := command(t, nil, "", append([]string{"webhooks"}, c.args...)...)
			if got.code != 1 || got.stdout != "" || !strings.Contains(got.stderr, c.stderr) {
				t.Errorf("%+v, want %q", got, c.stderr)
			}
		})
	}
}

func TestWebhooksHelp(t *testing.T) {
	got := command(t, nil, "", "webhooks")
	for _, part := range []string{"list", "show", "replay", "drop", "PIPESOCKETD_OPS_TOKEN, since other users of the machine can see it here"} {
		if got.code != 0 || !strings.Contains(got.stdout, part) {
			t.Errorf("code %d, no %q in\n%s", got.code, part, got.stdout)
		}
	}
}
