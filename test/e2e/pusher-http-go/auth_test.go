package pusherhttpgo

import (
	"encoding/json"
	"reflect"
	"testing"

	pusher "github.com/pusher/pusher-http-go/v5"
)

// P-073 P-135
func TestAuthorizePrivateChannel(t *testing.T) {
	channel := fresh(t, "private-")
	a, b := connect(t), connect(t)
	a.joinPrivate(t, channel)
	b.joinPrivate(t, channel)
	a.send(t, "client-hello", channel, map[string]int{"n": 1})
	if got := b.await(t, "client-hello"); got.text(t) != `{"n":1}` || got.UserID != "" {
		t.Errorf("got %+v", got)
	}
}

// P-080 P-090
func TestAuthorizationOfAnotherSocketIsRefused(t *testing.T) {
	channel := fresh(t, "private-")
	a, b := connect(t), connect(t)
	signed, err := backend().AuthorizePrivateChannel(a.form(channel))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Auth string }
	if err := json.Unmarshal(signed, &answer); err != nil {
		t.Fatal(err)
	}
	b.send(t, "pusher:subscribe", "", map[string]any{"channel": channel, "auth": answer.Auth})
	b.await(t, "pusher:subscription_error")
	b.await(t, "pusher:error")
	b.joinPrivate(t, channel)
}

// P-099 P-100 P-101 P-105
func TestAuthorizePresenceChannel(t *testing.T) {
	channel := fresh(t, "presence-")
	a, b := connect(t), connect(t)
	a.joinPresence(t, channel, pusher.MemberData{UserID: "1", UserInfo: map[string]string{"name": "Ann"}})
	succeeded := b.joinPresence(t, channel, pusher.MemberData{UserID: "2"})

	type presence struct {
		Count int
		IDs   []string
		Hash  map[string]map[string]string
	}
	var got struct{ Presence presence }
	if err := json.Unmarshal([]byte(succeeded.text(t)), &got); err != nil {
		t.Fatal(err)
	}
	want := presence{Count: 2, IDs: []string{"1", "2"}, Hash: map[string]map[string]string{"1": {"name": "Ann"}, "2": nil}}
	if len(got.Presence.IDs) == 2 && got.Presence.IDs[0] == "2" {
		got.Presence.IDs[0], got.Presence.IDs[1] = got.Presence.IDs[1], got.Presence.IDs[0]
	}
	if !reflect.DeepEqual(got.Presence, want) {
		t.Errorf("got %+v, want %+v", got.Presence, want)
	}
	var added struct {
		UserID string `json:"user_id"`
	}
	if err := json.Unmarshal([]byte(a.await(t, "pusher_internal:member_added").text(t)), &added); err != nil || added.UserID != "2" {
		t.Errorf("member added: got %+v, %v", added, err)
	}
}

// P-153 P-158 P-160
func TestAuthenticateUserAndSendToUser(t *testing.T) {
	user := map[string]interface{}{"id": t.Name(), "user_info": map[string]string{"name": "Änn"}}
	signIn := func(s *socket, user map[string]interface{}) {
		t.Helper()
		signed, err := backend().AuthenticateUser(s.form(""), user)
		if err != nil {
			t.Fatal(err)
		}
		var answer map[string]string
		if err := json.Unmarshal(signed, &answer); err != nil {
			t.Fatal(err)
		}
		s.send(t, "pusher:signin", "", answer)
		var echo map[string]string
		if err := json.Unmarshal([]byte(s.await(t, "pusher:signin_success").text(t)), &echo); err != nil {
			t.Fatal(err)
		}
		if echo["user_data"] != answer["user_data"] {
			t.Errorf("echo: got %q, want %q", echo["user_data"], answer["user_data"])
		}
		s.subscribe(t, "#server-to-user-"+user["id"].(string), nil)
	}
	mine, other := connect(t), connect(t)
	signIn(mine, user)
	signIn(other, map[string]interface{}{"id": t.Name() + "-other"})
	for _, event := range []struct{ user, name string }{{t.Name(), "mail"}, {t.Name() + "-other", "fence"}} {
		if err := backend().SendToUser(event.user, event.name, map[string]int{"n": 1}); err != nil {
			t.Fatal(err)
		}
	}
	if got := mine.await(t, "mail").text(t); got != `{"n":1}` {
		t.Errorf("got %q", got)
	}
	other.await(t, "fence")
	if other.heard("mail") {
		t.Error("another user received the event")
	}
}
