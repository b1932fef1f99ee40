package daemon

import (
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/metrics"
)

// others returns how many other nodes are known to be alive.
func (d *daemon) others() int { return len(d.node.Status().Nodes) - 1 }

// clusterStatus shows the node to the operations API.
func (d *daemon) clusterStatus() httpapi.ClusterStatus {
	s, reasons := d.node.Status(), d.node.Ready()
	shown := httpapi.ClusterStatus{
		ID:      s.Node,
		Name:    s.Name,
		Version: s.Version,
		Ready:   len(reasons) == 0,
		Reasons: reasons,
		Engine: httpapi.ClusterEngine{
			Engine:  s.Engine.Engine,
			Servers: s.Engine.Servers,
			Version: s.Engine.Version,
			Up:      s.Link == "up",
			SinceMS: time.Now().UnixMilli() - s.SinceMS,
			Fault:   s.Cause,
		},
		Settled:       s.Settled,
		OtherReleases: s.OtherReleases,
		Counters:      d.clusterCounters(),
	}
	for i, n := range s.Nodes {
		state := string(n.State)
		if i == 0 {
			state = "self"
		}
		shown.Nodes = append(shown.Nodes, httpapi.ClusterNode{
			ID:          n.ID,
			Name:        n.Name,
			Version:     n.Version,
			State:       state,
			StartedMS:   n.Started.UnixMilli(),
			Connections: n.Connections,
			LagMS:       n.LagMS,
		})
	}
	return shown
}

const clusterMetrics = metrics.Namespace + "_cluster_"

// clusterCounters returns the metrics of the node, as far as they are single figures.
func (d *daemon) clusterCounters() map[string]float64 {
	all := make(map[string]float64)
	families, err := d.metrics.Gather()
	if err != nil {
		d.o.Log.Error("gather metrics", "error", err) // what could be gathered is there
	}
	for _, family := range families {
		name, ok := strings.CutPrefix(family.GetName(), clusterMetrics)
		if !ok {
			continue
		}
		for _, m := range family.GetMetric() {
			switch {
			case m.GetCounter() != nil:
				all[name+labelled(m)] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				all[name+labelled(m)] = m.GetGauge().GetValue()
			}
		}
	}
	return all
}

// labelled returns the labels of a metric as they are appended to its name.
func labelled(m *dto.Metric) string {
	var pairs []string
	for _, l := range m.GetLabel() {
		pairs = append(pairs, l.GetName()+"="+l.GetValue())
	}
	if len(pairs) == 0 {
		return ""
	}
	return "{" + strings.Join(pairs, ",") + "}"
}
