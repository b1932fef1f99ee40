package httpapi_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// recording counts publications in front of the hub.
type recording struct {
	httpapi.Hub
	published []hub.Publication
}

func (r *recording) PublishEach(app *apps.App, p hub.Publication, channels ...protocol.ChannelName) {
	for _, p.Channel = range channels {
		r.published = append(r.published, p)
	}
	r.Hub.PublishEach(app, p, channels...)
}

func (r *recording) PublishInOrder(app *apps.App, events []hub.Publication) {
	r.published = append(r.published, events...)
	r.Hub.PublishInOrder(app, events)
}

// FuzzTriggerBody posts any body to both trigger endpoints. Whatever it is, the
// answer is one of the documented ones, a refused request has published
// nothing, and what was published is valid.
func FuzzTriggerBody(f *testing.F) {
	f.Add([]byte(`{"name":"e","channels":["a","presence-b"],"data":"{\"x\":1}","socket_id":"1.2","info":"user_count"}`))
	f.Add([]byte(`{"batch":[{"channel":"a","name":"e","data":{"x":[1,null]}},{"channel":"cache-b","name":"\u00e9","data":"\ud800","info":"subscription_count"}]}`))
	f.Add([]byte(`{"name":"e","channel":"#server-to-user-1","data":12,"socket_id":null}`))
	f.Add([]byte("{\"name\":\"\\ud83d\\ude00\",\"channel\":\"\xff\",\"data\":\"\"}"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, body []byte) {
		hubs := &recording{}
		f := newFixture(t, func(o *httpapi.Options, _ *apps.App) { o.Hub = hubs })
		hubs.Hub = f.hub
		for _, path := range []string{events, batchEvents} {
			hubs.published = nil
			got := f.send(post(path, string(body)))
			allowed := []int{http.StatusOK, http.StatusBadRequest, http.StatusRequestEntityTooLarge}
			if !slices.Contains(allowed, got.Code) {
				t.Fatalf("%s: status %d %s", path, got.Code, got.Body)
			}
			if (got.Code == http.StatusOK) != (len(hubs.published) > 0) {
				t.Fatalf("%s: status %d and %d publications", path, got.Code, len(hubs.published))
			}
			if got.Code == http.StatusOK && !json.Valid(got.Body.Bytes()) {
				t.Fatalf("%s: answer %q", path, got.Body)
			}
			for _, p := range hubs.published {
				checkPublication(t, f.app, p)
			}
		}
	})
}

func checkPublication(t *testing.T, app *apps.App, p hub.Publication) {
	t.Helper()
	if _, ok := protocol.ParseChannelName(string(p.Channel)); !ok {
		t.Fatalf("published on %q", p.Channel)
	}
	var text string
	if err := json.Unmarshal(p.Data, &text); err != nil || len(text) > app.MaxEventBytes {
		t.Fatalf("published data %.80q of %d bytes: %v", p.Data, len(text), err)
	}
	if p.Event == "" || len([]rune(p.Event)) > protocol.MaxEventName {
		t.Fatalf("published event %q", p.Event)
	}
	if p.Except != "" && !protocol.ValidSocketID(string(p.Except)) {
		t.Fatalf("published except %q", p.Except)
	}
}
