package webhook

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// P-233: client_event has string data, event, socket_id, and user_id on presence
// channels only. The rest are the examples of §8.2, byte for byte.
func TestAppendNotice(t *testing.T) {
	typing := protocol.Payload(`"{\"on\":true}"`)
	for name, c := range map[string]struct {
		notice hub.Notice
		want   string
	}{
		"occupied": {
			hub.Notice{Name: hub.ChannelOccupied, Channel: "my-channel"},
			`{"name":"channel_occupied","channel":"my-channel"}`,
		},
		"vacated": {
			hub.Notice{Name: hub.ChannelVacated, Channel: "my-channel"},
			`{"name":"channel_vacated","channel":"my-channel"}`,
		},
		"member added": {
			hub.Notice{Name: hub.MemberAdded, Channel: "presence-x", UserID: "42"},
			`{"name":"member_added","channel":"presence-x","user_id":"42"}`,
		},
		"member removed": {
			hub.Notice{Name: hub.MemberRemoved, Channel: "presence-x", UserID: "42"},
			`{"name":"member_removed","channel":"presence-x","user_id":"42"}`,
		},
		"client event on a private channel": {
			hub.Notice{Name: hub.ClientEventSent, Channel: "private-x", Event: "client-typing", Data: typing, SocketID: "1234.5678"},
			`{"name":"client_event","channel":"private-x","event":"client-typing","data":"{\"on\":true}","socket_id":"1234.5678"}`,
		},
		"client event on a presence channel": {
			hub.Notice{Name: hub.ClientEventSent, Channel: "presence-x", Event: "client-typing", Data: typing, SocketID: "1234.5678", UserID: "42"},
			`{"name":"client_event","channel":"presence-x","event":"client-typing","data":"{\"on\":true}","socket_id":"1234.5678","user_id":"42"}`,
		},
		"no user of a private channel": {
			hub.Notice{Name: hub.ClientEventSent, Channel: "private-x", Event: "client-typing", Data: typing, SocketID: "1234.5678", UserID: "42"},
			`{"name":"client_event","channel":"private-x","event":"client-typing","data":"{\"on\":true}","socket_id":"1234.5678"}`,
		},
		"data that is not a string becomes one": {
			hub.Notice{Name: hub.ClientEventSent, Channel: "private-x", Event: "client-typing", Data: protocol.Payload(`{"on":true}`), SocketID: "1.2"},
			`{"name":"client_event","channel":"private-x","event":"client-typing","data":"{\"on\":true}","socket_id":"1.2"}`,
		},
		"no data": {
			hub.Notice{Name: hub.ClientEventSent, Channel: "private-x", Event: "client-typing", SocketID: "1.2"},
			`{"name":"client_event","channel":"private-x","event":"client-typing","data":"","socket_id":"1.2"}`,
		},
		"cache miss": {
			hub.Notice{Name: hub.CacheMissed, Channel: "cache-x"},
			`{"name":"cache_miss","channel":"cache-x"}`,
		},
		"subscription count": {
			hub.Notice{Name: hub.SubscriptionCount, Channel: "my-channel", Count: 3},
			`{"name":"subscription_count","channel":"my-channel","subscription_count":3}`,
		},
		"subscription count zero": {
			hub.Notice{Name: hub.SubscriptionCount, Channel: "my-channel"},
			`{"name":"subscription_count","channel":"my-channel","subscription_count":0}`,
		},
		"text is escaped as JSON demands and no further": {
			hub.Notice{Name: hub.MemberAdded, Channel: "presence-x", UserID: "<a href=\"x\">\\&żółw\n\xff"},
			`{"name":"member_added","channel":"presence-x","user_id":"<a href=\"x\">\\&żółw\n` + "\ufffd" + `"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(appendNotice(nil, c.notice)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// V-42 … V-45 of §6.4.
func TestSealVectors(t *testing.T) {
	for signature, events := range map[string]string{
		"c19001ae3963ccb13bf618e5b16ba9848e7e74df0993aa0689168e341c6833cf": `{"name":"channel_occupied","channel":"my-channel"}`,
		"977e904304ad3104e7d0ee32f280598c74a1171aadd4721564611c4aca72b3b6": `{"name":"channel_vacated","channel":"my-channel"}`,
		"fbfe1d219dfcec2ebc73b17be228ee7f8b3c479f175c67924aecc6a738f9ade9": `{"name":"member_added","channel":"presence-room","user_id":"10"},` +
			`{"name":"subscription_count","channel":"my-channel","subscription_count":3}`,
		"e63d084161bcbc1535374377019d413e03b7bd30fc233f327aea50e2e42f82d1": `{"name":"client_event","channel":"presence-room",` +
			`"event":"client-typing","data":"{\"on\":true}","socket_id":"1234.1234","user_id":"10"}`,
	} {
		p := seal(laneKey{app: "1", url: hookURL}, auth.Key{Key: testKey, Secret: testSecret}, 1327078148132, []byte(events), 1)
		if want := `{"time_ms":1327078148132,"events":[` + events + `]}`; string(p.Body) != want {
			t.Errorf("body\n got %s\nwant %s", p.Body, want)
		}
		if p.Signature != signature || p.Key != testKey {
			t.Errorf("%s: signed %s by %s, want %s by %s", events, p.Signature, p.Key, signature, testKey)
		}
	}
}

// P-224, P-225, P-226: headers and body of a request as the receiver sees them,
// signed by the oldest of two keys.
func TestRequestIsSignedByTheOldestKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", hook())
		app.Keys = auth.Keys{{Key: "older", Secret: "older-secret"}, {Key: "newer", Secret: "newer-secret"}}
		d := start(t, Options{Transport: r, UserAgent: "pipesocketd/1.2"})
		sealed := time.Now()
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "my-channel", ""))
		synctest.Wait()

		got := r.requests()
		if len(got) != 1 {
			t.Fatalf("got %d requests, want 1", len(got))
		}
		for name, want := range map[string]string{
			"Content-Type":       "application/json",
			"User-Agent":         "pipesocketd/1.2",
			"X-Pusher-Key":       "older",
			"X-Pusher-Signature": auth.Secret("older-secret").Sign([]byte(got[0].body)),
		} {
			if values := got[0].header[name]; len(values) != 1 || values[0] != want {
				t.Errorf("header %s is %q, want %q", name, values, want)
			}
		}
		var body struct {
			TimeMS json.Number       `json:"time_ms"`
			Events []json.RawMessage `json:"events"`
		}
		if err := json.Unmarshal([]byte(got[0].body), &body); err != nil {
			t.Fatal(err)
		}
		if ms, err := body.TimeMS.Int64(); err != nil || ms != sealed.UnixMilli() || !strings.HasPrefix(got[0].body, `{"time_ms":9`) {
			t.Errorf("time_ms in %s, want %d (%v)", got[0].body, sealed.UnixMilli(), err)
		}
		if len(body.Events) != 1 {
			t.Errorf("got %d events, want 1", len(body.Events))
		}
	})
}

// The key that signs is the oldest at the time of sealing, by the settings of
// then.
func TestReplacedKeySigns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		before := newApp("1", hook())
		registry := registryOf(t, before)
		d := start(t, Options{Transport: r, Registry: registry, GraceDelay: 3 * time.Second})
		d.Emit(edgeNotice(before, hub.ChannelVacated, "c", ""))

		after := *before
		after.Keys = auth.Keys{{Key: "rotated", Secret: "s"}}
		if err := registry.Replace(&after); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Second)
		if got := r.requests(); len(got) != 1 || got[0].header.Get("X-Pusher-Key") != "rotated" {
			t.Errorf("got %+v, want one request signed by the new key", got)
		}
	})
}

// P-246: every body decodes into the Go library's types, whatever the hub tells.
func TestBodiesDecodeLikeTheGoLibrary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{}
		app := newApp("1", hook())
		d := start(t, Options{Transport: r})
		want := []libraryEvent{}
		for _, name := range hub.NoticeNames {
			n := hub.Notice{
				App: app, Name: name, Channel: "presence-x", UserID: "10", Event: "client-e",
				Data: protocol.Payload(`"{\"n\":1}"`), SocketID: "1.2", Count: 7,
			}
			e := libraryEvent{Name: string(name), Channel: "presence-x"}
			switch name {
			case hub.MemberAdded, hub.MemberRemoved:
				e.UserID = "10"
			case hub.ClientEventSent:
				e.Event, e.Data, e.SocketID, e.UserID = "client-e", `{"n":1}`, "1.2", "10"
			}
			want = append(want, e)
			d.Emit(n)
		}
		synctest.Wait()
		got := r.requests() // the receiver refuses what does not decode
		if len(got) != len(want) {
			t.Fatalf("got %d requests, want %d", len(got), len(want))
		}
		for i, w := range want {
			if hook := got[i].hook; len(hook.Events) != 1 || hook.Events[0] != w {
				t.Errorf("got %+v, want %+v", hook.Events, w)
			}
			if !testSecret.Verify([]byte(got[i].body), got[i].header.Get("X-Pusher-Signature")) {
				t.Errorf("signature of %s is wrong", got[i].body)
			}
		}
	})
}
