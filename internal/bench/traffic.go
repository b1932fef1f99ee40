package bench

import (
	"strconv"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// shape is who is subscribed to what. Event n goes to channel n modulo channels.
// Subscription r of channel c belongs to connection (c × subscribers + r) modulo
// connections.
type shape struct {
	channels, subscribers, connections int
	batch                              int // events of one request
	slow                               int // connections on channel 0 that do not count
}

const channelPrefix = "load-"

func channelName(i int) protocol.ChannelName {
	return protocol.ChannelName(channelPrefix + strconv.Itoa(i))
}

// clients plans the connections.
func (s shape) clients() []*client {
	all := make([]*client, s.connections+s.slow)
	for i := range all {
		all[i] = &client{slow: i >= s.connections}
		if all[i].slow {
			all[i].channels = []protocol.ChannelName{channelName(0)}
		}
	}
	for k := range s.channels * s.subscribers {
		c := all[k%s.connections]
		c.channels = append(c.channels, channelName(k/s.subscribers))
	}
	return all
}

// traffic accounts for the deliveries of published events.
type traffic struct {
	// set by newTraffic, immutable
	shape
	issued *uint64                  // requests begun; read inside the engine
	origin func(request uint64) int // the number of the target that got it; called inside the engine

	// touched only inside the engine
	find         stampFinder
	tallies      []tally // of each subscription
	flight       *flight
	latency      latency
	crossing     *crossing
	since, until int64 // sending times whose latency counts
	counts       counts
}

// counts are the deliveries so far.
type counts struct {
	deliveries uint64 // that were not there before
	crossed    uint64 // of them at another server than the sender's; 0 where there is one
	duplicates uint64
	foreign    uint64 // nothing that was sent, or not to there
}

func newTraffic(s shape, d eventData, issued *uint64, complete func()) *traffic {
	return &traffic{
		shape: s, issued: issued, find: d.finder(),
		tallies: make([]tally, s.channels*s.subscribers),
		flight:  newFlight(s.batch*s.subscribers, complete),
		latency: newLatency(),
	}
}

func (t *traffic) event(c *client, msg []byte, at int64) {
	if c.slow {
		return
	}
	sent, number, ok := t.find.find(msg)
	request := number / uint64(t.batch)
	if !ok || request >= *t.issued {
		t.counts.foreign++
		return
	}
	channel := int(number % uint64(t.channels))
	which := (c.index - channel*t.subscribers) % t.connections
	if which < 0 {
		which += t.connections
	}
	if which >= t.subscribers {
		t.counts.foreign++
		return
	}
	if !t.tallies[channel*t.subscribers+which].mark(number / uint64(t.channels)) {
		t.counts.duplicates++
		return
	}
	t.counts.deliveries++
	crossed := t.crossing != nil && t.origin(request) != c.target.number
	if crossed {
		t.counts.crossed++
	}
	if sent >= t.since && sent < t.until {
		t.latency.add(at - sent)
		if t.crossing != nil {
			t.crossing.add(at-sent, crossed)
		}
	}
	t.flight.arrived(request)
}

// control ignores the protocol's own events.
func (t *traffic) control(*client, []byte, []byte, int64) {}

// bodies returns the maker of request bodies: one event, or a batch.
func (s shape) bodies(d eventData) (endpoint string, body func(b []byte, sent int64, request uint64) []byte) {
	appendChannel := func(b []byte, number uint64) []byte {
		return strconv.AppendUint(append(b, channelPrefix...), number%uint64(s.channels), 10)
	}
	if s.batch == 1 {
		return "/events", func(b []byte, sent int64, request uint64) []byte {
			b = append(b, `{"name":"tick","channels":["`...)
			b = appendChannel(b, request)
			b = append(b, `"],"data":"`...)
			return append(d.append(b, sent, request), `"}`...)
		}
	}
	return "/batch_events", func(b []byte, sent int64, request uint64) []byte {
		b = append(b, `{"batch":[`...)
		for i := range uint64(s.batch) {
			if i > 0 {
				b = append(b, ',')
			}
			number := request*uint64(s.batch) + i
			b = append(b, `{"name":"tick","channel":"`...)
			b = appendChannel(b, number)
			b = append(b, `","data":"`...)
			b = append(d.append(b, sent, number), `"}`...)
		}
		return append(b, `]}`...)
	}
}
