package cluster

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/metrics"
)

// Registerer takes the collectors of a [Node].
type Registerer = prometheus.Registerer

// dropReason is why an event, or a message, did not get to another node; it is also
// the label of the metric.
type dropReason string

// Reasons for a drop.
const (
	dropQueueFull      dropReason = "queue_full"      // the engine was too slow
	dropReplayOverflow dropReason = "replay_overflow" // the link was down for too long
	dropControls       dropReason = "controls"        // too many questions and answers waited
	dropRecovery       dropReason = "recovery"        // missed here, and no longer kept where it came from
	dropEdges          dropReason = "edges"           // seen here, and no home has told webhooks
)

// ignoreReason is why something that was received is not made use of.
type ignoreReason string

// Reasons for ignoring.
const (
	ignoredMajor        ignoreReason = "version"   // of a release that is too different
	ignoredMalformed    ignoreReason = "malformed" // nothing of ours
	ignoredKind         ignoreReason = "kind"      // of a newer release
	ignoredEntry        ignoreReason = "entry"     // of a state; of a newer release, or malformed
	ignoredTooManyNodes ignoreReason = "nodes"
)

// How an Await ends too early.
const (
	awaitTimedOut = "timeout"
	awaitLinkLost = "link"
	awaitSuspect  = "suspect" // a node did not answer, and is not waited for
)

type nodeMetrics struct {
	links      prometheus.Counter
	published  prometheus.Counter
	received   prometheus.Counter
	replayed   prometheus.Counter
	failures   prometheus.Counter
	silent     prometheus.Counter
	snapshots  prometheus.Counter
	incomplete prometheus.Counter
	relay      prometheus.Histogram
	dropped    *prometheus.CounterVec
	drops      map[dropReason]prometheus.Counter // children of dropped, since some happen under the hub's locks
	ignoring   *prometheus.CounterVec
	awaits     *prometheus.CounterVec
}

func opts(name, help string) prometheus.Opts {
	return prometheus.Opts{Namespace: metrics.Namespace, Subsystem: "cluster", Name: name, Help: help}
}

func newMetrics() *nodeMetrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(opts(name, help)))
	}
	vec := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(name, help)), labels)
	}
	m := &nodeMetrics{
		links:      counter("connects_total", "How often the link to the engine has come up."),
		published:  counter("published_total", "Messages that the engine has taken."),
		received:   counter("received_total", "Messages that the engine has delivered, own ones included."),
		replayed:   counter("replayed_total", "Events that were sent again to a node that had missed them."),
		failures:   counter("send_failures_total", "Batches that the engine has not taken, or not in time; they were tried again."),
		silent:     counter("silent_links_total", "Links that were given up because this node's own messages did not come back."),
		snapshots:  counter("snapshot_requests_total", "How often the whole state of another node was asked for."),
		incomplete: counter("recoveries_failed_total", "Recoveries of missed events that had no answer in time, or too much to keep."),
		relay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: metrics.Namespace, Subsystem: "cluster", Name: "relay_seconds",
			Help:    "Time of a message of this node to the engine and back.",
			Buckets: metrics.LatencyBuckets(),
		}),
		dropped:  vec("dropped_total", "Events that did not get to other nodes, or from them, by reason.", metrics.LabelReason),
		ignoring: vec("ignored_total", "Messages, or parts of them, that were not made use of, by reason.", metrics.LabelReason),
		awaits:   vec("await_timeouts_total", "How often somebody waited in vain for other nodes, and went on.", "barrier", metrics.LabelReason),
		drops:    make(map[dropReason]prometheus.Counter),
	}
	for _, reason := range []dropReason{dropQueueFull, dropReplayOverflow, dropControls, dropRecovery, dropEdges} {
		m.drops[reason] = m.dropped.WithLabelValues(string(reason))
	}
	return m
}

func (m *nodeMetrics) register(r prometheus.Registerer, n *Node) error {
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts(opts(name, help)), value)
	}
	var faults []error
	for _, c := range []prometheus.Collector{
		m.links, m.published, m.received, m.replayed, m.failures, m.silent, m.snapshots, m.incomplete, m.relay,
		m.dropped, m.ignoring, m.awaits,
		gauge("nodes", "Nodes that are alive, this one included.", func() float64 { return float64(len(n.Status().Nodes)) }),
		gauge("link_up", "1 if there is a link to the engine.", func() float64 { return one(n.link.Load().up) }),
		gauge("subscriptions", "Channels that are subscribed at the engine.", func() float64 { return float64(n.queue.subscribed.Load()) }),
		gauge("replay_events", "Events that are kept for nodes that have missed them.", func() float64 { return float64(n.ring.events.Load()) }),
		gauge("replay_bytes", "Memory of those events.", func() float64 { return float64(n.ring.bytes.Load()) }),
		gauge("queue_bytes", "Memory of events that wait for the engine.", func() float64 { return float64(n.queue.waiting()) }),
	} {
		faults = append(faults, r.Register(c))
	}
	return errors.Join(faults...)
}

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

func (m *nodeMetrics) drop(reason dropReason, events int) {
	if events > 0 {
		m.drops[reason].Add(float64(events))
	}
}

func (m *nodeMetrics) ignore(reason ignoreReason) { m.ignored(reason, 1) }

func (m *nodeMetrics) ignored(reason ignoreReason, n int) {
	m.ignoring.WithLabelValues(string(reason)).Add(float64(n))
}

// ignore counts a message that cannot be read.
func (w *worker) ignore(err error) {
	if errors.Is(err, broker.ErrMajor) {
		w.strangers.Store(true)
		w.metrics.ignore(ignoredMajor)
		return
	}
	w.metrics.ignore(ignoredMalformed)
}

func (m *nodeMetrics) awaitFailed(b hub.Barrier, reason string) {
	barrier := "told"
	if b == hub.Heard {
		barrier = "heard"
	}
	m.awaits.WithLabelValues(barrier, reason).Inc()
}

func (q *queue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.bytes
}
