package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

const (
	appID     = "7"
	appKey    = "cluster-key"
	appSecret = "cluster-secret-of-some-length"

	// joining is how long a connection may take to be on its channels. In a fault a
	// subscription waits for a while.
	joining = 15 * time.Second
)

// frame is what the server sends.
type frame struct {
	Event   string          `json:"event"`
	Channel string          `json:"channel"`
	Data    json.RawMessage `json:"data"`
}

// into decodes data, which is JSON in a string.
func (f frame) into(v any) error {
	var text string
	if err := json.Unmarshal(f.Data, &text); err != nil {
		return fmt.Errorf("data of %s: %w", f.Event, err)
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("data of %s: %w", f.Event, err)
	}
	return nil
}

// conn is one connection of a client.
type conn struct {
	*websocket.Conn
	socketID string
}

// dial connects to a server, given its base URL.
func dial(ctx context.Context, base string) (*conn, error) {
	ctx, cancel := context.WithTimeout(ctx, joining)
	defer cancel()
	target := "ws" + strings.TrimPrefix(base, "http") + "/app/" + appKey + "?protocol=7&client=js&version=8.4.0"
	socket, response, err := websocket.Dial(ctx, target, nil)
	if err != nil {
		return nil, err
	}
	if response.Body != nil {
		_ = response.Body.Close()
	}
	socket.SetReadLimit(-1) // a snapshot of members can be large
	c := &conn{Conn: socket}
	f, err := c.next(ctx)
	var handshake struct {
		SocketID string `json:"socket_id"`
	}
	if err = errors.Join(err, f.into(&handshake)); err != nil {
		return nil, errors.Join(err, c.CloseNow())
	}
	c.socketID = handshake.SocketID
	return c, nil
}

func (c *conn) next(ctx context.Context) (f frame, err error) {
	_, text, err := c.Read(ctx)
	if err != nil {
		return f, err
	}
	return f, json.Unmarshal(text, &f)
}

func (c *conn) say(ctx context.Context, event any) error {
	text, err := json.Marshal(event)
	if err != nil {
		return err
	}
	return c.Write(ctx, websocket.MessageText, text)
}

// ask asks for a subscription; user is for presence channels.
func (c *conn) ask(ctx context.Context, channel, user string) error {
	data := map[string]string{"channel": channel}
	signed := c.socketID + ":" + channel
	if strings.HasPrefix(channel, "presence-") {
		data["channel_data"] = fmt.Sprintf(`{"user_id":%q}`, user)
		signed += ":" + data["channel_data"]
	}
	if strings.HasPrefix(channel, "p") {
		data["auth"] = appKey + ":" + auth.Secret(appSecret).Sign([]byte(signed))
	}
	return c.say(ctx, map[string]any{"event": "pusher:subscribe", "data": data})
}

func (c *conn) leave(ctx context.Context, channel string) error {
	return c.say(ctx, map[string]any{"event": "pusher:unsubscribe", "data": map[string]string{"channel": channel}})
}

// members returns the users in the data of a successful subscription.
func (f frame) members() (map[string]bool, error) {
	var body struct {
		Presence struct {
			IDs []string `json:"ids"`
		} `json:"presence"`
	}
	if err := f.into(&body); err != nil {
		return nil, err
	}
	users := make(map[string]bool)
	for _, id := range body.Presence.IDs {
		if users[id] {
			return nil, fmt.Errorf("member %s comes twice in a snapshot", id)
		}
		users[id] = true
	}
	return users, nil
}

// user returns whom a member event is about.
func (f frame) user() (string, error) {
	var body struct {
		UserID string `json:"user_id"`
	}
	err := f.into(&body)
	return body.UserID, err
}
