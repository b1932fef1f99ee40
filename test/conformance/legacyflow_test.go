package conformance

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

// legacyDevice speaks the protocol as a device of the oldest generation in use
// does: frames written by hand, the data of each parsed a second time.
type legacyDevice struct {
	*client
}

// TestLegacyDeviceFlow is the whole exchange of two such devices.
func TestLegacyDeviceFlow(t *testing.T) {
	hook := newReceiver(t)
	legacy := app{"1001", "legacy-key", "legacy-secret"}
	s := startServer(t, "webhooks: {allow_addresses: [127.0.0.0/8]}\napps:\n"+
		appYAML(legacy, "client_events: true", "webhooks: [{url: "+quote(hook.url)+", events: [client_event]}]"))

	sender, receiver := connectLegacy(t, s, legacy), connectLegacy(t, s, legacy)
	for _, device := range []legacyDevice{sender, receiver} {
		device.subscribePublic(t, "NewsFeed", "Alerts")
		device.isRefused(t, "private-User-17")
		device.subscribePrivate(t, "private-User-17")
		device.subscribePrivate(t, "private-Group-4")
	}

	sender.send(t, `{"event":"client-NewsFeed","data":{"title":"Hello","items":[1,2,{"x":"ż"}]},"channel":"private-User-17"}`)
	const want = `{"title":"Hello","items":[1,2,{"x":"ż"}]}`
	f := receiver.expect(t, "client-NewsFeed", "private-User-17")
	if got := f.text(t); !sameJSON(t, got, want) {
		t.Errorf("data is the string %q, want one of %s", got, want)
	}
	if f.UserID != nil {
		t.Errorf("user_id on a private channel: %s", f.raw)
	}
	isToldSigned(t, hook, legacy, sender, want)

	// No echo: the next thing the sender gets is what the other one sends.
	receiver.send(t, `{"event":"client-NewsFeed","data":{"title":"Answer"},"channel":"private-User-17"}`)
	answer := sender.expect(t, "client-NewsFeed", "private-User-17")
	if got := answer.text(t); !sameJSON(t, got, `{"title":"Answer"}`) {
		t.Errorf("data is the string %q", got)
	}
	s.api(legacy).trigger(t, "NewsFeed", "published", `{"n":1}`)
	for _, device := range []legacyDevice{sender, receiver} {
		device.expectEvent(t, "published", "NewsFeed", `{"n":1}`)
		device.expectNothing(t)
	}
}

// connectLegacy connects and parses the handshake twice: the frame, and the
// string in its data.
func connectLegacy(t *testing.T, s *server, a app) legacyDevice {
	t.Helper()
	c := dial(t, s, target{app: a, query: "client=js&version=3.1&protocol=5"})
	got := c.recv(t)
	var outer struct {
		Event string
		Data  string
	}
	if err := json.Unmarshal([]byte(got.raw), &outer); err != nil || outer.Event != "pusher:connection_established" {
		t.Fatalf("got %s as handshake: %v", got.raw, err)
	}
	var inner struct {
		SocketID        string `json:"socket_id"`
		ActivityTimeout int    `json:"activity_timeout"`
	}
	if err := json.Unmarshal([]byte(outer.Data), &inner); err != nil {
		t.Fatalf("handshake data %q: %v", outer.Data, err)
	}
	if !regexp.MustCompile(`^[0-9]+\.[0-9]+$`).MatchString(inner.SocketID) || inner.ActivityTimeout != 120 {
		t.Fatalf("handshake data %q", outer.Data)
	}
	c.socketID = inner.SocketID
	return legacyDevice{c}
}

// subscribePublic sends all frames before it reads the first answer.
func (d legacyDevice) subscribePublic(t *testing.T, channels ...string) {
	t.Helper()
	for _, channel := range channels {
		d.send(t, `{"event":"pusher:subscribe","data":{"channel":"`+channel+`"}}`)
	}
	for _, channel := range channels {
		d.expectRaw(t, succeeded(channel))
	}
}

// subscribePrivate subscribes one channel and waits for its success.
func (d legacyDevice) subscribePrivate(t *testing.T, channel string) {
	t.Helper()
	auth := d.app.key + ":" + sign(d.app.secret, d.socketID+":"+channel)
	d.send(t, `{"event":"pusher:subscribe","data":{"auth":"`+auth+`","channel":"`+channel+`"}}`)
	d.expectRaw(t, succeeded(channel))
}

// isRefused subscribes with a wrong signature: two error frames, and the
// connection stays open.
func (d legacyDevice) isRefused(t *testing.T, channel string) {
	t.Helper()
	wrong := sign("another-secret", d.socketID+":"+channel)
	d.send(t, `{"event":"pusher:subscribe","data":{"auth":"`+d.app.key+":"+wrong+`","channel":"`+channel+`"}}`)
	message := "Invalid signature: Expected HMAC SHA256 hex digest of " + d.socketID + ":" + channel + ", but got " + wrong
	d.unauthorized(t, channel, message)
	d.expectNothing(t)
}

// isToldSigned verifies the webhook as a receiver does: signature first, over
// the bytes as they came.
func isToldSigned(t *testing.T, hook *receiver, a app, sender legacyDevice, data string) {
	t.Helper()
	d := hook.next(t)
	d.signedBy(t, a)
	if kind := d.header.Get("Content-Type"); kind != "application/json" {
		t.Errorf("Content-Type of the webhook is %q", kind)
	}
	e := d.Events[0]
	text, _ := e["data"].(string)
	if len(d.Events) != 1 || e["name"] != "client_event" || e["channel"] != "private-User-17" ||
		e["event"] != "client-NewsFeed" || e["socket_id"] != sender.socketID || !sameJSON(t, text, data) {
		t.Errorf("got webhook %s", d.body)
	}
	if strings.Contains(d.body, "user_id") {
		t.Errorf("webhook of a private channel with user_id: %s", d.body)
	}
}
