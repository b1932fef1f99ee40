package hub

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pipesocket/pipesocketd/internal/protocol"
)

var _ prometheus.Collector = (*Hub)(nil)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("pipesocketd_"+name, help, append([]string{"app"}, labels...), nil)
}

var (
	descConnections   = desc("connections", "Connections that are attached now.")
	descConnected     = desc("connections_opened_total", "Connections that were admitted.")
	descSubscriptions = desc("subscriptions", "Subscriptions, one for each connection and channel, now.")
	descChannels      = desc("channels_occupied", "Channels with at least one subscriber now.")
	descPublished     = desc("events_published_total", "Events from backends, one for each channel.")
	descClientEvents  = desc("client_events_total", "Client events that were accepted.")
	descDelivered     = desc("deliveries_total", "Frames handed to connections by fan-out.")
	descSlow          = desc("slow_consumers_closed_total", "Connections closed with 4100 because their backlog was full.")
	descDropped       = desc("relayed_events_dropped_total", "Events of other nodes that were not delivered because too much of them was waiting for room on their channel.")
	descReceived      = desc("messages_received_total", "Messages from clients.")
	descReceivedBytes = desc("messages_received_bytes_total", "Size of the messages from clients.")
	descRefused       = desc("messages_refused_total", "Messages from clients that were answered with an error.", "reason")
	descPanics        = desc("panics_total", "Bugs that were caught and ended one connection or one delivery.", "where")
)

// Describe implements prometheus.Collector.
func (h *Hub) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(h, ch) }

// Collect implements prometheus.Collector. Every configured app is there, with
// zeros until it is used; the label app takes only ids that are or were
// configured.
func (h *Hub) Collect(ch chan<- prometheus.Metric) {
	for _, app := range h.registry.All() {
		h.tenant(app)
	}
	for _, t := range h.allTenants() {
		t.collect(ch)
	}
}

func (t *tenant) collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, string(t.id))
	}
	count := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), append([]string{string(t.id)}, labels...)...)
	}
	s := &t.stats
	gauge(descConnections, float64(t.connections()))
	gauge(descSubscriptions, float64(s.subscriptions.Load()))
	gauge(descChannels, float64(s.channels.Load()))
	count(descConnected, s.connected.Load())
	count(descPublished, s.published.Load())
	count(descClientEvents, s.clientEvents.Load())
	count(descDelivered, s.delivered.Load())
	count(descSlow, s.slow.Load())
	count(descDropped, s.dropped.Load())
	count(descReceived, s.received.Load())
	count(descReceivedBytes, s.receivedBytes.Load())
	for i, reason := range protocol.Reasons {
		count(descRefused, s.refused[i].Load(), string(reason))
	}
	for i, where := range PanicPlaces {
		count(descPanics, s.panics[i].Load(), string(where))
	}
}
