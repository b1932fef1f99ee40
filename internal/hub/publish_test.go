package hub

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// gate is a subscriber that takes the event "held" only when it is opened, so that
// a round lasts as long as a test needs it.
type gate struct{ entered, opened chan struct{} }

func (g *gate) Deliver(w protocol.Wire) error {
	if bytes.Contains(w, []byte(`"held"`)) {
		close(g.entered)
		<-g.opened
	}
	return nil
}

func (g *gate) Outlet() Outlet { return g }
func (g *gate) Deflates() bool { return false }

func (g *gate) Close(protocol.CloseError) {}

// holdRound begins a round on the channel and returns how to let it end.
func (f *fixture) holdRound(channel string) (release func()) {
	f.t.Helper()
	g := &gate{entered: make(chan struct{}), opened: make(chan struct{})}
	a, err := f.hub.Attach(f.app, g)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { a.Detach(nil) })
	if refusal := a.Subscribe(nil, SubscribeRequest{Channel: channel}); refusal != nil {
		f.t.Fatal(refusal)
	}
	published := make(chan struct{})
	go func() { // the publisher runs the round
		defer close(published)
		f.publish(channel, "held", "")
	}()
	<-g.entered
	return func() {
		close(g.opened)
		<-published
	}
}

func (f *fixture) pending(channel protocol.ChannelName) int {
	s := f.hub.tenant(f.app).shard(channel)
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.channels[channel].pending; b != nil {
		return b.bytes
	}
	return 0
}

func TestPublishersAreHeldBack(t *testing.T) {
	const publishers, size = 200, 10_000
	t.Run("however many there are, no more than the limit and one frame is pending", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			reader := f.connect()
			reader.mustSubscribe("c")
			release := f.holdRound("c")
			var work sync.WaitGroup
			for range publishers {
				work.Go(func() { f.publish("c", "e", strings.Repeat("x", size)) })
			}
			synctest.Wait()
			if got := f.pending("c"); got <= maxPendingBytes || got > maxPendingBytes+size+100 {
				t.Errorf("%d bytes are pending, want one frame over %d", got, maxPendingBytes)
			}
			release()
			work.Wait()
			if got := len(reader.take()); got != publishers+2 {
				t.Errorf("%d frames arrived, want the success, the held event and %d", got, publishers)
			}
		})
	})
	t.Run("a cached event is the one that is in order, not one that waits", func(t *testing.T) {
		inBubble(t, func(t *testing.T) {
			f := newFixture(t, nil)
			release := f.holdRound("cache-a")
			var work sync.WaitGroup
			work.Go(func() {
				for f.pending("cache-a") <= maxPendingBytes {
					f.publish("cache-a", "in order", strings.Repeat("x", size))
				}
				f.publish("cache-a", "waits", "1")
			})
			synctest.Wait()
			late := f.connect()
			late.mustSubscribe("cache-a")
			if frames := late.take(); len(frames) != 2 || frames[1].Event != "in order" {
				t.Errorf("the late subscriber got %d frames", len(frames))
			}
			release()
			work.Wait()
			expectEvents(t, late, "waits 1")
		})
	})
}

func TestDeliveriesCountWhatWasHandedOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, nil)
		excluded := f.connect()
		excluded.mustSubscribe("c")
		release := f.holdRound("c") // two deliveries
		f.publish("c", "e", "1")    // two
		f.hub.Publish(f.app, Publication{
			Channel: "c", Event: "e", Data: protocol.PayloadOfText("2"), Except: excluded.a.SocketID(),
		}) // one
		release()
		synctest.Wait()
		if n := f.hub.tenant(f.app).stats.delivered.Load(); n != 5 {
			t.Errorf("%d deliveries are counted, want 5", n)
		}
	})
}

func TestEveryReasonHasACounter(t *testing.T) {
	if n := len(protocol.Reasons); n != reasonCount {
		t.Errorf("%d reasons, %d counters", n, reasonCount)
	}
}

// §7.4: events of one batch reach a connection in their order, also on several
// channels, of few subscribers and of many, while others publish and join.
func TestPublishInOrderAcrossChannels(t *testing.T) {
	const batches, size = 20, 10
	for _, crowd := range []int{0, fewSubscribers + 10} {
		t.Run(fmt.Sprintf("%d more subscribers", crowd), func(t *testing.T) {
			f := newFixture(t, nil)
			var channels []string
			reader := f.connect()
			for i := range 4 {
				channels = append(channels, fmt.Sprintf("c%d", i))
				reader.mustSubscribe(channels[i])
				for range crowd {
					f.connect().mustSubscribe(channels[i])
				}
			}
			var others sync.WaitGroup
			for _, channel := range channels {
				others.Go(func() {
					for n := range 60 {
						f.publish(channel, "noise", fmt.Sprint(n))
					}
				})
			}
			for b := range batches {
				var events []Publication
				for i := range size {
					events = append(events, Publication{
						Channel: protocol.ChannelName(channels[(b+i)%len(channels)]), Event: "e",
						Data: protocol.PayloadOfText(fmt.Sprint(b*size + i)),
					})
				}
				f.hub.PublishInOrder(f.app, events)
			}
			others.Wait()
			f.hub.drains.wait()
			checkBatches(t, reader, batches, size)
		})
	}
}
