package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var clientEventsScenario = Scenario{
	Name:     "clientevents",
	Summary:  "Members of private channels that send events to one another",
	Defaults: defaults(func(o *Options) { o.Connections = 100 }),
	Flags:    []string{"connections", "channels", "size", "rate", "in-flight", "floor"},
	setup: func(o *Options) string {
		return fmt.Sprintf("%s × %d members, %d bytes, %s", plural(o.Channels, "private channel"), o.Connections/o.Channels, o.Size, o.loop("events"))
	},
	connections: func(o *Options) int { return o.Connections },
	check: func(o *Options) error {
		switch {
		case o.Connections/o.Channels < 2:
			return errors.New("--connections must be at least 2 for each channel")
		case o.Connections%o.Channels != 0:
			return errors.New("--connections must be a multiple of --channels")
		}
		return nil
	},
	run: runClientEvents,
}

const clientEventChannel = "private-load"

// clientEventChannelName returns the name of a channel; where there is one, it has
// no number.
func clientEventChannelName(o *Options, channel int) protocol.ChannelName {
	if o.Channels == 1 {
		return clientEventChannel
	}
	return protocol.ChannelName(clientEventChannel + "-" + strconv.Itoa(channel))
}

// clientEvents sends on the channels in turns, and on each from its members in
// turns, from inside the engine. Each event has to reach all other members.
// Connections of a channel are next to one another.
type clientEvents struct {
	fleet    *fleet
	channels int
	members  int  // of each channel
	closed   bool // loop

	// touched only inside the engine
	frames       []*stampedFrame // by channel
	find         stampFinder
	tallies      []tally
	flight       *flight
	latency      latency
	crossing     *crossing
	since, until int64
	counts       counts
	sent         uint64
	stopped      bool
}

func newClientEvents(o *Options) *clientEvents {
	data := newEventData(o.Size)
	e := &clientEvents{
		channels: o.Channels, members: o.Connections / o.Channels, closed: o.Rate == 0,
		find:     data.finder(),
		tallies:  make([]tally, o.Connections),
		latency:  newLatency(),
		crossing: newCrossing(len(o.URLs)),
	}
	for channel := range o.Channels {
		before := `{"event":"client-tick","channel":"` + string(clientEventChannelName(o, channel)) + `","data":"`
		payload := data.append([]byte(before), 0, 0)
		e.frames = append(e.frames, newStampedFrame(append(payload, `"}`...), data, len(before)))
	}
	e.flight = newFlight(e.members-1, func() {
		if e.closed {
			e.send(now())
		}
	})
	return e
}

// place tells where an event is sent: on which channel, and in which turn of it.
func (e *clientEvents) place(number uint64) (channel int, turn uint64) {
	return int(number % uint64(e.channels)), number / uint64(e.channels)
}

// sender returns the connection whose turn it is.
func (e *clientEvents) sender(channel int, turn uint64) *client {
	return e.fleet.clients[channel*e.members+int(turn%uint64(e.members))]
}

// send makes the next member send the next event.
func (e *clientEvents) send(due int64) {
	if e.stopped {
		return
	}
	channel, turn := e.place(e.sent)
	frame := e.frames[channel].with(due, e.sent)
	e.sent++
	e.fleet.write(e.sender(channel, turn), frame)
}

func (e *clientEvents) event(c *client, msg []byte, at int64) {
	sent, number, ok := e.find.find(msg)
	channel, turn := e.place(number)
	members, member := uint64(e.members), uint64(c.index%e.members)
	if !ok || number >= e.sent || c.index/e.members != channel || turn%members == member {
		e.counts.foreign++
		return
	}
	// A member's stream is without its own events: turns less those before this one.
	own := (turn + members - 1 - member) / members
	if !e.tallies[c.index].mark(turn - own) {
		e.counts.duplicates++
		return
	}
	e.counts.deliveries++
	crossed := e.crossing != nil && e.sender(channel, turn).target != c.target
	if crossed {
		e.counts.crossed++
	}
	if sent >= e.since && sent < e.until {
		e.latency.add(at - sent)
		if e.crossing != nil {
			e.crossing.add(at-sent, crossed)
		}
	}
	e.flight.arrived(number)
}

// control ignores the protocol's own events.
func (e *clientEvents) control(*client, []byte, []byte, int64) {}

func (e *clientEvents) expected() uint64 { return e.sent * uint64(e.members-1) }

func runClientEvents(ctx context.Context, r *run) error {
	e := newClientEvents(r.o)
	clients := make([]*client, r.o.Connections)
	for i := range clients {
		clients[i] = &client{channels: []protocol.ChannelName{clientEventChannelName(r.o, i/e.members)}}
	}
	f := newFleet(r.o, r.targets, clients, e, nil)
	e.fleet = f
	defer f.close()
	if err := f.open(ctx, r.o); err != nil {
		return err
	}
	w, err := r.loadClientEvents(ctx, f, e)
	if err != nil {
		return err
	}
	r.cost(w, float64(w.deliveries())/float64(e.members-1))
	f.engine.do(func() {
		r.result.Figures = append(r.result.Figures, e.latency.figures("latency")...)
		r.crossingFigures(e.crossing, w)
		r.account(f, e.counts, e.sent, e.expected())
	})
	return nil
}

func (r *run) loadClientEvents(ctx context.Context, f *fleet, e *clientEvents) (w window, err error) {
	if e.closed {
		f.engine.post(func() {
			for range r.o.InFlight {
				e.send(now())
			}
		})
	} else {
		defer pacing(ctx, r.o.Rate, func(due int64) { f.engine.do(func() { e.send(due) }) })()
	}
	w, err = r.measure(ctx, f, func() counts { return e.counts }, func(at int64) {
		e.since, e.until = at, at+int64(r.o.Duration)
	})
	if err != nil {
		return w, err
	}
	f.engine.do(func() { e.stopped = true })
	return w, r.drain(ctx, f, func() bool { return e.counts.deliveries >= e.expected() })
}
