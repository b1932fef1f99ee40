package hub

import (
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// keptEvents is an event log that lists what it is given.
type keptEvents struct {
	mu  sync.Mutex
	all []Accepted
}

func (k *keptEvents) Append(a Accepted) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.all = append(k.all, a)
}

// lines returns "CHANNEL EVENT DATA user=USER socket=SOCKET" of each event.
func (k *keptEvents) lines(t *testing.T) []string {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	var lines []string
	for _, a := range k.all {
		e, err := protocol.ReadEvent(a.Frame)
		if err != nil || e.Channel != a.Channel || a.App == nil {
			t.Fatalf("kept %+v, read as %+v, %v", a, e, err)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s user=%s socket=%s", a.Channel, e.Name, e.Data, e.UserID, a.SocketID))
	}
	return lines
}

// discardedEvents is an event log that only counts.
type discardedEvents struct{ n int }

func (d *discardedEvents) Append(Accepted) { d.n++ }

func history(t testing.TB, patterns ...string) apps.History {
	t.Helper()
	var h apps.History
	for _, pattern := range patterns {
		glob, ok := protocol.ParseChannelGlob(pattern)
		if !ok {
			t.Fatalf("pattern %q", pattern)
		}
		h.Channels = append(h.Channels, glob)
	}
	return h
}

func TestEventLog(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := &keptEvents{}
		f := newFixture(t, func(app *apps.App) { app.History = history(t, "p*", "cache-*", "vacant", "?server-to-user-*") })
		f.hub.events = kept
		member, other := f.connect(), f.connect()
		member.mustSubscribe("presence-room", "ann")
		member.mustSubscribe("private-x")
		other.mustSubscribe("private-x")
		var want []string
		add := func(line string) { want = append(want, line) }
		noSocket := func(line string) { add(line + " user= socket=") }

		f.publish("private-x", "a", "1")
		noSocket(`private-x a "1"`)
		f.publish("vacant", "nobody is there", "2")
		noSocket(`vacant nobody is there "2"`)
		f.publish("cache-c", "b", `{"x":"é"}`)
		noSocket(`cache-c b "{\"x\":\"é\"}"`)
		f.publish("#server-to-user-7", "d", "3")
		noSocket(`#server-to-user-7 d "3"`)
		f.hub.Publish(f.app, Publication{Channel: "private-x", Event: "e", Data: protocol.Payload(`"4"`), Except: member.a.SocketID()})
		add(fmt.Sprintf(`private-x e "4" user= socket=%s`, member.a.SocketID()))
		if refusal := member.clientEvent("presence-room", "client-f", `{"y":5}`); refusal != nil {
			t.Fatal(refusal)
		}
		add(fmt.Sprintf(`presence-room client-f "{\"y\":5}" user=ann socket=%s`, member.a.SocketID()))
		f.hub.PublishInOrder(f.app, []Publication{
			{Channel: "private-x", Event: "g", Data: protocol.Payload(`"6"`)},
			{Channel: "presence-room", Event: "h", Data: protocol.Payload(`"7"`)},
		})
		noSocket(`private-x g "6"`)
		noSocket(`presence-room h "7"`)

		f.publish("other", "unselected", "8")
		if member.clientEvent("private-other", "client-unsubscribed", "9") == nil {
			t.Error("an event on a channel that is not subscribed was accepted")
		}
		f.reconfigure(func(app *apps.App) { app.History = apps.History{} })
		f.publish("private-x", "off", "10")
		_ = member.clientEvent("private-x", "client-off", "11")
		f.reconfigure(func(app *apps.App) { app.History = history(t, "*") })
		f.publish("other", "on again", "12")
		noSocket(`other on again "12"`)
		synctest.Wait()
		if got := kept.lines(t); !reflect.DeepEqual(got, want) {
			t.Errorf("kept\n%q\nwant\n%q", got, want)
		}
	})
}

// Publishers that are held back are kept once, and everything in the order in
// which subscribers get it.
func TestEventLogHasTheOrderOfTheChannel(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		kept := &keptEvents{}
		f := newFixture(t, func(app *apps.App) { app.History = history(t, "room") })
		f.hub.events = kept
		c := f.connect()
		c.mustSubscribe("room")
		c.take()
		var publishers sync.WaitGroup
		for publisher := range 8 {
			publishers.Go(func() {
				for i := range 20 {
					f.publish("room", fmt.Sprintf("%d-%d", publisher, i), fmt.Sprintf("%040000d", i))
				}
			})
		}
		publishers.Wait()
		var delivered, logged []string
		for _, frame := range c.take() {
			delivered = append(delivered, frame.Event)
		}
		for _, a := range kept.all {
			e, err := protocol.ReadEvent(a.Frame)
			if err != nil {
				t.Fatal(err)
			}
			logged = append(logged, e.Name)
		}
		if len(delivered) != 160 || !reflect.DeepEqual(delivered, logged) {
			t.Errorf("%d delivered, %d kept:\n%v\n%v", len(delivered), len(logged), delivered, logged)
		}
	})
}

// One operation is an event for three subscribers; what differs is what the event
// log makes of its channel.
func BenchmarkPublishWithEventLog(b *testing.B) {
	for _, bm := range []struct {
		name     string
		events   EventLog
		patterns []string
	}{
		{"none", nil, []string{"my-*"}},
		{"off", &discardedEvents{}, nil},
		{"unselected", &discardedEvents{}, []string{"private-*"}},
		{"selected", &discardedEvents{}, []string{"my-*"}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			f := newFixture(b, func(app *apps.App) { app.History = history(b, bm.patterns...) })
			f.hub.events = bm.events
			f.crowded("my-channel", 3)
			p := Publication{Channel: "my-channel", Event: "my-event", Data: protocol.PayloadOfText(fmt.Sprintf("%0256d", 0))}
			b.ReportAllocs()
			for b.Loop() {
				f.hub.Publish(f.app, p)
			}
		})
	}
}
