//go:build !race

// The race detector makes pools forget at random, and with it the counts.

package hub

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// An event of a backend takes memory for its frame, and for a compressed one
// where some take that, however many subscribers there are. Both have to be new:
// connections without room keep them. The way of client events is counted in the
// package session, from where they are read.
func TestAllocations(t *testing.T) {
	const (
		frame    = 1
		twin     = 1 // the compressed frame
		followed = 1 // what a publisher waits for, whose next event is for another channel
	)
	compressed := func(app *apps.App) { app.Compression = true }
	for _, tt := range []struct {
		name    string
		channel protocol.ChannelName
		subs    int
		change  func(*apps.App)
		exclude bool
		inOrder bool
		want    int
	}{
		{"nobody", "my-channel", 0, nil, false, false, frame},
		{"a few", "my-channel", 3, nil, false, false, frame},
		{"without the connection that caused it", "my-channel", 3, nil, true, false, frame},
		{"presence channel", "presence-c", 3, nil, false, false, frame},
		{"presence channel, without the connection that caused it", "presence-c", 50, nil, true, false, frame},
		{"cache channel: the event that is kept", "cache-c", 3, nil, false, false, frame + 1},
		{"a goroutine for the round", "my-channel", 100, nil, true, false, frame},
		{"several goroutines for the round", "my-channel", 3000, nil, true, false, frame},
		{"some take compressed frames", "my-channel", 100, compressed, false, false, frame + twin},
		{"in order with one for another channel", "my-channel", 3, nil, false, true, 2 * frame},
		{"the same with a goroutine for the round", "my-channel", 100, nil, false, true, 2*frame + followed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFixture(t, tt.change)
			p := Publication{Channel: tt.channel, Event: "my-event", Data: protocol.PayloadOfText(strings.Repeat("text", 300))}
			if first := f.crowded(tt.channel, tt.subs); tt.exclude {
				p.Except = first.SocketID()
			}
			publish := func() { f.hub.Publish(f.app, p) }
			if tt.inOrder {
				both := []Publication{p, {Channel: "another", Event: p.Event, Data: p.Data}}
				publish = func() { f.hub.PublishInOrder(f.app, both) }
			}
			stats := &f.hub.tenant(f.app).stats
			before := stats.delivered.Load()
			publish()
			f.hub.drains.wait()
			if tt.exclude {
				tt.subs--
			}
			if n := stats.delivered.Load() - before; n < uint64(tt.subs) {
				t.Fatalf("%d deliveries to %d", n, tt.subs)
			}
			if got := allocations(func() { publish(); f.hub.drains.wait() }); got != tt.want {
				t.Errorf("%d allocations, want %d", got, tt.want)
			}
		})
	}
	for name, history := range map[string]apps.History{
		"the event log of an app without history": {},
		"a channel that is not kept":              history(t, "other-*", "another-?"),
		"a channel that is kept":                  history(t, "my-*"),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, func(app *apps.App) { app.History = history })
			f.hub.events = &discardedEvents{}
			f.crowded("my-channel", 3)
			p := Publication{Channel: "my-channel", Event: "my-event", Data: protocol.PayloadOfText("text")}
			if got := allocations(func() { f.hub.Publish(f.app, p) }); got != frame {
				t.Errorf("%d allocations, want %d", got, frame)
			}
		})
	}
	t.Run("a round that waits for more", func(t *testing.T) {
		c := &channel{shard: &shard{}, pace: &pace{full: make(chan struct{}, 1)}}
		wait := func() {
			c.pace.want, c.pace.took, c.pace.ended = 2, 40*time.Microsecond, time.Now()
			c.gather()
		}
		if got := allocations(wait); got != 0 {
			t.Errorf("%d allocations, want 0", got)
		}
	})
}

// allocations is testing.AllocsPerRun on two processors, so that long rounds are
// shared.
func allocations(f func()) int {
	const runs = 200
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for range 10 { // what is used again later has to be made once
		f()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return int((after.Mallocs - before.Mallocs) / runs)
}
