package hub

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// buggy is a subscriber with a bug, which appears when its event is delivered or
// when it is closed.
type buggy struct {
	client
	event   string
	closing bool
	stacks  []string // that it was told of
}

func (b *buggy) Deliver(w protocol.Wire) error {
	if b.event != "" && strings.Contains(string(w), `"`+b.event+`"`) {
		panic("a bug in delivering")
	}
	return b.client.Deliver(w)
}

func (b *buggy) Close(e protocol.CloseError) {
	if b.closing {
		panic("a bug in closing")
	}
	b.client.Close(e)
}

// Outlet implements Subscriber.
func (b *buggy) Outlet() Outlet { return b }

// breakable is a buggy subscriber that is told of its bugs.
type breakable struct{ buggy }

// Panicked implements Breakable.
func (b *breakable) Panicked(_ any, stack []byte) { b.stacks = append(b.stacks, string(stack)) }

func (b *breakable) Outlet() Outlet { return &b.buggy }

func (f *fixture) attach(s Subscriber, c *client) {
	f.t.Helper()
	a, err := f.hub.Attach(f.app, s)
	if err != nil {
		f.t.Fatal(err)
	}
	c.t, c.a = f.t, a
	f.t.Cleanup(func() { a.Detach(nil) })
}

func (f *fixture) panics(where PanicPlace) uint64 {
	for i, place := range PanicPlaces {
		if place == where {
			return f.hub.tenant(f.app).stats.panics[i].Load()
		}
	}
	return 0
}

func TestPanicOfOneSubscriber(t *testing.T) {
	for _, others := range []int{2, 2 * fewSubscribers, parallelChunks*chunkSize + 1} {
		t.Run(fmt.Sprintf("in a round for %d others", others), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFixture(t, nil)
				bad := &buggy{event: "e"}
				f.attach(bad, &bad.client)
				bad.mustSubscribe("c")
				all := make([]*client, others)
				for i := range all {
					all[i] = f.connect()
					all[i].mustSubscribe("c")
					all[i].take()
				}
				f.publish("c", "e", "1")
				f.publish("c", "f", "2")
				for i, c := range all {
					if got := strings.Join(c.events(), ", "); got != "e 1, f 2" {
						t.Fatalf("client %d got %s", i, got)
					}
				}
				if code := bad.closedWith(); code != protocol.CodeServerError {
					t.Errorf("closed with %d", code)
				}
				if n := f.panics(PanicInDelivery); n != 1 {
					t.Errorf("%d panics counted", n)
				}
			})
		})
	}
	t.Run("while it is greeted, under the shard's lock", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			bad := &buggy{event: protocol.EventSubscriptionSucceeded}
			f.attach(bad, &bad.client)
			bad.mustSubscribe("presence-c", "1")
			good := f.connect()
			good.mustSubscribe("presence-c", "2")
			bad.a.Detach(nil)
			if got := f.hub.Users(f.app, "presence-c"); len(got) != 1 || bad.closedWith() != protocol.CodeServerError {
				t.Errorf("members %q, closed with %d", got, bad.closedWith())
			}
		})
	})
	t.Run("that knows how to end without its outlet is told of the stack", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			bad := &breakable{buggy{event: "e"}}
			f.attach(bad, &bad.client)
			bad.mustSubscribe("c")
			f.publish("c", "e", "1")
			if len(bad.stacks) != 1 || !strings.Contains(bad.stacks[0], "(*buggy).Deliver") || bad.closedWith() != 0 {
				t.Errorf("told of %q, closed with %d", bad.stacks, bad.closedWith())
			}
		})
	})
	t.Run("that is closed as a slow consumer", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			bad, good := &breakable{buggy{closing: true}}, f.connect()
			f.attach(bad, &bad.client)
			bad.mustSubscribe("c")
			good.mustSubscribe("c")
			good.take()
			bad.slow = true
			f.publish("c", "e", "1")
			if got := good.events(); len(got) != 1 || len(bad.stacks) != 1 {
				t.Errorf("the other got %q, the bad one was told of %d panics", got, len(bad.stacks))
			}
		})
	})
}

// A bug that is no connection's costs the event, not the channel: it is logged,
// whoever waits goes on, and the next event is delivered.
func TestPanicOfARound(t *testing.T) {
	for _, others := range []int{2, 2 * fewSubscribers, parallelChunks*chunkSize + 1} {
		t.Run(fmt.Sprint("for ", others), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				var log testkit.LogCapture
				f := newFixture(t, nil)
				f.hub.log = log.Logger()
				var first *client
				for range others {
					c := f.connect()
					c.mustSubscribe("c")
					if first == nil {
						first = c
						first.take()
					}
				}
				subs := first.a.subscriptions.list[0].channel.roster.chunks[0].subs
				second := subs[1]
				subs[1] = nil
				f.hub.PublishInOrder(f.app, []Publication{
					{Channel: "c", Event: "e", Data: protocol.PayloadOfText("1")}, {Channel: "other", Event: "e", Data: protocol.PayloadOfText("1")},
				})
				synctest.Wait()
				subs[1] = second
				f.publish("c", "f", "2")
				if got := strings.Join(first.events(), ", "); got != "e 1, f 2" {
					t.Errorf("the first got %s", got)
				}
				if lines := log.Find("delivery round panicked"); len(lines) != 1 || !strings.Contains(lines[0].Attrs["stack"], "(*part).deliver") {
					t.Errorf("logged %s", log.String())
				}
				if n := f.panics(PanicInRound); n != 1 {
					t.Errorf("%d panics counted", n)
				}
			})
		})
	}
}
