package bench

import (
	"context"
	"errors"
	"fmt"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var clientEventsScenario = Scenario{
	Name:     "clientevents",
	Summary:  "Members of a private channel that send events to one another",
	Defaults: defaults(func(o *Options) { o.Connections = 100 }),
	Flags:    []string{"connections", "size", "rate", "in-flight", "floor"},
	setup: func(o *Options) string {
		return fmt.Sprintf("1 private channel × %d members, %d bytes, %s", o.Connections, o.Size, o.loop("events"))
	},
	connections: func(o *Options) int { return o.Connections },
	check: func(o *Options) error {
		if o.Connections < 2 {
			return errors.New("--connections must be at least 2")
		}
		return nil
	},
	run: runClientEvents,
}

const clientEventChannel protocol.ChannelName = "private-load"

// clientEvents sends from the members in turn, from inside the engine: event n
// is that of member n modulo members. Each has to reach all the others.
type clientEvents struct {
	fleet   *fleet
	members int
	closed  bool // loop

	// touched only inside the engine
	frame        *stampedFrame
	find         stampFinder
	tallies      []tally
	flight       *flight
	latency      latency
	since, until int64
	counts       counts
	sent         uint64
	stopped      bool
}

func newClientEvents(o *Options) *clientEvents {
	const before = `{"event":"client-tick","channel":"` + string(clientEventChannel) + `","data":"`
	data := newEventData(o.Size)
	payload := data.append([]byte(before), 0, 0)
	e := &clientEvents{
		members: o.Connections, closed: o.Rate == 0,
		frame:   newStampedFrame(append(payload, `"}`...), data, len(before)),
		find:    data.finder(),
		tallies: make([]tally, o.Connections),
		latency: newLatency(),
	}
	e.flight = newFlight(o.Connections-1, func() {
		if e.closed {
			e.send(now())
		}
	})
	return e
}

// send makes the next member send the next event.
func (e *clientEvents) send(due int64) {
	if e.stopped {
		return
	}
	c := e.fleet.clients[e.sent%uint64(e.members)]
	frame := e.frame.with(due, e.sent)
	e.sent++
	e.fleet.write(c, frame)
}

func (e *clientEvents) event(c *client, msg []byte, at int64) {
	sent, number, ok := e.find.find(msg)
	members, member := uint64(e.members), uint64(c.index)
	if !ok || number >= e.sent || number%members == member {
		e.counts.foreign++
		return
	}
	// A member's stream is without its own events: number less those before it.
	own := (number + members - 1 - member) / members
	if !e.tallies[c.index].mark(number - own) {
		e.counts.duplicates++
		return
	}
	e.counts.deliveries++
	if sent >= e.since && sent < e.until {
		e.latency.add(at - sent)
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
		clients[i] = &client{channels: []protocol.ChannelName{clientEventChannel}}
	}
	f := newFleet(r.o, r.target, clients, e, nil)
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
