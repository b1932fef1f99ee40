package bench

import (
	"testing"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// recorder is an engine that counts the frames written.
type recorder struct {
	engine

	frames int
}

func (e *recorder) write(_ *client, b []byte) {
	for len(b) > 0 {
		head := 2 // of masked frames below 126 bytes, which subscriptions are
		b = b[head+len(maskKey)+int(b[1]&0x7f):]
		e.frames++
	}
}

func TestSubscriptionsKeepWithinTheWindow(t *testing.T) {
	const channels = 5*subscribeWindow + 7
	c := &client{}
	for i := range channels {
		c.channels = append(c.channels, channelName(i))
	}
	e := &recorder{}
	f := newFleet(&Options{Connecting: 1, Key: auth.Key{Key: "k", Secret: "s"}}, []*target{{}}, []*client{c}, &silence{}, nil)
	f.engine = e
	f.subscribe(c)
	if e.frames != subscribeWindow {
		t.Fatalf("%d subscriptions at first, want %d", e.frames, subscribeWindow)
	}
	for confirmed := 1; confirmed <= channels; confirmed++ {
		f.control(c, []byte(protocol.EventSubscriptionSucceeded), nil, 1)
		open := e.frames - confirmed
		if open > subscribeWindow || open == 0 && e.frames < channels {
			t.Fatalf("%d subscriptions open after %d were confirmed", open, confirmed)
		}
	}
	select {
	case <-f.allUp:
	default:
		t.Error("the fleet is not up")
	}
	if e.frames != channels || c.state != ready {
		t.Errorf("%d subscriptions sent, state %d", e.frames, c.state)
	}
}
