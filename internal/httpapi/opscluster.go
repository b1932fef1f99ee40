package httpapi

import "net/http"

// ClusterStatus is what a node knows of the cluster, as the operations API shows
// it. Times are Unix milliseconds.
type ClusterStatus struct {
	ID      string        `json:"id"` // of this node
	Name    string        `json:"name"`
	Version string        `json:"version"`
	Ready   bool          `json:"ready"`             // as far as the cluster is concerned
	Reasons []string      `json:"reasons,omitempty"` // why it is not
	Engine  ClusterEngine `json:"engine"`
	Settled bool          `json:"settled"` // all nodes agree on who is there
	Nodes   []ClusterNode `json:"nodes"`   // this node first, then by name

	// OtherReleases is set if nodes use the engine with which this one cannot talk.
	OtherReleases bool `json:"other_releases,omitempty"`

	// Counters are the metrics pipesocketd_cluster_…, without what all their names begin with.
	Counters map[string]float64 `json:"counters"`
}

// ClusterEngine is what carries messages between nodes.
type ClusterEngine struct {
	Engine  string   `json:"engine"`            // redis, redis cluster, nats, embedded
	Servers []string `json:"servers,omitempty"` // host:port
	Version string   `json:"version,omitempty"` // of the server
	Up      bool     `json:"up"`
	SinceMS int64    `json:"since_ms,omitempty"` // that it is up, or down
	Fault   string   `json:"fault,omitempty"`    // why it is down
}

// ClusterNode is one node as this one sees it.
type ClusterNode struct {
	ID          string  `json:"id"` // another one after each start
	Name        string  `json:"name"`
	Version     string  `json:"version"`
	State       string  `json:"state"` // self, alive, or what is wrong with it
	StartedMS   int64   `json:"started_ms,omitempty"`
	Connections int     `json:"connections"`
	LagMS       float64 `json:"lag_ms"` // how late its signs of life come; of this node: how long its own messages take to come back
}

var errNoCluster = &Error{http.StatusNotImplemented, "This node is alone: no engine is configured (cluster.engine, PIPESOCKETD_CLUSTER_ENGINE)"}

func (a *opsAPI) showCluster(*http.Request) (any, error) {
	if a.cluster == nil {
		return nil, errNoCluster
	}
	return a.cluster(), nil
}
