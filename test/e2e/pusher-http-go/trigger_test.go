package pusherhttpgo

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	pusher "github.com/pusher/pusher-http-go/v5"
)

// P-188 P-189
func TestTriggerDelivers(t *testing.T) {
	payloads := map[string]struct {
		data any
		want string
	}{
		"object":  {map[string]any{"text": "Grüße <b>", "n": 1}, `{"n":1,"text":"Grüße \u003cb\u003e"}`},
		"string":  {"plain text, no JSON", "plain text, no JSON"},
		"bytes":   {[]byte(`{"a" : 1}`), `{"a" : 1}`},
		"integer": {12345678901234567, "12345678901234567"},
	}
	channel := fresh(t, "trigger-")
	s := connect(t)
	s.subscribe(t, channel, nil)
	for name, payload := range payloads {
		t.Run(name, func(t *testing.T) {
			if err := backend().Trigger(channel, name, payload.data); err != nil {
				t.Fatal(err)
			}
			if got := s.await(t, name).text(t); got != payload.want {
				t.Errorf("got %q, want %q", got, payload.want)
			}
		})
	}
}

func TestTriggerMultiReachesEachChannel(t *testing.T) {
	a, b := fresh(t, "a-"), fresh(t, "b-")
	s := connect(t)
	s.subscribe(t, a, nil)
	s.subscribe(t, b, nil)
	if err := backend().TriggerMulti([]string{a, b}, "event", "1"); err != nil {
		t.Fatal(err)
	}
	first, second := s.await(t, "event"), s.await(t, "event")
	if got := map[string]bool{first.Channel: true, second.Channel: true}; !got[a] || !got[b] {
		t.Errorf("got %v, want %s and %s", got, a, b)
	}
}

// P-192
func TestTriggerExclusiveSkipsTheSocket(t *testing.T) {
	channel := fresh(t, "exclusive-")
	left, other := connect(t), connect(t)
	left.subscribe(t, channel, nil)
	other.subscribe(t, channel, nil)
	client := backend()
	if err := client.TriggerExclusive(channel, "skipped", "1", left.id); err != nil {
		t.Fatal(err)
	}
	if err := client.TriggerMultiExclusive([]string{channel}, "skipped-too", "1", left.id); err != nil {
		t.Fatal(err)
	}
	if err := client.Trigger(channel, "fence", "1"); err != nil {
		t.Fatal(err)
	}
	other.await(t, "skipped")
	other.await(t, "skipped-too")
	left.await(t, "fence")
	if left.heard("skipped") || left.heard("skipped-too") {
		t.Error("the excluded socket was not left out")
	}
}

// P-202 P-215
func TestTriggerWithParamsAnswersInfo(t *testing.T) {
	room, plain := fresh(t, "presence-"), fresh(t, "plain-")
	for _, user := range []string{"1", "1", "2"} {
		connect(t).joinPresence(t, room, pusher.MemberData{UserID: user})
	}
	info := "user_count,subscription_count"
	answer, err := backend().TriggerMultiWithParams([]string{room, plain}, "event", "1", pusher.TriggerParams{Info: &info})
	if err != nil {
		t.Fatal(err)
	}
	wantCounts(t, "users", answer.Channels[room].UserCount, 2)
	wantCounts(t, "subscriptions", answer.Channels[room].SubscriptionCount, 3)
	wantCounts(t, "subscriptions of an empty channel", answer.Channels[plain].SubscriptionCount, 0)
	if answer.Channels[plain].UserCount != nil {
		t.Errorf("a public channel has a user count: %d", *answer.Channels[plain].UserCount)
	}
}

func wantCounts(t *testing.T, what string, got *int, want int) {
	t.Helper()
	if got == nil || *got != want {
		t.Errorf("%s: got %v, want %d", what, got, want)
	}
}

// P-204 P-205 P-207
func TestTriggerBatch(t *testing.T) {
	room, plain := fresh(t, "presence-"), fresh(t, "plain-")
	s := connect(t)
	s.joinPresence(t, room, pusher.MemberData{UserID: "1"})
	s.subscribe(t, plain, nil)
	info := "user_count"
	answer, err := backend().TriggerBatch([]pusher.Event{
		{Channel: plain, Name: "first", Data: "1"},
		{Channel: plain, Name: "skipped", Data: "2", SocketID: &s.id},
		{Channel: room, Name: "counted", Data: "3", Info: &info},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Batch) != 3 || answer.Batch[0].UserCount != nil {
		t.Fatalf("answer: got %+v", answer.Batch)
	}
	wantCounts(t, "users", answer.Batch[2].UserCount, 1)
	if err := backend().Trigger(plain, "fence", "1"); err != nil {
		t.Fatal(err)
	}
	for _, event := range []string{"first", "counted", "fence"} {
		s.await(t, event)
	}
	if s.heard("skipped") {
		t.Errorf("the excluded socket got %v", s.events())
	}

	large := make([]pusher.Event, 11)
	for i := range large {
		large[i] = pusher.Event{Channel: plain, Name: "e", Data: "1"}
	}
	if _, err := backend().TriggerBatch(large); err == nil || !strings.Contains(err.Error(), "Batch too large (11 > 10)") {
		t.Errorf("eleven events: got %v", err)
	}
}

// P-074 The server carries the ciphertext and never needs the key.
func TestTriggerEncrypts(t *testing.T) {
	channel := fresh(t, "private-encrypted-")
	s := connect(t)
	signed, err := backend().AuthorizePrivateChannel(s.form(channel))
	if err != nil {
		t.Fatal(err)
	}
	if data := s.subscribe(t, channel, signed).text(t); data != "{}" {
		t.Fatalf("success data: got %q", data)
	}
	if err := backend().Trigger(channel, "letter", map[string]string{"text": "geheim"}); err != nil {
		t.Fatal(err)
	}
	var sealed struct{ Nonce, Ciphertext string }
	if err := json.Unmarshal([]byte(s.await(t, "letter").text(t)), &sealed); err != nil {
		t.Fatal(err)
	}
	nonce, err := base64.StdEncoding.DecodeString(sealed.Nonce)
	if err != nil || len(nonce) != 24 || sealed.Ciphertext == "" {
		t.Errorf("got %+v, want nonce and ciphertext", sealed)
	}
}

// A URL in the library's own form leads to the server.
func TestClientFromURL(t *testing.T) {
	client, err := pusher.ClientFromURL("http://" + appKey + ":" + appSecret + "@" + shared.address + "/apps/" + appID)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Trigger("anything", "event", "1"); err != nil {
		t.Fatal(err)
	}
}

// P-183 P-219 P-220
func TestWrongCredentialsAreRefused(t *testing.T) {
	cases := map[string]struct {
		client pusher.Client
		want   string
	}{
		"unknown app":  {pusher.Client{AppID: "999", Key: appKey, Secret: appSecret}, "Status Code: 404 - Unknown app_id\n"},
		"unknown key":  {pusher.Client{AppID: appID, Key: "other", Secret: appSecret}, "Status Code: 401 - Unknown auth_key\n"},
		"wrong secret": {pusher.Client{AppID: appID, Key: appKey, Secret: "guess"}, "Status Code: 401 - Invalid signature"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			test.client.Host = shared.address
			err := test.client.Trigger("anything", "event", "1")
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Fatalf("got %v, want %q", err, test.want)
			}
			if strings.Contains(err.Error(), appSecret) {
				t.Error("the refusal shows the secret")
			}
		})
	}
}
