//go:build !race

// The race detector makes pools forget at random, and with it the counts.

package session

import (
	"log/slog"
	"runtime"
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// A client event takes memory for the frame that goes out, from the message that
// is read to the last write, however many subscribers there are and whoever runs
// the round. The frame has to be new: connections without room keep it.
func TestAllocations(t *testing.T) {
	const (
		event    = `{"event":"client-a-name-of-more-than-32-bytes-which-no-stack-has-room-for","channel":"CHANNEL","data":DATA}`
		object   = `{"on":true,"list":[1,2,3]}`
		frame    = 1 // what goes out
		together = 1 // several frames in one piece: what leaves of a turn of several senders
		twin     = 1 // the compressed frame
		name     = 1 // of the event in a webhook, which outlives the frame
		payload  = 1 // data that does not stand in the frame as webhooks get it
		repair   = 1 // of halves of surrogate pairs: no client of today's libraries sends any
	)
	verbatim := func(app *apps.App) { app.ClientEventsVerbatim = true }
	heard := func(app *apps.App) {
		app.Webhooks = []apps.Endpoint{{Events: []string{"channel_occupied"}}, {Events: []string{"client_event"}}}
	}
	for _, tt := range []struct {
		name    string
		channel protocol.ChannelName
		members int
		senders int
		data    string
		change  func(*apps.App)
		want    int
	}{
		{"private channel", "private-room", 2, 1, object, nil, frame},
		{"data is a string", "private-room", 10, 1, `"` + strings.Repeat(`{\"a\":1}`, 100) + `"`, nil, frame},
		{"data is a string with half a character", "private-room", 10, 1, `"\ud800"`, nil, frame + repair},
		{"data verbatim", "private-room", 10, 1, object, verbatim, frame},
		{"presence channel, with the sender's id", "presence-room", 10, 1, object, nil, frame},
		{"as many as the sender's goroutine serves", "presence-room", 64, 1, object, nil, frame},
		{"a goroutine for the round", "private-room", 100, 1, object, nil, frame},
		{"several goroutines for the round", "private-room", 2000, 1, object, nil, frame},
		{"an app whose webhooks want other things", "private-room", 10, 1, object, func(app *apps.App) {
			app.Webhooks = []apps.Endpoint{{Events: []string{"channel_occupied"}}}
		}, frame},
		{"an app with webhooks of client events", "private-room", 10, 1, object, heard, frame + name},
		{"the same with data verbatim", "private-room", 10, 1, object, func(app *apps.App) { verbatim(app); heard(app) }, frame + name + payload},
		{"two senders at the same time, each excluded from its own", "presence-room", 10, 2, object, nil, 2*frame + together},
		{"five", "private-room", 64, 5, object, nil, 5*frame + together},
		{"some take compressed frames", "private-room", 10, 1, `"` + strings.Repeat("text", 300) + `"`, func(app *apps.App) {
			app.Compression = true
		}, frame + twin},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t, tt.channel, tt.members, slog.New(slog.DiscardHandler), tt.change)
			message := []byte(strings.NewReplacer("CHANNEL", string(tt.channel), "DATA", tt.data).Replace(event))
			r.relay(tt.senders, message)
			if got := allocations(func() { r.relay(tt.senders, message) }); got != tt.want {
				t.Errorf("%d allocations, want %d", got, tt.want)
			}
		})
	}
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
