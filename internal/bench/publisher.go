package bench

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// publisher makes signed requests over connections that are kept: as many as
// have not arrived everywhere yet in a closed loop, at fixed times in an open
// one. It works inside the engine, beside the subscribers, so that a request
// wakes no other goroutine: an HTTP client would cost as much as the server.
type publisher struct {
	// set by newPublisher, immutable
	doors []door // of each target
	body  func(b []byte, sent int64, request uint64) []byte
	open  bool // loop
	limit int  // requests in flight

	fleet *fleet // set before it is opened

	// touched only inside the engine
	clients  []*client // the connections
	free     []*client // in the order in which they are used
	credits  int       // closed loop: requests that may be begun
	due      []int64   // open loop: times of requests that wait for a free connection
	stopped  bool
	scratch  []byte
	issued   uint64 // requests begun; their numbers are below
	accepted uint64 // answered with 2xx
	unsent   uint64 // due while too many waited
	failures uint64
	failure  string  // the first
	lag      latency // open loop: from due to sent
	origins  []uint8 // by request, modulo their number: the target that has got it; nil for one target
}

// door is where requests enter a server.
type door struct {
	head []byte // of a request, up to the query
	host string
	sign *signer
}

const (
	// maxDue is how many requests of an open loop may wait for a connection.
	maxDue = 1 << 12

	// maxFailures ends a run that measures nothing.
	maxFailures = 100
)

// newPublisher makes connections to all targets.
func newPublisher(o *Options, targets []*target, endpoint string, body func([]byte, int64, uint64) []byte) *publisher {
	p := &publisher{
		body: body, open: o.Rate > 0, limit: o.InFlight, lag: newLatency(),
	}
	for _, t := range targets {
		p.doors = append(p.doors, door{
			head: []byte(http.MethodPost + " " + t.api + endpoint + "?"), host: t.host, sign: newSigner(o.Key, t.api+endpoint),
		})
	}
	if len(targets) > 1 {
		p.origins = make([]uint8, flightSlots)
	}
	for i := range p.connections(len(targets)) {
		p.clients = append(p.clients, &client{poster: &poster{owner: p}, target: targets[i%len(targets)]})
	}
	p.free = append(p.free, p.clients...)
	return p
}

// connections are as many as may be in flight, and as many for each target.
func (p *publisher) connections(targets int) int { return (p.limit + targets - 1) / targets * targets }

// origin returns the target that a request went to.
func (p *publisher) origin(request uint64) int { return int(p.origins[request%flightSlots]) }

// next takes the connection for the next request: the one whose objects are warm,
// or, where there are several targets, each in its turn.
func (p *publisher) next() (c *client) {
	if p.origins == nil {
		c, p.free = p.free[len(p.free)-1], p.free[:len(p.free)-1]
		return c
	}
	c, p.free = p.free[0], p.free[1:]
	p.origins[p.issued%flightSlots] = uint8(c.target.number)
	return c
}

// begin makes the first requests of a closed loop.
func (p *publisher) begin() {
	if !p.open {
		p.credits = p.limit
		p.pump()
	}
}

// request makes one request of an open loop, which was due at a time.
func (p *publisher) request(due int64) {
	if p.stopped {
		return
	}
	if len(p.due) >= maxDue {
		p.unsent++
		return
	}
	p.due = append(p.due, due)
	p.pump()
}

// release lets the next request of a closed loop in: one has arrived everywhere,
// or never will.
func (p *publisher) release() {
	if !p.open {
		p.credits = min(p.credits+1, p.limit)
		p.pump()
	}
}

// stop makes no more requests. Those that wait are not counted as unsent: they
// were due behind the end.
func (p *publisher) stop() {
	p.stopped = true
	p.due = nil
}

// idle reports whether every request has been answered.
func (p *publisher) idle() bool { return len(p.free) == len(p.clients) }

// pump begins as many requests as it may.
func (p *publisher) pump() {
	for !p.stopped && len(p.free) > 0 {
		sent := now()
		switch {
		case p.open && len(p.due) > 0:
			p.lag.add(sent - p.due[0])
			sent = p.due[0]
			p.due = p.due[1:]
		case !p.open && p.credits > 0:
			p.credits--
		default:
			return
		}
		p.send(p.next(), sent)
	}
}

func (p *publisher) send(c *client, sent int64) {
	body := p.body(p.scratch[:0], sent, p.issued)
	p.scratch = body
	p.issued++
	d := &p.doors[c.target.number]
	b := append(c.poster.out[:0], d.head...)
	b = d.sign.appendQuery(b, body, now()/int64(time.Second))
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, d.host...)
	b = append(b, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(body)), 10)
	b = append(b, "\r\n\r\n"...)
	c.poster.out = append(b, body...)
	c.poster.began = now()
	if c.state == ready {
		p.fleet.engine.write(c, c.poster.out)
		return
	}
	c.poster.waiting = true // the server closed the connection, which it may
	c.state = connecting
	p.fleet.engine.dial(c)
}

// opened goes on once a connection is there again.
func (p *publisher) opened(c *client) {
	c.state = ready
	if c.poster.waiting {
		c.poster.waiting = false
		p.fleet.engine.write(c, c.poster.out)
	}
}

// answered frees the connection for the next request.
func (p *publisher) answered(c *client, closes bool, err error) {
	c.poster.began = 0
	if closes {
		p.fleet.end(c)
	}
	p.free = append(p.free, c)
	if err != nil {
		p.fail(err)
		return
	}
	p.accepted++
	p.pump()
}

// lost gives up a connection, and the request on it.
func (p *publisher) lost(c *client, err error) {
	p.fleet.end(c)
	c.poster.waiting = false
	if c.poster.began != 0 {
		c.poster.began = 0
		p.free = append(p.free, c)
		p.fail(fmt.Errorf("publish: %w", err))
	}
}

// fail counts a failed request, which will arrive nowhere, and ends a run that
// makes no sense.
func (p *publisher) fail(err error) {
	if p.failures++; p.failures == 1 {
		p.failure = err.Error()
	}
	if p.failures >= maxFailures {
		p.stop()
		p.fleet.trouble = fmt.Errorf("%d requests failed, the first of them: %s", maxFailures, p.failure)
		return
	}
	p.release()
	p.pump()
}

// tick gives up requests that take too long.
func (p *publisher) tick(late int64) {
	for _, c := range p.clients {
		if c.poster.began != 0 && c.poster.began < late {
			p.lost(c, fmt.Errorf("no answer within %s", p.fleet.timeout))
		}
	}
}

// pace calls f at fixed times, with the time that it was due, until ctx ends.
// Times that pass while f runs are made up for at once.
func pace(ctx context.Context, rate float64, f func(due int64)) {
	interval := float64(time.Second) / rate
	begin := now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := 0; ; i++ {
		due := begin + int64(float64(i)*interval)
		if early := due - now(); early > 0 {
			timer.Reset(time.Duration(early))
			select {
			case <-timer.C:
			case <-ctx.Done():
				return
			}
		} else if ctx.Err() != nil {
			return
		}
		f(due)
	}
}

// pacing runs pace beside other things until the returned function is called,
// which waits for its end.
func pacing(ctx context.Context, rate float64, f func(due int64)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		pace(ctx, rate, f)
	}()
	return func() {
		cancel()
		<-done
	}
}
