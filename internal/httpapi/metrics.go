package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/metrics"
)

// Registerer is where the collectors of an API go.
type Registerer = prometheus.Registerer

// routeOther is the route label of requests to paths that do not exist.
const routeOther = "other"

// apiMetrics counts requests. Labels are bounded: routes are patterns, codes are
// those that this package answers with, and an app is named only once it is
// known to exist.
type apiMetrics struct {
	requests *prometheus.CounterVec
	refusals *prometheus.CounterVec
	duration map[string]prometheus.Observer // by route
}

func newAPIMetrics(registerer Registerer) *apiMetrics {
	m := &apiMetrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metrics.Namespace,
			Name:      "http_requests_total",
			Help:      "Requests to the HTTP API.",
		}, []string{metrics.LabelApp, metrics.LabelRoute, metrics.LabelCode}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: metrics.Namespace,
			Name:      "http_signatures_refused_total",
			Help:      "Requests to the HTTP API whose signature was refused.",
		}, []string{metrics.LabelApp, metrics.LabelReason}),
		duration: make(map[string]prometheus.Observer, len(endpoints)),
	}
	duration := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: metrics.Namespace,
		Name:      "http_request_duration_seconds",
		Help:      "Time from the header of a request to the end of its answer.",
		Buckets:   metrics.LatencyBuckets(),
	}, []string{metrics.LabelRoute})
	for i := range endpoints {
		m.duration[endpoints[i].pattern] = duration.WithLabelValues(endpoints[i].pattern)
	}
	if registerer != nil {
		registerer.MustRegister(m.requests, m.refusals, duration)
	}
	return m
}

func (m *apiMetrics) count(app, route string, code int) {
	text := "200" // spares an allocation where requests are many
	if code != http.StatusOK {
		text = strconv.Itoa(code)
	}
	m.requests.WithLabelValues(app, route, text).Inc()
}

func (m *apiMetrics) observe(route string, took time.Duration) {
	m.duration[route].Observe(took.Seconds())
}

// refused counts err if it is a refused signature.
func (m *apiMetrics) refused(app string, err error) {
	if refused, ok := errors.AsType[*auth.RequestError](err); ok {
		m.refusals.WithLabelValues(app, string(refused.Reason)).Inc()
	}
}
