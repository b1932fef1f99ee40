package pusherhttpgo

import (
	"bytes"
	"fmt"
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
