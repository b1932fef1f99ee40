package pusherhttpgo

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/coder/websocket"
	"github.com/coder/websocket/wsjson"
	pusher "github.com/pusher/pusher-http-go/v5"
)

// frame is what travels on the socket.
type frame struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	UserID  string          `json:"user_id,omitempty"`
}

// text returns data that must be a JSON string.
func (f frame) text(t *testing.T) string {
	t.Helper()
	var text string
	if err := json.Unmarshal(f.Data, &text); err != nil {
		t.Fatalf("data of %s is no string: %s", f.Event, f.Data)
	}
	return text
}

// socket is a connection of a client that knows no library.
type socket struct {
	conn *websocket.Conn
	id   string
	seen []frame
	// unread are frames that await passed over.
	unread []frame
}

func connect(t *testing.T) *socket {
	t.Helper()
	address := "ws://" + shared.address + "/app/" + appKey + "?protocol=7&client=go-test&version=1.0"
	conn, _, err := websocket.Dial(within(t), address, nil)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.CloseNow() })
	s := &socket{conn: conn}
	var handshake struct {
		SocketID string `json:"socket_id"`
	}
	if err := json.Unmarshal([]byte(s.await(t, "pusher:connection_established").text(t)), &handshake); err != nil {
		t.Fatalf("decode handshake: %v", err)
	}
	s.id = handshake.SocketID
	return s
}

func (s *socket) send(t *testing.T, event, channel string, data any) {
	t.Helper()
	message := map[string]any{"event": event, "data": data}
	if channel != "" {
		message["channel"] = channel
	}
	if err := wsjson.Write(within(t), s.conn, message); err != nil {
		t.Fatalf("send %s: %v", event, err)
	}
}

// await returns the first frame of this event that was not returned before.
func (s *socket) await(t *testing.T, event string) frame {
	t.Helper()
	for i, f := range s.unread {
		if f.Event == event {
			s.unread = slices.Delete(s.unread, i, i+1)
			return f
		}
	}
	ctx := within(t)
	for {
		var f frame
		if err := wsjson.Read(ctx, s.conn, &f); err != nil {
			t.Fatalf("waiting for %s after %v: %v", event, s.events(), err)
		}
		s.seen = append(s.seen, f)
		if f.Event == event {
			return f
		}
		s.unread = append(s.unread, f)
	}
}

// events names the frames that came, in order.
func (s *socket) events() []string {
	names := make([]string, len(s.seen))
	for i, f := range s.seen {
		names[i] = f.Event
	}
	return names
}

// heard tells whether a frame of this event has been read.
func (s *socket) heard(event string) bool {
	return slices.Contains(s.events(), event)
}

// subscribe joins a channel with what the library signed, nil for a public one.
func (s *socket) subscribe(t *testing.T, channel string, signed []byte) frame {
	t.Helper()
	data := map[string]any{"channel": channel}
	if signed != nil {
		var answer map[string]any
		if err := json.Unmarshal(signed, &answer); err != nil {
			t.Fatalf("decode authorization: %v", err)
		}
		delete(answer, "shared_secret")
		for key, value := range answer {
			data[key] = value
		}
	}
	s.send(t, "pusher:subscribe", "", data)
	return s.await(t, "pusher_internal:subscription_succeeded")
}

// form is the body of a client library's request to an auth endpoint.
func (s *socket) form(channel string) []byte {
	return []byte(url.Values{"socket_id": {s.id}, "channel_name": {channel}}.Encode())
}

func (s *socket) joinPrivate(t *testing.T, channel string) {
	t.Helper()
	signed, err := backend().AuthorizePrivateChannel(s.form(channel))
	if err != nil {
		t.Fatalf("authorize: %v", err)
	}
	if data := s.subscribe(t, channel, signed).text(t); data != "{}" {
		t.Fatalf("success data: got %q, want {}", data)
	}
}

func (s *socket) joinPresence(t *testing.T, channel string, member pusher.MemberData) frame {
	t.Helper()
	signed, err := backend().AuthorizePresenceChannel(s.form(channel), member)
	if err != nil {
		t.Fatalf("authorize: %v", err)
	}
	return s.subscribe(t, channel, signed)
}

// fresh returns a channel name that no other test uses.
func fresh(t *testing.T, prefix string) string {
	t.Helper()
	return fmt.Sprintf("%s%s", prefix, t.Name())
}
