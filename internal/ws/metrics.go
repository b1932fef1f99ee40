package ws

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

var _ prometheus.Collector = (*Handler)(nil)

var (
	descOpen = prometheus.NewDesc("pipesocketd_sockets_open",
		"WebSocket connections of the process, refused ones included while they last.", nil, nil)
	descCapacity = prometheus.NewDesc("pipesocketd_sockets_limit",
		"WebSocket connections at which the process refuses more with 4100.", nil, nil)
	descRefusals = prometheus.NewDesc("pipesocketd_connections_refused_total",
		"Connections closed during the handshake, by close code.", []string{"code"}, nil)
)

// refusalCounts counts refusals by close code: those of §1.5, 4000 … 4299.
type refusalCounts struct{ byCode [300]atomic.Uint64 }

func (c *refusalCounts) add(code int) {
	if i := code - 4000; i >= 0 && i < len(c.byCode) {
		c.byCode[i].Add(1)
	}
}

// Describe implements prometheus.Collector.
func (h *Handler) Describe(ch chan<- *prometheus.Desc) {
	ch <- descOpen
	ch <- descCapacity
	ch <- descRefusals
}

// Collect implements prometheus.Collector.
func (h *Handler) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(descOpen, prometheus.GaugeValue, float64(h.open.Load()))
	ch <- prometheus.MustNewConstMetric(descCapacity, prometheus.GaugeValue, float64(h.o.MaxConnections))
	for i := range h.refusals.byCode {
		if n := h.refusals.byCode[i].Load(); n > 0 {
			ch <- prometheus.MustNewConstMetric(descRefusals, prometheus.CounterValue, float64(n), strconv.Itoa(4000+i))
		}
	}
}
