package bench

import (
	"context"
	"errors"
	"fmt"
)

var fanoutScenario = Scenario{
	Name:     "fanout",
	Summary:  "One channel with many subscribers, events published over HTTP",
	Defaults: defaults(func(o *Options) { o.Connections = 1000 }),
	Flags:    []string{"connections", "size", "rate", "in-flight", "floor"},
	setup: func(o *Options) string {
		return fmt.Sprintf("1 channel × %d subscribers, %d bytes, %s", o.Connections, o.Size, o.loop("events"))
	},
	connections: func(o *Options) int { return o.Connections },
	check:       someConnections,
	run: func(ctx context.Context, r *run) error {
		p := r.newPublication(shape{channels: 1, subscribers: r.o.Connections, connections: r.o.Connections, batch: 1})
		return r.publish(ctx, p, func() error { return p.fleet.open(ctx, r.o) })
	},
}

var channelsScenario = Scenario{
	Name:    "channels",
	Summary: "Many channels with few subscribers each, one event a request",
	Defaults: defaults(func(o *Options) {
		o.Channels, o.Subscribers, o.InFlight = 1000, 3, 8
	}),
	Flags:       []string{"channels", "subscribers", "connections", "size", "rate", "in-flight", "settle", "floor"},
	setup:       setupChannels,
	connections: channelConnections,
	check:       checkChannels,
	run:         runChannels,
}

var batchScenario = Scenario{
	Name:    "batch",
	Summary: "Many channels with few subscribers each, several events a request",
	Defaults: defaults(func(o *Options) {
		o.Channels, o.Subscribers, o.InFlight, o.Batch = 1000, 3, 8, 10
	}),
	Flags:       []string{"channels", "subscribers", "connections", "size", "batch", "rate", "in-flight", "settle", "floor"},
	setup:       setupChannels,
	connections: channelConnections,
	check:       checkChannels,
	run:         runChannels,
}

func setupChannels(o *Options) string {
	text := fmt.Sprintf("%d channels × %d subscribers on %d connections, %d bytes, %s",
		o.Channels, o.Subscribers, channelConnections(o), o.Size, o.loop("requests"))
	if o.Batch > 1 {
		text += fmt.Sprintf(", %d events a request", o.Batch)
	}
	return text
}

// channelConnections is as many as there are subscriptions, unless told.
func channelConnections(o *Options) int {
	if o.Connections == 0 {
		return o.Channels * o.Subscribers
	}
	return o.Connections
}

func checkChannels(o *Options) error {
	switch {
	case o.Subscribers == 0:
		return errors.New("--subscribers must be at least 1")
	case o.Channels*o.Subscribers > 1<<26:
		return errors.New("--channels times --subscribers is too much")
	case channelConnections(o) > maxCount:
		return fmt.Errorf("%d connections are too many: give fewer with --connections", channelConnections(o))
	case o.Subscribers > channelConnections(o):
		return errors.New("--subscribers must be at most --connections")
	case channelConnections(o) > o.Channels*o.Subscribers:
		return errors.New("--connections must be at most --channels times --subscribers")
	}
	return nil
}

func runChannels(ctx context.Context, r *run) error {
	p := r.newPublication(shape{
		channels: r.o.Channels, subscribers: r.o.Subscribers, connections: channelConnections(r.o), batch: r.o.Batch,
	})
	return r.publish(ctx, p, func() error { return r.subscribeApart(ctx, p) })
}

// subscribeApart opens all connections before it subscribes any of them, which
// tells what the subscriptions cost by themselves.
func (r *run) subscribeApart(ctx context.Context, p *publication) error {
	p.fleet.phase = connectOnly
	if err := p.fleet.open(ctx, r.o); err != nil {
		return err
	}
	before, err := r.sample(p.fleet, nil)
	if err != nil {
		return err
	}
	if err := p.fleet.subscribeAll(ctx); err != nil {
		return err
	}
	after, err := r.sample(p.fleet, nil)
	if err != nil || len(r.o.PIDs) == 0 {
		return err
	}
	if _, err := r.settle(ctx, p.fleet); err != nil {
		return err
	}
	settled, _, err := usageOf(r.o.PIDs)
	if err != nil {
		return err
	}
	res, grown := r.result, float64(settled.rss)-float64(before.server.rss)
	all := float64(p.channels * p.subscribers)
	res.add("server RSS per channel", "KiB", grown/1024/float64(p.channels), Lower)
	res.add("server CPU per subscription", "ms", (after.server.cpu()-before.server.cpu()).Seconds()*1000/all, Lower)
	res.add("subscriptions per second", "1/s", all/(float64(after.at-before.at)/1e9), Higher)
	return nil
}

// publication is a fleet of subscribers and the publisher that feeds it.
type publication struct {
	shape
	fleet     *fleet
	traffic   *traffic
	publisher *publisher
}

func (r *run) newPublication(s shape) *publication {
	data := newEventData(r.o.Size)
	endpoint, body := s.bodies(data)
	p := newPublisher(r.o, r.targets, endpoint, body)
	t := newTraffic(s, data, &p.issued, p.release)
	t.crossing, t.origin = newCrossing(len(r.targets)), p.origin
	return &publication{shape: s, fleet: newFleet(r.o, r.targets, s.clients(), t, p), traffic: t, publisher: p}
}

// publish is the whole of the scenarios that publish over HTTP.
func (r *run) publish(ctx context.Context, p *publication, open func() error) error {
	defer p.fleet.close()
	if err := open(); err != nil {
		return err
	}
	w, err := r.load(ctx, p)
	if err != nil {
		return err
	}
	r.publicationFigures(p, w)
	return nil
}

// load publishes for warm-up and duration and waits for the last deliveries.
func (r *run) load(ctx context.Context, p *publication) (w window, err error) {
	e := p.fleet.engine
	e.do(p.publisher.begin)
	if p.publisher.open {
		defer pacing(ctx, r.o.Rate, func(due int64) { e.do(func() { p.publisher.request(due) }) })()
	}
	w, err = r.measure(ctx, p.fleet, func() counts { return p.traffic.counts }, func(at int64) {
		p.traffic.since, p.traffic.until = at, at+int64(r.o.Duration)
	})
	if err != nil {
		return w, err
	}
	e.do(p.publisher.stop)
	return w, r.drain(ctx, p.fleet, func() bool {
		return p.publisher.idle() && p.traffic.counts.deliveries >= p.expected()
	})
}

// expected is how many deliveries the accepted requests come to.
func (p *publication) expected() uint64 {
	return p.publisher.accepted * uint64(p.batch) * uint64(p.subscribers)
}

func (r *run) publicationFigures(p *publication, w window) {
	r.cost(w, float64(w.deliveries())/float64(p.subscribers))
	p.fleet.engine.do(func() {
		res := r.result
		res.Figures = append(res.Figures, p.traffic.latency.figures("latency")...)
		r.crossingFigures(p.traffic.crossing, w)
		if p.publisher.open {
			res.Figures = append(res.Figures, p.publisher.lag.figure("request sent late by", 99))
		}
		a := &res.Accounting
		a.Failed, a.Failure, a.Unsent = p.publisher.failures, p.publisher.failure, p.publisher.unsent
		r.account(p.fleet, p.traffic.counts, p.publisher.accepted*uint64(p.batch), p.expected())
	})
}
