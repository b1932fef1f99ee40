package webhook

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// DropReason is why events were not delivered; it is also the label of their
// metric.
type DropReason string

// Reasons for dropping.
const (
	DropExpired  DropReason = "expired"     // no attempt succeeded in time
	DropOverflow DropReason = "overflow"    // too many bytes waiting
	DropURL      DropReason = "invalid_url" // of the endpoint
	DropStopped  DropReason = "stopped"     // left when Close gave up
	DropClosed   DropReason = "closed"      // emitted after Close
)

// Registerer takes the collectors of a [Dispatcher].
type Registerer = prometheus.Registerer

// metrics are the collectors of a dispatcher. Labels are app ids,
// constants, and the scheme and host of endpoints: the rest of a URL may be
// secret.
type metrics struct {
	attempts  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	dropped   *prometheus.CounterVec
	payloads  *prometheus.GaugeVec
	bytes     *prometheus.GaugeVec
	down      *prometheus.GaugeVec
	held      prometheus.Gauge
	delaysCut prometheus.Counter
}

func newMetrics() *metrics {
	name := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "pipesocketd", Subsystem: "webhook", Name: n, Help: help}
	}
	counter := func(n, help string) prometheus.CounterOpts { return prometheus.CounterOpts(name(n, help)) }
	gauge := func(n, help string) prometheus.GaugeOpts { return prometheus.GaugeOpts(name(n, help)) }
	app := []string{"app"}
	return &metrics{
		attempts: prometheus.NewCounterVec(counter("attempts_total",
			"Webhook requests, by how they ended."), []string{"app", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "pipesocketd", Subsystem: "webhook", Name: "attempt_duration_seconds",
			Help:    "Time that webhook requests took.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, app),
		dropped: prometheus.NewCounterVec(counter("dropped_events_total",
			"Events that were not delivered to an endpoint, by reason."), []string{"app", "reason"}),
		payloads: prometheus.NewGaugeVec(gauge("queue_payloads",
			"Payloads waiting for an attempt."), app),
		bytes: prometheus.NewGaugeVec(gauge("queue_bytes",
			"Bytes of payloads waiting for an attempt."), app),
		down: prometheus.NewGaugeVec(gauge("endpoints_down",
			"Endpoints that are only probed, since nothing reaches them."), []string{"app", "endpoint"}),
		held: prometheus.NewGauge(gauge("delayed_notices",
			"channel_vacated and member_removed waiting for their delay.")),
		delaysCut: prometheus.NewCounter(counter("delays_cut_total",
			"Delayed notices that left early because too many were waiting.")),
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	var faults []error
	for _, c := range []prometheus.Collector{
		m.attempts, m.duration, m.dropped, m.payloads, m.bytes, m.down, m.held, m.delaysCut,
	} {
		faults = append(faults, r.Register(c))
	}
	return errors.Join(faults...)
}

func (m *metrics) drop(app apps.ID, reason DropReason, events int) {
	if events > 0 {
		m.dropped.WithLabelValues(string(app), string(reason)).Add(float64(events))
	}
}

// laneMetrics is one lane's share in the metrics of its app. Only the lane's
// goroutine uses it.
type laneMetrics struct {
	app      apps.ID
	all      *metrics
	duration prometheus.Observer
	payloads prometheus.Gauge
	bytes    prometheus.Gauge
	isDown   prometheus.Gauge

	// What the gauges hold of this lane.
	told     Backlog
	toldDown bool
}

func (m *metrics) lane(key laneKey) *laneMetrics {
	app := string(key.app)
	return &laneMetrics{
		app:      key.app,
		all:      m,
		duration: m.duration.WithLabelValues(app),
		payloads: m.payloads.WithLabelValues(app),
		bytes:    m.bytes.WithLabelValues(app),
		isDown:   m.down.WithLabelValues(app, origin(key.url)),
	}
}

func (m *laneMetrics) attempt(a attempt) {
	m.all.attempts.WithLabelValues(string(m.app), string(a.outcome)).Inc()
	m.duration.Observe(a.took.Seconds())
}

func (m *laneMetrics) drop(reason DropReason, events int) { m.all.drop(m.app, reason, events) }

func (m *laneMetrics) waiting(b Backlog) {
	m.payloads.Add(float64(b.Payloads - m.told.Payloads))
	m.bytes.Add(float64(b.Bytes - m.told.Bytes))
	m.told = b
}

func (m *laneMetrics) down(down bool) {
	if down == m.toldDown {
		return
	}
	m.toldDown = down
	if down {
		m.isDown.Inc()
		return
	}
	m.isDown.Dec()
}
