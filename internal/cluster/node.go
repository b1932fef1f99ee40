package cluster

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// Node is this process among others like it. Its methods may be called
// concurrently; Attach and Run once each, in this order.
type Node struct {
	// Set by New and Attach, immutable afterwards.
	options Options
	id      broker.NodeID
	started time.Time
	clock   *clock
	metrics *nodeMetrics
	hub     Hub

	// Each with a lock of its own.
	queue   *queue
	inbox   *inbox
	worker  *worker // of whoever has claimed the inbox
	fences  *fences
	markers *markers
	probe   *probe
	told    *told
	gate    *gate
	filter  *filter

	// Owned by the writer; its sizes are atomic.
	ring ring

	// Atomic.
	link        atomic.Pointer[link]
	known       atomic.Pointer[known]
	serving     atomic.Bool  // the state of other nodes has come, or was waited for long enough
	strangers   atomic.Bool  // messages of another major version have come
	connections atomic.Int64 // of all apps
	echo        atomic.Int64 // how long the last beat took to come back
}

var _ broker.Rester = (*Node)(nil)

// New returns a node that nobody knows yet. Its id is drawn at random.
func New(o Options) (*Node, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails, crashes the program instead
	n := &Node{
		options: o, id: broker.NodeID(binary.BigEndian.Uint64(id[:])),
		started: time.Now().UTC(), clock: newClock(), metrics: newMetrics(),
		inbox: newInbox(), gate: newGate(), fences: newFences(), probe: &probe{},
		ring: ring{maxEvents: o.ReplayEvents, maxBytes: o.ReplayBytes, maxAge: o.ReplayAge},
	}
	n.worker = newWorker(n)
	n.queue = newQueue(o, n.clock, n.metrics.drop)
	n.markers = &markers{
		clock: n.clock, passed: n.queue.inForce, again: n.queue.signal,
		suspect: func(int) { n.metrics.awaits.WithLabelValues("told", awaitSuspect).Inc() },
		answers: make(map[broker.NodeID]*bool),
	}
	n.told = newTold(n.id, n.clock)
	n.told.changed, n.told.fell = n.queue.edge, o.Webhooks.ForgetTold
	n.told.dropped = func(edges int) { n.metrics.drop(dropEdges, edges) }
	n.filter = &filter{
		webhooks: o.Webhooks, registry: o.Registry, told: n.told, gate: n.gate, clock: n.clock,
		patience: 2 * n.period(), delay: o.GraceDelay + n.period(),
	}
	n.filter.homes.Store(&homes{self: n.id, view: viewOf([]broker.NodeID{n.id})})
	n.link.Store(&link{cause: errNeverUp.Error()})
	n.known.Store(&known{})
	if o.Metrics != nil {
		if err := n.metrics.register(o.Metrics, n); err != nil {
			return nil, fmt.Errorf("register cluster metrics: %w", err)
		}
	}
	return n, nil
}

// ID returns the id of this run of the node.
func (n *Node) ID() broker.NodeID { return n.id }

// Attach gives the node its hub, which was made with the node as its relay.
func (n *Node) Attach(h Hub) { n.hub = h }

// flushTimeout is how long a node that stops takes to send what is queued.
const flushTimeout = 2 * time.Second

// Run takes part in the cluster until ctx ends. Then it sends what is queued, for
// 2 s at most, and takes its leave: call it off when the connections of this node are
// gone. The error says that the engine can never work as configured.
func (n *Node) Run(ctx context.Context) error {
	running, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var engine, workers, writer sync.WaitGroup
	var fault error
	engine.Go(func() {
		fault = n.options.Engine.Run(running, n)
		stop(fault)
	})
	workers.Go(func() { n.worker.run(running) })
	workers.Go(func() { n.runGate(running) })
	workers.Go(func() { n.runFences(running) })
	workers.Go(func() { n.runTicks(running.Done()) })
	writer.Go(func() { newWriter(n).run(running) })
	select {
	case <-ctx.Done():
		n.leave(running)
	case <-running.Done():
	}
	stop(nil)
	n.inbox.close()
	writer.Wait()
	workers.Wait()
	engine.Wait()
	n.tell(n.gate.close()) // rather twice than never
	return fault
}

// leave gives up its channels, if there is anybody to take them, and says Bye after
// everything that is queued.
func (n *Node) leave(ctx context.Context) {
	l := n.link.Load()
	if !l.up {
		return
	}
	limit := time.NewTimer(flushTimeout)
	defer limit.Stop()
	resigned := newRound()
	n.inbox.do(func(w *worker) {
		w.resign()
		resigned.pass()
	})
	for _, step := range []func() *round{
		func() *round { return resigned },
		n.queue.barrier,
		func() *round { return n.queue.bye(broker.AppendBye(nil, n.id)) },
	} {
		r := step()
		if r == nil {
			continue
		}
		select {
		case <-r.done:
		case <-l.lost:
			return
		case <-limit.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// bye queues the last message. It returns the round that ends when the engine has
// taken it.
func (q *queue) bye(message []byte) *round {
	q.control(control{message: message})
	q.mu.Lock()
	defer q.mu.Unlock()
	q.silent = true
	return q.markLocked()
}
