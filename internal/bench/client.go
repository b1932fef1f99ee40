package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// clientState is how far a connection has come.
type clientState uint8

const (
	waiting     clientState = iota // not opened yet
	connecting                     // TCP, and TLS if there is
	upgrading                      // the request is sent
	greeting                       // before pusher:connection_established
	subscribing                    // before all subscriptions have succeeded
	ready
	ended
)

// client is one connection. It is touched only inside the engine.
type client struct {
	// the plan, set before it is opened
	index    int
	target   *target
	raw      bool // frames without upgrade or protocol: the floor
	slow     bool // has a small receive buffer
	channels []protocol.ChannelName
	userID   string  // on presence channels
	poster   *poster // makes requests, nil for a WebSocket connection

	state    clientState
	opened   bool  // has been ready before
	began    int64 // when the connect began
	socketID protocol.SocketID
	asked    int // subscriptions asked for
	awaited  int // subscriptions not yet confirmed

	// owned by the engine
	fd   int
	conn net.Conn
	held chan struct{} // portable: closed when reading may go on, nil while it may
	tail []byte        // the beginning of a frame
	out  []byte        // what the socket did not take
}

// upgradeKey is the nonce of every upgrade request, and upgradeAccept its proof.
const (
	upgradeKey    = "cGlwZXNvY2tldGQtYmVuYw=="
	maxUpgradeLen = 16 << 10
)

func (t *target) upgradeRequest() []byte {
	return []byte("GET " + t.socket + " HTTP/1.1\r\nHost: " + t.host +
		"\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + upgradeKey + "\r\n\r\n")
}

// cutUpgrade cuts the answer to the upgrade request off b. n is 0 if it is not
// all there yet.
func cutUpgrade(b []byte, accept string) (n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxUpgradeLen {
			return 0, errors.New("the answer to the upgrade is too long")
		}
		return 0, nil
	}
	lines := bytes.Split(b[:end], []byte("\r\n"))
	if !bytes.HasPrefix(lines[0], []byte("HTTP/1.1 101")) {
		return 0, fmt.Errorf("the server answered the upgrade with %q", clip(string(lines[0])))
	}
	for _, line := range lines[1:] {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Sec-WebSocket-Accept")) && string(bytes.TrimSpace(value)) == accept {
			return end + 4, nil
		}
	}
	return 0, errors.New("the server's answer to the upgrade lacks its proof")
}

// subscription returns the message that subscribes the client to a channel.
func (c *client) subscription(pair auth.Key, channel protocol.ChannelName) []byte {
	return subscribeMessage(pair, c.socketID, channel, c.userID)
}

func subscribeMessage(pair auth.Key, id protocol.SocketID, channel protocol.ChannelName, userID string) []byte {
	b := append([]byte(nil), `{"event":"pusher:subscribe","data":{"channel":`...)
	b = append(b, quote(string(channel))...)
	var data *string
	if channel.Kind().Has(protocol.Presence) {
		text := `{"user_id":` + quote(userID) + `,"user_info":{"name":"load"}}`
		data = &text
		b = append(b, `,"channel_data":`+quote(text)...)
	}
	if channel.Kind().NeedsAuth() {
		b = append(b, `,"auth":`+quote(auth.Token(pair, auth.ChannelText(id, channel, data)))...)
	}
	return append(b, "}}"...)
}

func unsubscribeMessage(channel protocol.ChannelName) []byte {
	return []byte(`{"event":"pusher:unsubscribe","data":{"channel":` + quote(string(channel)) + `}}`)
}
