package hub

import (
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// Notices of client events come if a webhook of the app asks for them, with data
// as a string whatever the other clients get.
func TestClientEventNotices(t *testing.T) {
	hooks := func(events ...string) []apps.Endpoint {
		return []apps.Endpoint{{Events: []string{"channel_occupied"}}, {Events: events}}
	}
	for _, tt := range []struct {
		name     string
		webhooks []apps.Endpoint
		verbatim bool
		data     string
		want     string // data of the notice, "" for no notice
	}{
		{"no webhooks", nil, false, `{"a":1}`, ""},
		{"webhooks of other things", hooks("member_added"), false, `{"a":1}`, ""},
		{"an object", hooks("cache_miss", "client_event"), false, `{"a":1}`, `"{\"a\":1}"`},
		{"a string", hooks("client_event"), false, `"x"`, `"x"`},
		{"an object verbatim", hooks("client_event"), true, `{"a":1}`, `"{\"a\":1}"`},
		{"a string verbatim", hooks("client_event"), true, `"x"`, `"x"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, func(app *apps.App) { app.Webhooks, app.ClientEventsVerbatim = tt.webhooks, tt.verbatim })
			c := f.connect()
			c.mustSubscribe("presence-a", "42")
			if refusal := c.clientEvent("presence-a", "client-e", tt.data); refusal != nil {
				t.Fatal(refusal)
			}
			var got Notice
			for _, n := range f.notices {
				if n.Name == ClientEventSent {
					got = n
				}
			}
			if string(got.Data) != tt.want {
				t.Errorf("noted %s, want %s", got.Data, tt.want)
			}
			if tt.want != "" && (got.Event != "client-e" || got.UserID != "42" || got.SocketID != c.a.SocketID() || got.Channel != "presence-a") {
				t.Errorf("noted %+v", got)
			}
		})
	}
}
