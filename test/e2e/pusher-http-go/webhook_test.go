package pusherhttpgo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coder/websocket"
	pusher "github.com/pusher/pusher-http-go/v5"
)

// webhooks parses the requests about channel with the library until one
// carries last, and returns the events of that channel.
func webhooks(t *testing.T, channel, last string) []pusher.WebhookEvent {
	t.Helper()
	ctx := within(t)
	var events []pusher.WebhookEvent
	for {
		select {
		case <-ctx.Done():
			t.Fatalf("no %s for %s among %+v", last, channel, events)
		case request := <-shared.hooks:
			// Other tests' channels do not matter, and the library cannot read
			// webhooks about encrypted ones, the hosted service's either.
			if !bytes.Contains(request.body, []byte(channel)) {
				continue
			}
			webhook, err := backend().Webhook(request.header, request.body)
			if err != nil {
				t.Fatalf("the library refuses %s: %v", request.body, err)
			}
			if webhook.TimeMs == 0 || len(webhook.Events) == 0 {
				t.Errorf("got %+v", webhook)
			}
			for _, event := range webhook.Events {
				if event.Channel != channel {
					continue
				}
				events = append(events, event)
				if event.Name == last {
					return events
				}
			}
		}
	}
}

// P-246 P-224 P-231 P-233 P-235 P-236
func TestWebhooksDecodeIntoTheLibrarysTypes(t *testing.T) {
	room := fresh(t, "presence-cache-")
	s := connect(t)
	s.joinPresence(t, room, pusher.MemberData{UserID: "42"})
	s.send(t, "client-typing", room, map[string]bool{"on": true})
	if err := s.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	got := webhooks(t, room, "channel_vacated")
	want := []pusher.WebhookEvent{
		{Name: "channel_occupied", Channel: room},
		{Name: "member_added", Channel: room, UserID: "42"},
		{Name: "cache_miss", Channel: room},
		{Name: "client_event", Channel: room, Event: "client-typing", Data: `{"on":true}`, SocketID: s.id, UserID: "42"},
		{Name: "member_removed", Channel: room, UserID: "42"},
		{Name: "channel_vacated", Channel: room},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	plain := fresh(t, "counted-")
	connect(t).subscribe(t, plain, nil)
	counted := webhooks(t, plain, "subscription_count")
	if counted[len(counted)-1].Name != "subscription_count" {
		t.Errorf("got %+v", counted)
	}
}

// hardTexts are data of client events that a decoder could stumble over.
var hardTexts = []string{
	"", " ", `{"a":1}`, `"quoted"`, `back\slash \" \u0041`, "</script><!--&amp;", "line\nfeed\r\ttab\b\f", "\x00\x01\x1f\x7f", "äöü Ελληνικά 中文",
	"😀👩‍👩‍👧", "\u2028\u2029\ufeff\uffff\ufffd\U0010ffff", strings.Repeat("😀", 10240/4),
}

// P-246 P-224 P-233 P-238
func TestBatchesDecodeIntoTheLibrarysTypes(t *testing.T) {
	room := fresh(t, "presence-cache-") + "-batched"
	plain := fresh(t, "") + "-batched"
	s := connect(t)
	s.joinPresence(t, room, pusher.MemberData{UserID: `Zoë 😀 "7"`})
	s.subscribe(t, plain, nil)
	var want []string
	for i, text := range hardTexts {
		if i > 0 && i%8 == 0 { // of ten a second
			s = connect(t)
			s.joinPresence(t, room, pusher.MemberData{UserID: `Zoë 😀 "7"`})
		}
		s.send(t, fmt.Sprintf("client-%d-ü", i), room, text)
		s.send(t, "pusher:ping", "", map[string]any{})
		s.await(t, "pusher:pong")
		want = append(want, fmt.Sprintf("client-%d-ü %s %s", i, s.id, text))
	}

	names := make(map[string]bool)
	var got []string
	most := 0
	for len(got) < len(want) || !names["subscription_count"] {
		webhook := next(t, shared.batches)
		most = max(most, len(webhook.Events))
		for _, event := range webhook.Events {
			names[event.Name] = true
			if event.Name == "client_event" {
				got = append(got, fmt.Sprintf("%s %s %s", event.Event, event.SocketID, event.Data))
			}
			if event.Channel == room && event.Name != "channel_occupied" && event.Name != "cache_miss" && event.UserID != `Zoë 😀 "7"` {
				t.Errorf("user of %+v", event)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if most < 2 {
		t.Errorf("no batch of more than %d", most)
	}
	for _, name := range []string{"channel_occupied", "member_added", "cache_miss", "subscription_count"} {
		if !names[name] {
			t.Errorf("no %s", name)
		}
	}
}

// next returns the next webhook at one of the endpoints.
func next(t *testing.T, hooks <-chan hook) *pusher.Webhook {
	t.Helper()
	select {
	case request := <-hooks:
		webhook, err := backend().Webhook(request.header, request.body)
		if err != nil {
			t.Fatalf("the library refuses %s: %v", request.body, err)
		}
		return webhook
	case <-within(t).Done():
		t.Fatal("no webhook")
		return nil
	}
}

// P-151 P-233 The library decrypts what a client sent, which the server could not
// read.
func TestWebhookOfAnEncryptedChannelIsDecrypted(t *testing.T) {
	channel := fresh(t, "private-encrypted-")
	s := connect(t)
	s.joinPrivate(t, channel)
	const secret = `{"letter":"geheim 😀"}`
	if err := backend().Trigger(channel, "letter", json.RawMessage(secret)); err != nil {
		t.Fatal(err)
	}
	s.send(t, "client-letter", channel, s.await(t, "letter").text(t)) // the ciphertext, as a client would make it
	webhook := next(t, shared.secrets)
	if len(webhook.Events) != 1 || webhook.Events[0].Data != secret || webhook.Events[0].Event != "client-letter" {
		t.Errorf("got %+v", webhook)
	}
}

// P-224 A changed body and a foreign key are not believed.
func TestWebhookRefusesForgeries(t *testing.T) {
	channel := fresh(t, "forged-")
	connect(t).subscribe(t, channel, nil)
	request := <-shared.hooks
	if _, err := backend().Webhook(request.header, append(request.body, ' ')); err == nil {
		t.Error("a changed body was accepted")
	}
	stranger := backend()
	stranger.Secret = "guess"
	if _, err := stranger.Webhook(request.header, request.body); err == nil {
		t.Error("a foreign secret was accepted")
	}
}
