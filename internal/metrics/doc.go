// Package metrics makes the registry that the whole process counts into, and
// holds the names that its metrics share: prefix, labels and latency buckets.
//
// The collectors themselves live in metrics.go of the package that they count
// for. They take a [github.com/prometheus/client_golang/prometheus.Registerer],
// begin their names with [Namespace], and label by app at most: never by
// channel, user or socket, of which there is no end.
package metrics
