package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// busy is a subscriber that has no room for the first so many deliveries of the
// event "e".
type busy struct {
	client
	refuse int
}

func (b *busy) Deliver(w protocol.Wire) error {
	b.mu.Lock()
	full := b.refuse > 0 && len(b.frames) > 0
	if full {
		b.refuse--
	}
	b.mu.Unlock()
	if full {
		return ErrBusy
	}
	return b.client.Deliver(w)
}

// Outlet implements Subscriber.
func (b *busy) Outlet() Outlet { return b }

// borrower is busy, and is given bytes that the hub uses again.
type borrower struct{ busy }

func (b *borrower) DeliverCopy(w []byte) error { return b.Deliver(slices.Clone(w)) }

func (b *borrower) Outlet() Outlet { return b }

// What is put together for a sender without its own event is kept for it while it
// has no room, and nobody else's is put in its place.
func TestBusySendersGetWhatIsTheirs(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := newFixture(t, nil)
		senders := make([]*borrower, 3)
		for i := range senders {
			senders[i] = &borrower{busy{client: client{t: t}}}
			f.attach(senders[i], &senders[i].client)
			senders[i].mustSubscribe("private-a")
		}
		turn := new(Turn)
		for i, s := range senders {
			s.refuse = 3
			if refusal := s.clientEventIn(turn, "private-a", "client-e", fmt.Sprint(i)); refusal != nil {
				t.Fatal(refusal)
			}
		}
		turn.End()
		for i, want := range []string{"client-e 1, client-e 2", "client-e 0, client-e 2", "client-e 0, client-e 1"} {
			if got := strings.Join(senders[i].events()[1:], ", "); got != want {
				t.Errorf("sender %d got %s, want %s", i, got, want)
			}
		}
	})
}

func TestBusyConnectionsGetPatience(t *testing.T) {
	for _, c := range []struct {
		name   string
		refuse int
		took   time.Duration
		code   int
	}{
		{"one that makes room in time stays and gets the event", 10, 11 * patienceStep, 0},
		{"one that does not is closed with 4100", 1_000_000, patience, 4100},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := newFixture(t, nil)
				b := &busy{client: client{t: t}, refuse: c.refuse}
				a, err := f.hub.Attach(f.app, b)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { a.Detach(nil) })
				b.a = a
				b.mustSubscribe("c")
				other := f.connect()
				other.mustSubscribe("c")
				other.take()
				start := time.Now()
				go f.publish("c", "e", "1")
				synctest.Wait()
				if got := other.events(); len(got) != 1 || time.Since(start) != 0 {
					t.Errorf("the other got %q after %v", got, time.Since(start))
				}
				f.publish("c", "e", "2")
				f.hub.drains.wait()
				if took := time.Since(start); took < c.took-patienceStep || took > 2*patience {
					t.Errorf("took %v, want about %v", took, c.took)
				}
				if code := b.closedWith(); code != c.code {
					t.Errorf("closed with %d, want %d", code, c.code)
				}
				if got := len(b.take()); (c.code == 0) != (got == 3) {
					t.Errorf("it got %d frames", got)
				}
			})
		})
	}
}
