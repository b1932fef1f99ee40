package conformance

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestWebhookForm(t *testing.T) {
	wire := newWireReceiver(t)
	proveHooks(t, ", grace_delay: "+shortGrace.String(), []hookTest{
		{name: "P-224 headers and signature over the bytes sent", prove: hookHeaders},
		{name: "P-224 header names have the documented case", hooks: []hook{{url: wire.url}}, prove: wire.headerCase},
		{name: "P-226 time_ms is an integer, events are never empty", prove: hookEnvelope},
		{name: "P-237 without batching each request has one event", prove: hookSingly},
		{name: "P-238 with batching a second's events come in one request in order", hooks: []hook{{more: "batching: true"}}, prove: hookBatched},
		{
			name: "P-239 an endpoint gets only what it selected",
			hooks: []hook{
				{events: "member_added"},
				{more: "channel_prefix: presence-only-"},
				{more: "channel_suffix: -tail"},
				{events: "channel_occupied, member_added", more: "channel_prefix: presence-, channel_suffix: -tail"},
				{events: "cache_miss"},
				{events: "channel_occupied", more: "batching: true, channel_suffix: -tail"},
			},
			prove: hookSelection,
		},
		{name: "P-246 bodies decode with the Go library's types", settings: []string{"subscription_count: true"}, prove: hookGoTypes},
		{name: "P-161 server-to-user channels raise none", settings: []string{"subscription_count: true"}, prove: hookNotForUsers},
	})
}

func TestWebhookKeys(t *testing.T) {
	r := newReceiver(t)
	s := startServer(t, "webhooks: {allow_addresses: [127.0.0.0/8]}\napps:\n"+
		appWithKeys(twoKeys.id, []app{twoKeys, newKey}, "webhooks: [{url: "+quote(r.url)+", events: [channel_occupied]}]"))
	t.Run("P-225 the older of two active keys signs", func(t *testing.T) {
		channel := unique("x-")
		connect(t, s, newKey).subscribe(t, channel) // the key in use does not matter
		r.expectHook(t, hookOccupied(channel)).signedBy(t, twoKeys)
	})
}

func hookHeaders(t *testing.T, h *hooked) {
	channel := unique("x-")
	h.connect(t).subscribe(t, channel)
	d := h.next(t)
	d.signedBy(t, h.app)
	for header, want := range map[string]string{
		"Content-Type": "application/json", "Content-Length": strconv.Itoa(len(d.body)),
	} {
		if got := d.header.Values(header); len(got) != 1 || got[0] != want {
			t.Errorf("%s is %q, want %q", header, got, want)
		}
	}
	for _, header := range []string{"Content-Encoding", "Transfer-Encoding"} {
		if got := d.header.Values(header); len(got) != 0 {
			t.Errorf("%s is %q, want none", header, got)
		}
	}
	if agent := d.header.Get("User-Agent"); agent == "" || strings.HasPrefix(agent, "Go-http-client") {
		t.Errorf("User-Agent is %q, want one of the server's own", agent)
	}
	if signature := d.header.Get("X-Pusher-Signature"); signature != strings.ToLower(signature) {
		t.Errorf("signature %q is not lower-case", signature)
	}
}

func hookEnvelope(t *testing.T, h *hooked) {
	before := time.Now().UnixMilli()
	channel := unique("x-")
	h.connect(t).subscribe(t, channel)
	d := h.expectHook(t, hookOccupied(channel))
	if d.TimeMS < before || d.TimeMS > time.Now().UnixMilli() {
		t.Errorf("time_ms is %d, want between %d and now", d.TimeMS, before)
	}
	// The documented key order is not significant, the compact form is.
	want := regexp.MustCompile(`^\{"time_ms":\d{13},"events":\[\{.+\}\]\}$|^\{"events":\[\{.+\}\],"time_ms":\d{13}\}$`)
	if !want.MatchString(d.body) {
		t.Errorf("body is %s", d.body)
	}
}

func hookSingly(t *testing.T, h *hooked) {
	c := h.connect(t)
	channel := unique("x-")
	var want []map[string]any
	for i := range 10 {
		c.sendEvent(t, "pusher:subscribe", object{"channel": channel + strconv.Itoa(i)})
		want = append(want, hookOccupied(channel+strconv.Itoa(i)))
	}
	h.expectHooks(t, want...)
}

func hookBatched(t *testing.T, h *hooked) {
	c := h.connect(t)
	public, presence, private := unique("x-"), unique("presence-"), unique("private-")
	user := `{"user_id":"7"}`
	// All in one go, without waiting for answers.
	c.sendEvent(t, "pusher:subscribe", object{"channel": public})
	c.askJoin(t, presence, user)
	c.sendEvent(t, "pusher:subscribe", object{"channel": private, "auth": h.auth(c.socketID, private)})
	c.clientEvent(t, "client-x", private, "1")
	c.clientEvent(t, "client-x", presence, "2")

	event := func(channel, data, user string) map[string]any {
		e := map[string]any{"name": "client_event", "channel": channel, "event": "client-x", "data": data, "socket_id": c.socketID}
		if user != "" {
			e["user_id"] = user
		}
		return e
	}
	h.expectBatches(t, 1, hookOccupied(public), hookOccupied(presence), hookAdded(presence, "7"), hookOccupied(private),
		event(private, "1", ""), event(presence, "2", "7"))
	// Fifty make a full batch, the rest comes with the next one.
	var want []map[string]any
	for i := range 60 {
		c.sendEvent(t, "pusher:subscribe", object{"channel": public + "-" + strconv.Itoa(i)})
		want = append(want, hookOccupied(public+"-"+strconv.Itoa(i)))
	}
	h.expectBatches(t, 3, want...)
}

// expectBatches takes these events in so many requests, in this order. Several
// nodes tell of different channels: each then makes batches of its own, and only
// what a channel's node tells of that is in order.
func (r *receiver) expectBatches(t *testing.T, requests int, want ...map[string]any) {
	t.Helper()
	came := 0
	for ; len(want) > 0; came++ {
		d := r.next(t)
		if len(d.Events) > 50 {
			t.Errorf("batch of %d events", len(d.Events))
		}
		for _, e := range d.Events {
			at := slices.IndexFunc(want, func(w map[string]any) bool { return sameEvent(e, w) })
			if at < 0 || at > 0 && usual.nodes == 1 || at > 0 && comesAfter(e, want[:at]) {
				t.Fatalf("got %v in webhook %s, want %v", e, d.body, want)
			}
			want = slices.Delete(slices.Clone(want), at, at+1)
		}
	}
	if came > requests*usual.nodes {
		t.Errorf("%d requests, want %d of each of %d nodes at most", came, requests, usual.nodes)
	}
}

// comesAfter reports whether an event has to come after one of others. Client events
// are told by the node of the client.
func comesAfter(e map[string]any, others []map[string]any) bool {
	return slices.ContainsFunc(others, func(o map[string]any) bool {
		return o["channel"] == e["channel"] && (o["name"] == "client_event") == (e["name"] == "client_event")
	})
}

func hookSelection(t *testing.T, h *hooked) {
	c := h.connect(t)
	only, tail, both, public := unique("presence-only-"), unique("x-")+"-tail", unique("presence-")+"-tail", unique("x-")
	for _, presence := range []string{only, both} {
		c.joinAs(t, presence, "1")
	}
	c.subscribe(t, tail)
	c.subscribe(t, public)
	last := unique("presence-only-") + "-tail"
	c.joinAs(t, last, "2")
	c.subscribe(t, "cache-"+public)

	h.receivers[0].expectHooks(t, hookAdded(only, "1"), hookAdded(both, "1"), hookAdded(last, "2"))
	h.receivers[1].expectHooks(t, hookOccupied(only), hookAdded(only, "1"), hookOccupied(last), hookAdded(last, "2"))
	h.receivers[2].expectHooks(
		t, hookOccupied(both), hookAdded(both, "1"), hookOccupied(tail), hookOccupied(last), hookAdded(last, "2"),
	)
	h.receivers[3].expectHooks(t, hookOccupied(both), hookAdded(both, "1"), hookOccupied(last), hookAdded(last, "2"))
	h.receivers[4].expectHooks(t, hookCacheMiss("cache-"+public))
	// Filtering comes before signing: what is signed is what was sent.
	for want := []string{both, tail, last}; len(want) > 0; {
		d := h.receivers[5].next(t)
		d.signedBy(t, h.app)
		for _, e := range d.Events {
			at := slices.IndexFunc(want, func(channel string) bool { return sameEvent(e, hookOccupied(channel)) })
			if at < 0 || at > 0 && usual.nodes == 1 { // several nodes tell, each of its channels
				t.Fatalf("got webhook %s, want the occupied channels with that suffix", d.body)
			}
			want = slices.Delete(want, at, at+1)
		}
	}
}

// goWebhook has the types of the official Go library.
type goWebhook struct {
	TimeMs int `json:"time_ms"`
	Events []struct {
		Name     string `json:"name"`
		Channel  string `json:"channel"`
		Event    string `json:"event,omitempty"`
		Data     string `json:"data,omitempty"`
		SocketID string `json:"socket_id,omitempty"`
		UserID   string `json:"user_id,omitempty"`
	} `json:"events"`
}

func hookGoTypes(t *testing.T, h *hooked) {
	c := h.connect(t)
	presence, cache := unique("presence-"), unique("cache-")
	c.join(t, presence, `{"user_id":7,"user_info":{"a":1}}`)
	c.clientEvent(t, "client-x", presence, object{"a": []int{1, 2}})
	c.subscribe(t, cache)
	c.expect(t, "pusher:cache_miss", cache)
	h.decodes(t, "channel_occupied", "member_added", "client_event", "cache_miss", "subscription_count")
	c.leave(t)
	h.decodes(t, "channel_vacated", "member_removed")
}

// decodes requires webhooks of all these names, and of any others, that the types of the
// official Go library take.
func (h *hooked) decodes(t *testing.T, names ...string) {
	t.Helper()
	missing := make(map[string]bool)
	for _, name := range names {
		missing[name] = true
	}
	for len(missing) > 0 {
		d := h.next(t)
		var body goWebhook
		if err := json.Unmarshal([]byte(d.body), &body); err != nil {
			t.Fatalf("%s: %v", d.body, err)
		}
		for _, e := range body.Events {
			delete(missing, e.Name)
		}
	}
}

func hookNotForUsers(t *testing.T, h *hooked) {
	user := unique("u-")
	c := h.connect(t)
	c.signin(t, `{"id":"`+user+`"}`)
	c.subscribe(t, toUser(user))
	h.backend().trigger(t, toUser(user), "e", "1")
	c.expectEvent(t, "e", toUser(user), "1")
	c.unsubscribe(t, toUser(user))

	// What is told comes from a channel that was occupied later and left later.
	channel := unique("x-")
	c.subscribe(t, channel)
	c.leave(t)
	for d := h.next(t); !sameEvent(d.Events[0], hookVacated(channel)); d = h.next(t) {
		if d.Events[0]["channel"] != channel {
			t.Fatalf("got webhook %s, want events of channel %s only", d.body, channel)
		}
	}
}

// wireReceiver keeps the bytes of the first request it gets.
type wireReceiver struct {
	url  string
	head chan []byte
}

func newWireReceiver(t *testing.T) *wireReceiver {
	t.Helper()
	w := &wireReceiver{head: make(chan []byte, 1)}
	w.url = "http://" + acceptOnce(t, w.head) + "/hook"
	return w
}

func (w *wireReceiver) headerCase(t *testing.T, h *hooked) {
	h.connect(t).subscribe(t, unique("x-"))
	select {
	case head := <-w.head:
		for _, line := range []string{
			"POST /hook HTTP/1.1\r\n", "\r\nContent-Type: application/json\r\n", "\r\nContent-Length: ",
			"\r\nX-Pusher-Key: " + h.key + "\r\n", "\r\nX-Pusher-Signature: ",
		} {
			if !bytes.Contains(head, []byte(line)) {
				t.Errorf("no %q in\n%s", line, head)
			}
		}
	case <-time.After(2 * patience):
		t.Fatal("no webhook")
	}
}
