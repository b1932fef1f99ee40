package conformance

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// allWebhookEvents are the types of §8.2.
const allWebhookEvents = "channel_occupied, channel_vacated, member_added, member_removed, client_event, cache_miss, subscription_count"

// Delays of the two webhook servers.
const (
	shortGrace   = 300 * time.Millisecond
	defaultGrace = 3 * time.Second
	shortTimeout = time.Second // of one attempt, on the server with shortGrace
)

// hookTest proves a statement with an app and receivers that belong to it alone.
type hookTest struct {
	name     string
	settings []string // of the app; client_events is on already
	hooks    []hook   // none means one for every event
	prove    func(t *testing.T, h *hooked)
}

// hook is one endpoint of the app.
type hook struct {
	events string // all of them if empty
	more   string // further settings: "batching: true, channel_prefix: x"
	url    string // instead of a receiver's
}

// hooked is what the test gets.
type hooked struct {
	*server
	app
	*receiver             // the first one
	receivers []*receiver // one per hook
}

// connect opens a connection to the test's app.
func (h *hooked) connect(t testing.TB) *client {
	t.Helper()
	return connect(t, h.server, h.app)
}

// backend returns the HTTP API of the test's app.
func (h *hooked) backend() api { return h.api(h.app) }

// proveHooks runs the tests in parallel against one server of their own. Head
// has settings of the server.
func proveHooks(t *testing.T, webhookSettings string, tests []hookTest) {
	t.Helper()
	yaml := "webhooks: {allow_addresses: [127.0.0.0/8]" + webhookSettings + "}\napps:\n"
	var all []*hooked
	for i, test := range tests {
		h := &hooked{app: app{strconv.Itoa(3001 + i), fmt.Sprintf("hook-key-%d", i), fmt.Sprintf("hook-secret-%d", i)}}
		settings := append([]string{"client_events: true"}, test.settings...)
		yaml += appYAML(h.app, append(settings, h.endpoints(t, test.hooks))...)
		all = append(all, h)
	}
	s := startServer(t, yaml) // after the receivers, so that it stops before them
	var statements []statement
	for i, test := range tests {
		all[i].server = s
		statements = append(statements, statement{test.name, func(t *testing.T) { test.prove(t, all[i]) }})
	}
	prove(t, statements)
}

// endpoints starts the receivers and returns the setting that names them.
func (h *hooked) endpoints(t *testing.T, hooks []hook) string {
	t.Helper()
	if len(hooks) == 0 {
		hooks = []hook{{}}
	}
	var list []string
	for _, k := range hooks {
		r := newReceiver(t)
		h.receivers = append(h.receivers, r)
		entry := fmt.Sprintf("url: %q, events: [%s]", or(k.url, r.url), or(k.events, allWebhookEvents))
		if k.more != "" {
			entry += ", " + k.more
		}
		list = append(list, "{"+entry+"}")
	}
	h.receiver = h.receivers[0]
	return "webhooks: [" + strings.Join(list, ", ") + "]"
}

// expectHook takes the next request, which must have exactly this event.
func (r *receiver) expectHook(t testing.TB, want map[string]any) delivery {
	t.Helper()
	d := r.next(t)
	if len(d.Events) != 1 || !sameEvent(d.Events[0], want) {
		t.Fatalf("got webhook %s, want the one event %v", d.body, want)
	}
	return d
}

// expectHooks is expectHook for several requests. Those of one channel come in
// this order, those of different channels in any (§8.6).
func (r *receiver) expectHooks(t testing.TB, want ...map[string]any) {
	t.Helper()
	for want = slices.Clone(want); len(want) > 0; {
		d := r.next(t)
		i := -1
		if len(d.Events) == 1 {
			i = slices.IndexFunc(want, func(w map[string]any) bool { return w["channel"] == d.Events[0]["channel"] })
		}
		if i < 0 || !sameEvent(d.Events[0], want[i]) {
			t.Fatalf("got webhook %s, want the next event of a channel of %v", d.body, want)
		}
		want = slices.Delete(want, i, i+1)
	}
}

// sameEvent compares two events by their keys and values.
func sameEvent(got, want map[string]any) bool {
	if len(got) != len(want) {
		return false
	}
	for key, value := range want {
		if n, ok := value.(int); ok {
			value = float64(n)
		}
		if got[key] != value {
			return false
		}
	}
	return true
}

// Events as they stand in a webhook.

func hookOccupied(channel string) map[string]any {
	return map[string]any{"name": "channel_occupied", "channel": channel}
}

func hookVacated(channel string) map[string]any {
	return map[string]any{"name": "channel_vacated", "channel": channel}
}

func hookAdded(channel, user string) map[string]any {
	return map[string]any{"name": "member_added", "channel": channel, "user_id": user}
}

func hookRemoved(channel, user string) map[string]any {
	return map[string]any{"name": "member_removed", "channel": channel, "user_id": user}
}

func hookCacheMiss(channel string) map[string]any {
	return map[string]any{"name": "cache_miss", "channel": channel}
}

func hookCount(channel string, count int) map[string]any {
	return map[string]any{"name": "subscription_count", "channel": channel, "subscription_count": count}
}
