package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Namespace begins the name of every metric of this program.
const Namespace = "pipesocketd"

// Names of labels. What each may hold is a small closed set, apart from
// LabelApp, which has one value per configured app.
const (
	LabelApp    = "app"    // app id
	LabelEvent  = "event"  // kind of webhook event
	LabelReason = "reason" // text of a typed reason
	LabelRoute  = "route"  // route pattern, never the path
	LabelMethod = "method" // HTTP method
	LabelCode   = "code"   // HTTP status or WebSocket close code
	LabelResult = "result" // "ok" or what went wrong
)

// LatencyBuckets are the upper bounds, in seconds, of every latency histogram,
// so that they can be compared: from 100 µs, where a publish in memory ends,
// to 10 s, the time limit of a webhook attempt.
func LatencyBuckets() []float64 {
	return []float64{
		0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
	}
}

// New returns a registry of its own, independent of the library's global one,
// with the collectors of the Go runtime, the process and the module build, and
// with the gauge pipesocketd_build_info, whose labels name the version given
// here and the Go release.
func New(version string) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		collectors.NewBuildInfoCollector(),
		buildInfo(version),
	)
	return registry
}

// buildInfo complements the library's go_build_info, which knows no version but
// the module's, and that is "(devel)" in most builds.
func buildInfo(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace:   Namespace,
		Name:        "build_info",
		Help:        "Always 1; the labels tell what is running.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}
