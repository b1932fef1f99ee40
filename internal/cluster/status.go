package cluster

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
)

// NodeState is what a node thinks of another one.
type NodeState string

// States of nodes.
const (
	Alive   NodeState = "alive"
	Suspect NodeState = "suspect" // its beats are late, or it does not answer
	Syncing NodeState = "syncing" // its state is on its way
)

// Status is what an operator wants to know of the cluster, as this node sees it.
// It is never changed.
type Status struct {
	Node    string             `json:"node"` // id of this one
	Name    string             `json:"name"`
	Version string             `json:"version"`
	Engine  broker.Description `json:"engine"`
	Link    string             `json:"link"` // up or down
	SinceMS int64              `json:"since_ms"`
	Cause   string             `json:"cause,omitempty"` // of the link being down
	Settled bool               `json:"settled"`         // all nodes agree on who is alive

	// OtherReleases is set if nodes of a release use the engine with which this one
	// cannot talk.
	OtherReleases bool `json:"other_releases,omitempty"`

	Nodes []NodeStatus `json:"nodes"` // this one first, then by name
}

// NodeStatus is one node.
type NodeStatus struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"` // by that node's clock
	Connections int       `json:"connections"`
	LagMS       float64   `json:"lag_ms"` // of this node: a message to the engine and back; of others: how late beats come
	State       NodeState `json:"state"`
}

// Status returns what is known now; of other nodes it may be as old as one beat.
func (n *Node) Status() Status {
	known := n.known.Load()
	l := n.link.Load()
	s := Status{
		Node: n.id.String(), Name: n.options.Name, Version: n.options.Version,
		Engine: n.options.Engine.Describe(), Link: "down", SinceMS: (n.clock.now() - l.since).Milliseconds(),
		Cause: l.cause, Settled: known.settled, OtherReleases: n.strangers.Load(),
		Nodes: []NodeStatus{{
			ID: n.id.String(), Name: n.options.Name, Version: n.options.Version, Started: n.started,
			Connections: int(n.connections.Load()), LagMS: milliseconds(time.Duration(n.echo.Load())), State: Alive,
		}},
	}
	if l.up {
		s.Link = "up"
	}
	s.Nodes = append(s.Nodes, known.nodes...)
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// Ready returns why this node should not get connections now; nothing if it should.
func (n *Node) Ready() []string {
	var reasons []string
	if l := n.link.Load(); !l.up {
		since := (n.clock.now() - l.since).Truncate(time.Second)
		reasons = append(reasons, fmt.Sprintf("cluster: not connected to %s (since %s)", n.options.Engine.Describe().Engine, since))
	}
	if since := n.known.Load().fewSince; since > 0 {
		reasons = append(reasons, fmt.Sprintf("cluster: most other nodes are not heard of (since %s)", (n.clock.now()-since).Truncate(time.Second)))
	}
	if !n.serving.Load() {
		reasons = append(reasons, "cluster: waiting for the state of other nodes")
	}
	return reasons
}

// known is what the worker has published of the other nodes.
type known struct {
	nodes    []NodeStatus
	settled  bool
	fewSince time.Duration // when most of the others were lost; 0: they were not
}

func (w *worker) publishStatus() {
	k := &known{settled: w.settled}
	if w.minority(w.clock.now()) {
		k.fewSince = w.viewSince
	}
	for _, p := range w.peers {
		if p.alive() {
			k.nodes = append(k.nodes, w.statusOf(p))
		}
	}
	slices.SortFunc(k.nodes, func(a, b NodeStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	w.known.Store(k)
}

func (w *worker) statusOf(p *peer) NodeStatus {
	age := w.clock.now() - p.heard
	s := NodeStatus{
		ID: p.id.String(), Name: p.beat.Name, Version: p.beat.Version, Started: time.Unix(p.beat.Started, 0).UTC(),
		Connections: p.beat.Connections, LagMS: milliseconds(max(p.delay, age-w.period(), 0)), State: Alive,
	}
	switch {
	case age > 2*w.period() || w.markers.isSuspect(p.id):
		s.State = Suspect
	case !p.synced || p.recover.state != noRecovery:
		s.State = Syncing
	}
	return s
}
