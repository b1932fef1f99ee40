package cluster

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// room is the channel of which all listeners and visitors are members.
const room = "presence-room"

// events have private channels, so that clients can send on them.
func eventChannel(n int) string { return fmt.Sprint("private-events-", n) }

const eventChannels = 4

// stream is what one publisher sends on one channel.
type stream struct{ publisher, channel string }

// number is the data of an event.
type number struct {
	Publisher string `json:"p"`
	N         int    `json:"n"`
	Sent      int64  `json:"t"` // by the clock of this process, in ns
}

// listener is a client that is a member of the room and hears one channel, on one
// node, for as long as that lives, and again on its successor.
type listener struct {
	user    string
	channel string
	node    *node

	mu      sync.Mutex
	session *session // nil while it is not on both channels
	faults  []string
	took    []time.Duration // what events took from a client of the same node
}

// session is what a listener sees on one connection.
type session struct {
	since   time.Time // when it was on both channels
	members map[string]bool
	heard   map[stream][]int
}

func (l *listener) run(ctx context.Context) {
	for ctx.Err() == nil {
		process, changed := l.node.now()
		if process == nil {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		err := l.listen(ctx, process.Public)
		l.mu.Lock()
		l.session = nil
		l.mu.Unlock()
		_ = err // the connection's end is what the tests are about
		pause(ctx, 100*time.Millisecond)
	}
}

// pause waits, as clients do before they try again.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// listen returns when the connection has ended.
func (l *listener) listen(ctx context.Context, base string) error {
	c, err := dial(ctx, base)
	if err != nil {
		return err
	}
	defer func() { _ = c.CloseNow() }()
	for _, channel := range []string{l.channel, room} {
		if err := c.ask(ctx, channel, l.user); err != nil {
			return err
		}
	}
	s := &session{heard: make(map[stream][]int)}
	for joined := 0; ; {
		f, err := c.next(ctx)
		if err != nil {
			return err
		}
		if f.Event == "pusher_internal:subscription_succeeded" {
			joined++
		}
		l.mu.Lock()
		if err := s.see(f); err != nil {
			l.faults = append(l.faults, err.Error())
		}
		l.time(f)
		if joined == 2 && l.session == nil {
			s.since = time.Now()
			l.session = s
		}
		l.mu.Unlock()
	}
}

// see takes a frame and reports what cannot be.
func (s *session) see(f frame) error {
	switch f.Event {
	case "pusher_internal:subscription_succeeded":
		if f.Channel != room {
			return nil
		}
		members, err := f.members()
		s.members = members
		return err
	case "pusher_internal:member_added", "pusher_internal:member_removed":
		user, err := f.user()
		if err != nil {
			return err
		}
		added := f.Event == "pusher_internal:member_added"
		if s.members[user] == added {
			return fmt.Errorf("%s of %s comes twice", f.Event, user)
		}
		s.members[user] = added
		if !added {
			delete(s.members, user)
		}
		return nil
	case "n", "client-n":
		return s.hear(f)
	}
	return fmt.Errorf("unexpected frame %s on %q: %s", f.Event, f.Channel, f.Data)
}

// hear takes an event and checks that it follows those before it.
func (s *session) hear(f frame) error {
	var n number
	if err := f.into(&n); err != nil {
		return err
	}
	of := stream{n.Publisher, f.Channel}
	heard := s.heard[of]
	s.heard[of] = append(heard, n.N)
	if len(heard) == 0 || heard[len(heard)-1] < n.N {
		return nil
	}
	if slices.Contains(heard, n.N) {
		return fmt.Errorf("%s: event %d of %s comes twice, %d after it came first", f.Channel, n.N, n.Publisher, heard[len(heard)-1]-n.N)
	}
	return fmt.Errorf("%s: event %d of %s comes after %d", f.Channel, n.N, n.Publisher, heard[len(heard)-1])
}

// time notes how long an event took that needed nothing but the node.
func (l *listener) time(f frame) {
	var n number
	if f.Event == "client-n" && f.into(&n) == nil && n.Publisher == "client-"+l.node.name {
		l.took = append(l.took, time.Since(time.Unix(0, n.Sent)))
	}
}

// times returns what events have taken since the last call.
func (l *listener) times() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	took := l.took
	l.took = nil
	return took
}

// view is what a listener knows.
type view struct {
	since   time.Time
	members map[string]bool
	heard   map[stream]map[int]bool
}

// view returns what the listener knows; ok is false while it is not connected.
func (l *listener) view() (v view, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session == nil {
		return v, false
	}
	v = view{since: l.session.since, members: maps.Clone(l.session.members), heard: make(map[stream]map[int]bool)}
	for of, numbers := range l.session.heard {
		v.heard[of] = make(map[int]bool, len(numbers))
		for _, n := range numbers {
			v.heard[of][n] = true
		}
	}
	return v, true
}

// forget drops what was heard so far, which was checked.
func (l *listener) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != nil {
		for of, numbers := range l.session.heard {
			l.session.heard[of] = numbers[len(numbers)-1:]
		}
	}
}

// complaints returns what could not be, and forgets it.
func (l *listener) complaints() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	faults := l.faults
	l.faults = nil
	return faults
}
