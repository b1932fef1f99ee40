package hub

import (
	"fmt"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/strictjson"
)

// quietClient is a subscriber that wants nothing.
type quietClient struct {
	quiet
	deflates bool
}

func (c quietClient) Outlet() Outlet          { return c.quiet }
func (c quietClient) Deflates() bool          { return c.deflates }
func (quietClient) Close(protocol.CloseError) {}

// crowded attaches n subscribers of the channel, every other of which takes
// compressed frames if the app has them, and returns the first.
func (f *fixture) crowded(channel protocol.ChannelName, n int) *Attachment {
	f.t.Helper()
	var first *Attachment
	for i := range n {
		a, err := f.hub.Attach(f.app, quietClient{deflates: f.app.Compression && i%2 == 1})
		if err != nil {
			f.t.Fatal(err)
		}
		f.t.Cleanup(func() { a.Detach(nil) })
		r := SubscribeRequest{Channel: string(channel)}
		if channel.Kind().Has(protocol.Presence) {
			data := fmt.Sprintf(`{"user_id":"user-%08d"}`, i)
			r.ChannelData = &data
		}
		if channel.Kind().NeedsAuth() {
			r.Auth = auth.Token(pair, auth.ChannelText(a.SocketID(), channel, r.ChannelData))
		}
		if refusal := a.Subscribe(nil, r); refusal != nil {
			f.t.Fatal(refusal)
		}
		if first == nil {
			first = a
		}
	}
	f.hub.drains.wait()
	return first
}

// One operation is an event and its delivery to everybody.
func BenchmarkPublish(b *testing.B) {
	for _, subs := range []int{3, 64, 100, 1000, 5000} {
		b.Run(fmt.Sprintf("subs=%d", subs), func(b *testing.B) {
			f := newFixture(b, nil)
			f.crowded("my-channel", subs)
			p := Publication{Channel: "my-channel", Event: "my-event", Data: protocol.PayloadOfText(fmt.Sprintf("%0256d", 0))}
			b.ReportAllocs()
			for b.Loop() {
				f.hub.Publish(f.app, p)
				f.hub.drains.wait()
			}
		})
	}
}

// One operation is what a turn of several client events of as many senders on
// one channel causes.
func BenchmarkClientEvent(b *testing.B) {
	for _, subs := range []int{10, 100} {
		for _, events := range []int{1, 8} {
			b.Run(fmt.Sprintf("subs=%d/events=%d", subs, events), func(b *testing.B) {
				f := newFixture(b, nil)
				f.hub.notices = DiscardNotices{}
				first := f.crowded("presence-room", subs)
				senders := first.subscriptions.list[0].channel.roster.chunks[0].subs[:events]
				frame := protocol.Frame{
					Event:   []byte("client-typing"),
					Channel: strictjson.Value(`"presence-room"`), Data: strictjson.Value(fmt.Sprintf(`{"text":"%0256d"}`, 0)),
				}
				turn := new(Turn)
				b.ReportAllocs()
				for b.Loop() {
					for _, s := range senders {
						if refusal := s.to.ClientEvent(turn, frame); refusal != nil {
							b.Fatal(refusal)
						}
					}
					turn.End()
					f.hub.drains.wait()
				}
			})
		}
	}
}
