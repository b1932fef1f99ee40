package bench

import (
	"context"
	"crypto/sha1" //nolint:gosec // RFC 6455 proves an upgrade with it
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// handler is what a scenario does with messages. It is called inside the engine;
// msg is valid during the call only.
type handler interface {
	// event gets every message whose event is not the protocol's own.
	event(c *client, msg []byte, at int64)

	// control gets the protocol's own events that the fleet has no use for: all
	// of them once the client is ready.
	control(c *client, name, msg []byte, at int64)
}

// fleet opens connections, subscribes them and passes on what they receive.
type fleet struct {
	// set by newFleet, immutable
	targets []*target
	pair    auth.Key
	timeout time.Duration
	limit   int // connects at the same time
	paced   bool
	engine  engine
	upgrade [][]byte // for each target
	accept  string
	failed  chan error // capacity 1: why opening cannot go on; never closed

	// allUp is closed when every client is ready. Replaced inside the engine while
	// nobody waits for it.
	allUp chan struct{}

	// touched only inside the engine
	phase       phase
	clients     []*client
	handler     handler
	next        int // client to open
	oldest      int // first one that is not ready
	opening     int
	ready       int
	allowed     int // how many may be opened yet, if paced
	closing     bool
	established latency // connect to connection_established
	subscribed  latency // connect to the last subscription
	counts      fleetCounts
	refusal     string     // first pusher:error
	loss        string     // why the first connection was lost
	trouble     error      // why the run makes no sense any more
	publisher   *publisher // whose connections are among the clients, may be nil
}

// phase is what opening a fleet comes to.
type phase uint8

const (
	whole         phase = iota // connect and subscribe
	connectOnly                // connect, and leave the subscriptions for later
	subscribeOnly              // catch up on them
)

type fleetCounts struct {
	received, sent uint64 // bytes of WebSocket traffic
	messages       uint64
	refusals       uint64 // pusher:error and subscription_error
	losses         uint64 // connections that ended after they were ready, slow ones not counted
	slowLosses     uint64
	readyAt        int64 // when the last one was ready
	beganAt        int64 // when the first connect began
}

// newFleet returns a fleet of subscribers, whose connections go to the targets in
// turns, and, if there is a publisher, its connections behind them.
func newFleet(o *Options, targets []*target, clients []*client, h handler, p *publisher) *fleet {
	sum := sha1.Sum([]byte(upgradeKey + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")) //nolint:gosec // see the import
	f := &fleet{
		targets: targets, pair: o.Key, timeout: o.Timeout, limit: o.Connecting,
		accept: base64.StdEncoding.EncodeToString(sum[:]),
		allUp:  make(chan struct{}), failed: make(chan error, 1),
		clients: clients, handler: h, publisher: p,
		established: newLatency(), subscribed: newLatency(),
	}
	if p != nil {
		f.clients = append(f.clients, p.clients...)
		p.fleet = f
	}
	for i, c := range f.clients {
		c.index, c.fd = i, -1
	}
	for i, c := range clients {
		c.target = targets[i%len(targets)]
	}
	for _, t := range targets {
		f.upgrade = append(f.upgrade, t.upgradeRequest())
	}
	return f
}

// start starts the engine. The caller closes the fleet in any case.
func (f *fleet) start(o *Options) (err error) {
	f.engine, err = newEngine(f, o.portable || slices.ContainsFunc(f.targets, func(t *target) bool { return t.tls }))
	return err
}

// open starts the engine and returns when all connections are subscribed.
func (f *fleet) open(ctx context.Context, o *Options) error {
	if err := f.start(o); err != nil {
		return err
	}
	return f.fillAndWait(ctx)
}

// fillAndWait opens the connections; a paced fleet only those that are allowed.
func (f *fleet) fillAndWait(ctx context.Context) error {
	f.engine.post(f.fill)
	select {
	case <-f.allUp:
		return nil
	case err := <-f.failed:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// close ends all connections and the engine.
func (f *fleet) close() {
	if f.engine == nil {
		return
	}
	f.engine.do(func() {
		f.closing = true
		bye := appendFrame(nil, opClose, binary.BigEndian.AppendUint16(nil, 1000))
		for _, c := range f.clients {
			if c.state > upgrading && c.state < ended && !c.raw && c.poster == nil {
				f.engine.write(c, bye)
			}
			f.end(c)
		}
	})
	f.engine.stop()
}

func (f *fleet) end(c *client) {
	if c.state != ended && c.state != waiting {
		c.state = ended
		f.engine.drop(c)
	}
}

// allow lets one more connection be opened by a paced fleet.
func (f *fleet) allow() {
	f.allowed++
	f.fill()
}

// fill opens connections as far as the limits go.
func (f *fleet) fill() {
	for f.opening < f.limit && f.next < len(f.clients) && !f.closing && (!f.paced || f.next < f.allowed) {
		c := f.clients[f.next]
		f.next++
		if f.phase == subscribeOnly && len(c.channels) == 0 {
			continue
		}
		f.opening++
		c.began = now()
		if f.counts.beganAt == 0 {
			f.counts.beganAt = c.began
		}
		if f.phase == subscribeOnly {
			f.subscribe(c)
			continue
		}
		c.state = connecting
		f.engine.dial(c)
	}
}

// tick gives up connections that take too long. The engine calls it several
// times a second.
func (f *fleet) tick() {
	for f.oldest < f.next && f.clients[f.oldest].state >= ready {
		f.oldest++
	}
	late := now() - int64(f.timeout)
	for _, c := range f.clients[f.oldest:f.next] {
		if c.state < ready && c.began < late {
			f.lose(c, fmt.Errorf("not ready within %s", f.timeout))
		}
	}
	if f.publisher != nil {
		f.publisher.tick(late)
	}
}

// arrive makes a client ready.
func (f *fleet) arrive(c *client, at int64) {
	c.state, c.opened = ready, true
	if c.poster == nil {
		f.subscribed.add(at - c.began)
	}
	f.opening--
	f.counts.readyAt = at
	if f.ready++; f.ready == len(f.clients) {
		f.phase = whole
		close(f.allUp)
		return
	}
	f.fill()
}

// lose ends a connection that should have gone on. The engine calls it for those
// that ended by themselves.
func (f *fleet) lose(c *client, err error) {
	state := c.state
	if state == ended {
		return
	}
	if c.opened && c.poster != nil {
		f.publisher.lost(c, err)
		return
	}
	f.end(c)
	switch {
	case f.closing:
	case state < ready || f.phase == subscribeOnly:
		f.closing = true
		f.failed <- fmt.Errorf("connection %d of %d: %w", c.index+1, len(f.clients), err)
	case c.slow:
		f.counts.slowLosses++
	default:
		f.counts.losses++
		if f.loss == "" {
			f.loss = err.Error()
		}
	}
}
