package history

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/metrics"
)

// LossReason is why an event is not in the history; it is also the label of the
// metric.
type LossReason string

// Reasons for a loss.
const (
	LostOverflow   LossReason = "overflow"   // too much waited for the database
	LostStopped    LossReason = "stopped"    // left when Close gave up
	LostClosed     LossReason = "closed"     // appended after Close
	LostUnreadable LossReason = "unreadable" // a fault of this program
)

// Registerer takes the collectors of a [Log].
type Registerer = prometheus.Registerer

// logMetrics are the collectors of a log. Labels are app ids and constants.
type logMetrics struct {
	written      *prometheus.CounterVec
	lost         *prometheus.CounterVec
	expired      *prometheus.CounterVec
	stored       *prometheus.GaugeVec
	failures     prometheus.Counter
	readFailures prometheus.Counter
	commits      prometheus.Histogram
}

func newMetrics() *logMetrics {
	opts := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: metrics.Namespace, Subsystem: "history", Name: n, Help: help}
	}
	counter := func(n, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts(opts(n, help)), append([]string{metrics.LabelApp}, labels...))
	}
	return &logMetrics{
		written: counter("events_written_total", "Events that were written to the history."),
		lost:    counter("events_lost_total", "Events that are missing in the history, by reason.", metrics.LabelReason),
		expired: counter("events_expired_total", "Events that were deleted because of their age or of the room that they take."),
		stored: prometheus.NewGaugeVec(prometheus.GaugeOpts(opts("stored_bytes",
			"What the events in the history take, as history.max_bytes counts it.")), []string{metrics.LabelApp}),
		failures: prometheus.NewCounter(prometheus.CounterOpts(opts("write_failures_total",
			"Transactions on the history's database that failed and were tried again."))),
		readFailures: prometheus.NewCounter(prometheus.CounterOpts(opts("read_failures_total",
			"Queries of the history that the database did not answer."))),
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: metrics.Namespace, Subsystem: "history", Name: "write_duration_seconds",
			Help:    "Time of one transaction that wrote events.",
			Buckets: metrics.LatencyBuckets(),
		}),
	}
}

func (m *logMetrics) register(r prometheus.Registerer, b *buffer) error {
	gauge := func(name, help string, value func() int) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: metrics.Namespace, Subsystem: "history", Name: name, Help: help,
		}, func() float64 { return float64(value()) })
	}
	var faults []error
	for _, c := range []prometheus.Collector{
		m.written, m.lost, m.expired, m.stored, m.failures, m.readFailures, m.commits,
		gauge("buffer_events", "Events that wait for the history's database.", func() int { events, _ := b.held(); return events }),
		gauge("buffer_bytes", "Memory of the events that wait for the history's database.", func() int { _, bytes := b.held(); return bytes }),
	} {
		faults = append(faults, r.Register(c))
	}
	return errors.Join(faults...)
}

func (m *logMetrics) lose(app apps.ID, reason LossReason, events int) {
	m.lost.WithLabelValues(string(app), string(reason)).Add(float64(events))
}

// wrote counts events in runs of one app, which spares most of the look-ups.
func (m *logMetrics) wrote(events []event) {
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].app.ID == events[0].app.ID {
			n++
		}
		m.written.WithLabelValues(string(events[0].app.ID)).Add(float64(n))
		events = events[n:]
	}
}

func (m *logMetrics) trimmed(t trimmed) {
	m.stored.WithLabelValues(string(t.app)).Set(float64(t.bytes))
	if t.deleted > 0 {
		m.expired.WithLabelValues(string(t.app)).Add(float64(t.deleted))
	}
}
