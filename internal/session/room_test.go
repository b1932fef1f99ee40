package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/wheel"
)

var pair = auth.Key{Key: "k", Secret: "s"}

// room is a channel with sessions on it, from the message that is read to the
// bytes that are written, without sockets.
type room struct {
	t        testing.TB
	hub      *hub.Hub
	app      *apps.App
	channel  protocol.ChannelName
	turn     hub.Turn
	members  []*occupant
	awaited  atomic.Int64  // deliveries that are still to come
	complete chan struct{} // capacity 1: they have come
}

// occupant is a session, its socket and its line.
type occupant struct {
	room    *room
	session *Session

	message []byte // what Next returns next, nil for nothing
	content bytes.Reader
	ended   atomic.Bool

	noting bool
	noted  []byte // copies of what was written, if it is wanted
	full   bool   // write takes nothing
	broken string // what write panics with, if anything
}

// newRoom makes a room in which each join is over when the next begins: no
// presence channel for more members than the hub serves without a goroutine. On
// an app with compression every other session takes compressed frames.
func newRoom(t testing.TB, channel protocol.ChannelName, members int, log *slog.Logger, change func(*apps.App)) *room {
	t.Helper()
	app := apps.Defaults()
	app.ID, app.Keys, app.ClientEvents, app.ClientEventRate = "1", auth.Keys{pair}, true, 1_000_000_000
	app.MaxPresenceMembers = members
	if change != nil {
		change(&app)
	}
	registry, err := apps.NewRegistry(&app)
	if err != nil {
		t.Fatal(err)
	}
	r := &room{t: t, hub: hub.New(hub.Options{Registry: registry}), app: &app, channel: channel, complete: make(chan struct{}, 1)}
	options := &Options{Hub: r.hub, Wheel: wheel.New(time.Second), Log: log, MessagesPerSecond: 1_000_000_000}
	for i := range members {
		r.enter(options, i)
	}
	r.awaited.Store(0)
	return r
}

// enter adds a session whose deadlines nobody watches.
func (r *room) enter(o *Options, i int) {
	r.t.Helper()
	m := &occupant{room: r}
	out := &Outbox{limit: 256 << 10, line: m}
	m.session = New(o, r.app, 7, r.app.Compression && i%2 == 1, out, m)
	if refusal := m.session.Start(); refusal != nil {
		r.t.Fatal(refusal)
	}
	r.t.Cleanup(func() {
		m.ended.Store(true)
		m.receive(nil)
	})
	m.receive(r.subscribe(m.session.attached.Load().SocketID(), i))
	r.turn.End()
	r.members = append(r.members, m)
}

func (r *room) subscribe(id protocol.SocketID, i int) []byte {
	data := map[string]any{"channel": r.channel}
	var channelData *string
	if r.channel.Kind().Has(protocol.Presence) {
		text := fmt.Sprintf(`{"user_id":"user-%08d"}`, i)
		channelData, data["channel_data"] = &text, text
	}
	data["auth"] = auth.Token(pair, auth.ChannelText(id, r.channel, channelData))
	text, err := json.Marshal(map[string]any{"event": "pusher:subscribe", "data": data})
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// receive has the session read a message.
func (m *occupant) receive(message []byte) {
	m.message = message
	m.session.Serve(&m.room.turn)
}

// relay has the first of the members, as many as senders, send a message in one
// turn, and returns when everybody has got those of the others.
func (r *room) relay(senders int, message []byte) {
	for _, m := range r.members[:senders] {
		m.receive(message)
	}
	r.turn.End()
	r.await(senders * (len(r.members) - 1))
}

// await returns when so many frames have been delivered since the last call.
func (r *room) await(deliveries int) {
	if r.awaited.Add(int64(deliveries)) != 0 {
		<-r.complete
	}
}

// Next implements Socket.
func (m *occupant) Next() (content io.Reader, binary bool, err error) {
	switch {
	case m.ended.Load():
		return nil, false, io.EOF
	case m.message == nil:
		return nil, false, ErrIdle
	}
	m.content.Reset(m.message)
	m.message = nil
	return &m.content, false, nil
}

func (*occupant) Await()                     {}
func (*occupant) IsProtocolError(error) bool { return false }
func (*occupant) Drain(int64)                {}
func (*occupant) CloseNow()                  {}

// write implements line.
func (m *occupant) write(b []byte) (int, error) {
	if m.broken != "" {
		panic(m.broken)
	}
	if m.full {
		return 0, nil
	}
	if m.noting {
		m.noted = append(m.noted, b...)
	}
	frames := 0
	for rest := protocol.Wire(b); len(rest) > 0; frames++ {
		rest = rest[rest.FrameLen():]
	}
	if m.room.awaited.Add(int64(-frames)) == 0 {
		m.room.complete <- struct{}{}
	}
	return len(b), nil
}

func (*occupant) held() bool      { return false }
func (*occupant) wake(bool) error { return nil }
func (m *occupant) shutdown()     { m.ended.Store(true) }
func (*occupant) end()            {}
