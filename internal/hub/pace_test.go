package hub

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// lasting is a subscriber that makes every round last.
type lasting struct {
	took   time.Duration
	rounds []delivery
}

// delivery is one delivery: when it began, and how many events it had.
type delivery struct {
	at     time.Time
	events int
}

func (l *lasting) Deliver(w protocol.Wire) error {
	n := 0
	for rest := w; len(rest) > 0; n++ {
		rest = rest[rest.FrameLen():]
	}
	l.rounds = append(l.rounds, delivery{time.Now(), n})
	time.Sleep(l.took)
	return nil
}

func (l *lasting) Outlet() Outlet          { return l }
func (*lasting) Deflates() bool            { return false }
func (*lasting) Close(protocol.CloseError) {}

// crowd makes a channel with more than a few subscribers, one of which makes each
// round last as long as it says.
func (f *fixture) crowd(channel string, took time.Duration) *lasting {
	f.t.Helper()
	l := &lasting{}
	a, err := f.hub.Attach(f.app, l)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { a.Detach(nil) })
	if refusal := a.Subscribe(nil, SubscribeRequest{Channel: channel}); refusal != nil {
		f.t.Fatal(refusal)
	}
	for range fewSubscribers {
		f.connect().mustSubscribe(channel)
	}
	synctest.Wait()
	l.took, l.rounds = took, nil
	return l
}

func TestEventsThatComeOneByOneNeverWait(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, nil)
		l := f.crowd("c", 8*time.Millisecond)
		for range 20 {
			time.Sleep(9 * time.Millisecond) // the round before has only just ended
			start := time.Now()
			f.publish("c", "e", "")
			synctest.Wait()
			if began := l.rounds[len(l.rounds)-1].at; !began.Equal(start) {
				t.Errorf("the round began after %v", began.Sub(start))
			}
		}
		f.hub.drains.wait()
	})
}

func TestRoundsGatherWhatIsUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, nil)
		l := f.crowd("c", 4*time.Millisecond)
		// Four publishers, each of which publishes again 100 µs after the round that
		// had its event: without waiting, rounds of one and three would alternate.
		stop, data := make(chan struct{}), protocol.PayloadOfText("")
		for range 4 {
			go func() {
				for {
					f.hub.PublishInOrder(f.app, []Publication{{Channel: "c", Event: "e", Data: data}, {Channel: "nobody", Event: "e", Data: data}})
					select {
					case <-stop:
						return
					case <-time.After(100 * time.Microsecond):
					}
				}
			}()
		}
		time.Sleep(time.Second)
		close(stop)
		synctest.Wait()
		f.hub.drains.wait()
		rounds := l.rounds[len(l.rounds)/2:]
		events := 0
		for i, r := range rounds {
			events += r.events
			if i > 0 {
				if pause := r.at.Sub(rounds[i-1].at) - l.took; pause > gatherLimit {
					t.Errorf("a round began %v after the one before had ended", pause)
				}
			}
		}
		if per := float64(events) / float64(len(rounds)); per < 3.5 {
			t.Errorf("%.1f events per round, want nearly 4", per)
		}
	})
}
