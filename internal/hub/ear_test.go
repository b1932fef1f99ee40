package hub

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// ear is a relay that notes what it is told.
type ear struct {
	mu      sync.Mutex
	said    []string
	events  []Relayed
	hold    chan struct{} // Await for holdsAt returns when it is closed; nil: at once
	holdsAt Barrier
	asked   int // to resync
}

func (e *ear) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.said = append(e.said, fmt.Sprintf(format, args...))
}

// take returns what was said since the last take.
func (e *ear) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	said := e.said
	e.said = nil
	return said
}

// Publish implements Relay.
func (e *ear) Publish(r Relayed) {
	e.note("event %s", r.Channel)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, r)
}

// Interest implements Relay.
func (e *ear) Interest(_ apps.ID, channel protocol.ChannelName, on bool) {
	e.note("interest %s %v", channel, on)
}

// Changed implements Relay.
func (e *ear) Changed(k ShareKey) {
	e.note("changed %s", strings.TrimSpace(fmt.Sprint(
		[...]string{"", "channel", "member", "user", "app"}[k.Kind], " ", k.Channel, " ", k.UserID)))
}

// Terminate implements Relay.
func (e *ear) Terminate(_ apps.ID, userID string) { e.note("terminate %s", userID) }

// Await implements Relay.
func (e *ear) Await(b Barrier) {
	e.note("await %d", b)
	e.mu.Lock()
	hold, at := e.hold, e.holdsAt
	e.mu.Unlock()
	if hold != nil && b&at != 0 {
		<-hold
	}
}

// Resync implements Resyncer.
func (e *ear) Resync() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
}

// holdBack makes Await for Told wait until release is called.
func (e *ear) holdBack(at Barrier) (release func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hold, e.holdsAt = make(chan struct{}), at
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		close(e.hold)
		e.hold = nil
	}
}

func newHeard(t *testing.T, change func(*apps.App)) (*fixture, *ear) {
	t.Helper()
	e := &ear{}
	return newRelayedFixture(t, change, e), e
}

func expectSaid(t *testing.T, e *ear, want ...string) {
	t.Helper()
	if got := e.take(); !slices.Equal(got, want) {
		t.Errorf("the relay heard\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func channelKey(channel protocol.ChannelName) ShareKey {
	return ShareKey{Kind: ShareOfChannel, App: "1", Channel: channel}
}

func memberKey(channel protocol.ChannelName, user string) ShareKey {
	return ShareKey{Kind: ShareOfMember, App: "1", Channel: channel, UserID: user}
}

func userKey(user string) ShareKey { return ShareKey{Kind: ShareOfUser, App: "1", UserID: user} }

func eventFrame(channel protocol.ChannelName, name, data string) protocol.Wire {
	return protocol.Event{Name: name, Channel: channel, Data: protocol.PayloadOfText(data)}.Encode()
}
