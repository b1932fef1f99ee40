package bench

import (
	"context"
	"fmt"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var stormScenario = Scenario{
	Name:    "storm",
	Summary: "As many connects at once as the server takes",
	Defaults: defaults(func(o *Options) {
		o.Connections, o.Channels, o.Connecting = 5000, 500, 256
	}),
	Flags: []string{"connections", "channels", "connecting", "rate"},
	setup: func(o *Options) string {
		text := fmt.Sprintf("%d connections on %d channels, at most %d connecting at a time", o.Connections, o.Channels, o.Connecting)
		if o.Rate > 0 {
			text += fmt.Sprintf(", %g/s", o.Rate)
		}
		return text
	},
	connections: func(o *Options) int { return o.Connections },
	check:       someConnections,
	run:         runStorm,
}

// connects is a fleet whose connections each subscribe to one of the channels.
func (r *run) connects() *fleet {
	clients := make([]*client, r.o.Connections)
	for i := range clients {
		clients[i] = &client{channels: []protocol.ChannelName{channelName(i % r.o.Channels)}}
	}
	return newFleet(r.o, r.targets, clients, &silence{}, nil)
}

// silence expects no events.
type silence struct{ foreign uint64 }

func (s *silence) event(*client, []byte, int64) { s.foreign++ }

// control ignores the protocol's own events.
func (s *silence) control(*client, []byte, []byte, int64) {}

// connect opens a fleet and returns what happened meanwhile.
func (r *run) connect(ctx context.Context, f *fleet) (w window, err error) {
	w.from.self = selfUsage()
	w.from.machine, _ = machineCPU()
	w.from.at = now()
	if w.from.server, w.from.each, err = usageOf(r.o.PIDs); err != nil {
		return w, err
	}
	f.paced = r.o.Rate > 0
	if err := f.start(r.o); err != nil {
		return w, err
	}
	if f.paced {
		defer pacing(ctx, r.o.Rate, func(int64) { f.engine.do(f.allow) })()
	}
	if err := f.fillAndWait(ctx); err != nil {
		return w, err
	}
	w.to, err = r.sample(f, nil)
	return w, err
}

func (r *run) connectFigures(f *fleet, w window) {
	res, n := r.result, float64(r.o.Connections)
	var c fleetCounts
	f.engine.do(func() { c = f.counts })
	res.add("connections per second", "1/s", n/(float64(c.readyAt-c.beganAt)/1e9), Higher)
	if len(r.o.PIDs) > 0 {
		res.add("server CPU per connect", "ms", w.cpu().Seconds()*1000/n, Lower)
	}
	res.add("generator CPU per connect", "ms", w.self().Seconds()*1000/n, "")
	f.engine.do(func() {
		res.Figures = append(res.Figures, f.established.figures("connect to handshake")...)
		res.Figures = append(res.Figures, f.subscribed.figures("connect to subscribed")...)
		r.account(f, counts{}, 0, 0)
	})
}

func runStorm(ctx context.Context, r *run) error {
	f := r.connects()
	defer f.close()
	w, err := r.connect(ctx, f)
	if err != nil {
		return err
	}
	r.connectFigures(f, w)
	r.generator(w)
	return nil
}
