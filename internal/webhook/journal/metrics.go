package journal

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Registerer takes the collectors of a [Journal].
type Registerer = prometheus.Registerer

type metrics struct {
	commits         prometheus.Histogram
	changes         prometheus.Counter
	skipped         prometheus.Counter
	skippedAttempts prometheus.Counter
	fault           prometheus.GaugeFunc
	dead            prometheus.Gauge
	deadBytes       prometheus.Gauge
	fileBytes       prometheus.Gauge
}

func newMetrics(unsafe func() bool) *metrics {
	name := func(n, help string) prometheus.Opts {
		return prometheus.Opts{Namespace: "pipesocketd", Subsystem: "webhook_journal", Name: n, Help: help}
	}
	counter := func(n, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts(name(n, help)))
	}
	gauge := func(n, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts(name(n, help)))
	}
	return &metrics{
		commits: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: "pipesocketd", Subsystem: "webhook_journal", Name: "commit_duration_seconds",
			Help:    "Time that writing a group of changes to disk took.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5},
		}),
		changes: counter("changes_total", "Changes that were written to disk."),
		skipped: counter("skipped_events_total",
			"Events that are in memory only, or notices that would be forgotten in a crash, because the disk did not keep up."),
		skippedAttempts: counter("skipped_attempts_total", "Attempts that were not recorded, because the disk did not keep up."),
		fault: prometheus.NewGaugeFunc(prometheus.GaugeOpts(name("fault", "1 while the journal cannot be written.")),
			func() float64 {
				if unsafe() {
					return 1
				}
				return 0
			}),
		dead:      gauge("dead_letters", "Payloads that were given up and are kept."),
		deadBytes: gauge("dead_letter_bytes", "Bytes of payloads that were given up and are kept."),
		fileBytes: gauge("file_bytes", "Size of the database."),
	}
}

func (m *metrics) register(r prometheus.Registerer) error {
	var faults []error
	for _, c := range []prometheus.Collector{
		m.commits, m.changes, m.skipped, m.skippedAttempts, m.fault, m.dead, m.deadBytes, m.fileBytes,
	} {
		faults = append(faults, r.Register(c))
	}
	return errors.Join(faults...)
}
