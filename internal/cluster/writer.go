package cluster

import (
	"context"
	"errors"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/broker"
)

// writer is the goroutine that takes what is queued and gives it to the engine, one
// batch at a time. All numbers are made here, so they stand in the order in which
// messages go out.
type writer struct {
	*Node

	seq     uint64   // of the last state
	numbers []uint64 // by lane, of the last event
	beats   uint64
	outlook outlook
	chain   map[apps.ID]broker.Predecessor // the last event with Followed

	connected map[apps.ID]int // connections, as last told

	batch    batch
	retained bool // batch has to go out again
	arena    []byte
	state    broker.State
	changed  int // bytes of state, about
	jobs     []*job

	do doContext
}

func newWriter(n *Node) *writer {
	self := viewOf([]broker.NodeID{n.id})
	return &writer{
		Node:      n,
		chain:     make(map[apps.ID]broker.Predecessor),
		connected: make(map[apps.ID]int),
		outlook:   outlook{heard: self, view: self},
	}
}

// run works until ctx ends.
func (w *writer) run(ctx context.Context) {
	defer w.dropJobs()
	defer w.do.end()
	for ctx.Err() == nil {
		number, up, bare := w.queue.current()
		switch {
		case !up:
			w.rest(ctx, 0)
		case bare:
			w.dress(ctx, number)
		case w.retained || w.fill():
			w.carryOut(ctx)
		default:
			w.rest(ctx, w.markers.expire())
		}
	}
}

// rest waits until something is queued; with a limit, so long at most.
func (w *writer) rest(ctx context.Context, limit time.Duration) {
	var expired <-chan time.Time
	if limit > 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-ctx.Done():
	case <-w.queue.wake:
	case <-expired:
	}
}

// dress subscribes on a new link whatever the node wants. Then the others are asked
// to show themselves, and to look whether they have missed something.
func (w *writer) dress(ctx context.Context, number uint64) {
	if w.numbers == nil {
		lanes := w.options.Engine.Lanes()
		w.numbers, w.ring.evicted = make([]uint64, lanes), make([]uint64, lanes)
	}
	err := w.give(ctx, []broker.Command{
		{Op: broker.Subscribe, Subject: broker.Subject{Kind: broker.ToAll}},
		{Op: broker.Subscribe, Subject: broker.Subject{Kind: broker.ToNode, Node: w.id}},
	})
	if err == nil {
		err = w.queue.resubscribe(batchItems, func(channels []broker.ChannelOf) error {
			commands := make([]broker.Command, len(channels))
			for i, c := range channels {
				commands[i] = broker.Command{Op: broker.Subscribe, Subject: subjectOf(c)}
			}
			return w.give(ctx, commands)
		})
	}
	if err != nil {
		w.queue.strip(number)
		w.failed(ctx, err, 1)
		return
	}
	if w.retained {
		w.metrics.drop(dropReplayOverflow, w.batch.onAnotherLink(number, w.clock.now(), w.options.ReplayAge))
		w.markers.reset()
	}
	if w.queue.clothed(number) {
		w.queue.wishBeat(helloBeat)
		w.inbox.do(func(r *worker) { r.dressed(number) })
	}
}

func subjectOf(c broker.ChannelOf) broker.Subject {
	return broker.Subject{Kind: broker.ToChannel, App: string(c.App), Channel: string(c.Channel)}
}

// fill makes the next batch, if there is anything to send.
func (w *writer) fill() bool {
	w.batch.reset()
	taken := w.queue.take(&w.batch)
	if !taken && len(w.jobs) == 0 && !w.markers.due() {
		return false
	}
	if !taken {
		w.batch.link, _, _ = w.queue.current()
	}
	w.encode()
	return true
}

// carryOut gives the batch to the engine, and keeps it if that fails.
func (w *writer) carryOut(ctx context.Context) {
	b := &w.batch
	if number, _, _ := w.queue.current(); number != b.link {
		w.metrics.drop(dropReplayOverflow, b.onAnotherLink(number, w.clock.now(), w.options.ReplayAge))
	}
	if err := w.give(ctx, b.commands); err != nil {
		w.retained = true
		w.dropJobs() // who has asked will ask again
		b.failures++
		w.failed(ctx, err, b.failures)
		return
	}
	w.retained = false
	w.confirm()
}

// confirm notes that the engine has taken the batch.
func (w *writer) confirm() {
	b := &w.batch
	published := 0
	for i := range b.commands {
		if b.commands[i].Op == broker.Publish {
			published++
		}
	}
	w.metrics.published.Add(float64(published))
	if b.counted > 0 {
		w.probe.confirm(w.beats, w.clock.now())
	}
	if b.marker > 0 {
		w.markers.confirm(b.marker)
	}
	if w.options.Engine.Mesh() {
		return
	}
	if b.drained {
		w.queue.inForce(b.position)
	}
	for _, r := range b.barriers {
		r.pass()
	}
}

// give has the engine carry out commands, within the time limit.
func (w *writer) give(ctx context.Context, commands []broker.Command) error {
	if len(commands) == 0 {
		return nil
	}
	return w.options.Engine.Do(w.do.within(ctx, w.clock.now()), commands)
}

// failed waits a moment after a failure: for the engine to notice that the link is
// down, or for an attempt on the same one. A link that fails twice, or that
// does not answer, is given up.
func (w *writer) failed(ctx context.Context, err error, failures int) {
	w.do.end()
	if ctx.Err() != nil {
		return
	}
	w.metrics.failures.Inc()
	if failures > 1 || errors.Is(err, context.DeadlineExceeded) {
		w.options.Engine.Reconnect(err)
	}
	w.rest(ctx, 50*time.Millisecond)
}

// doContext is the context of Engine.Do. One serves for several calls, as long as it
// leaves each of them most of the time limit: making one takes as long as
// encoding several events.
type doContext struct {
	ctx    context.Context //nolint:containedctx // it is what this type is about
	cancel context.CancelFunc
	made   time.Duration
}

func (d *doContext) within(parent context.Context, now time.Duration) context.Context {
	if d.ctx == nil || now-d.made > doTimeout/4 {
		d.end()
		d.ctx, d.cancel = context.WithTimeout(parent, doTimeout)
		d.made = now
	}
	return d.ctx
}

func (d *doContext) end() {
	if d.cancel != nil {
		d.cancel()
		d.ctx, d.cancel = nil, nil
	}
}
