package conformance

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pipesocket/pipesocketd/test/engines"
)

// nodesOfCluster is how many nodes a server has in the runs on an engine.
const nodesOfCluster = 3

// topology is what servers consist of: how many nodes, and what is between them.
type topology struct {
	nodes   int
	proxied bool // clients reach the nodes in turns
	engine  *engines.Engine
}

// alone is a single process.
var alone = topology{nodes: 1}

// usual is the topology of this run; set by TestMain, immutable afterwards.
var usual topology

// chooseTopology starts the engine that PIPESOCKETD_CONFORMANCE_ENGINE names: an
// [engines.Kind], for clusters; "proxy" for one node behind the proxy, which tells
// whether a failure is due to that; nothing for one node.
func chooseTopology(dir string) (topology, error) {
	name := os.Getenv("PIPESOCKETD_CONFORMANCE_ENGINE")
	switch name {
	case "":
		return alone, nil
	case "proxy":
		return topology{nodes: 1, proxied: true}, nil
	}
	engine, err := engines.Start(engines.Kind(name), dir, false)
	return topology{nodes: nodesOfCluster, proxied: true, engine: engine}, err
}

func (y topology) stop() error {
	if y.engine == nil {
		return nil
	}
	return y.engine.Stop()
}

var clusters atomic.Int64

// sections returns the cluster settings of each node of one server. Servers share
// an engine, hence each has a prefix of its own.
func (y topology) sections() ([]string, error) {
	if y.engine == nil {
		return make([]string, y.nodes), nil
	}
	prefix := fmt.Sprintf("c-%d-%d", os.Getpid(), clusters.Add(1))
	if y.engine.Kind == engines.Embedded {
		return embeddedSections(y.nodes, prefix)
	}
	section := fmt.Sprintf("cluster: {engine: %q, prefix: %s}\n", y.engine.URL(), prefix)
	return strings.Split(strings.Repeat(section, y.nodes), "\n")[:y.nodes], nil
}

func embeddedSections(nodes int, prefix string) ([]string, error) {
	var addrs, sections []string
	for range nodes {
		port, err := engines.FreePort()
		if err != nil {
			return nil, err
		}
		addrs = append(addrs, fmt.Sprintf("127.0.0.1:%d", port))
	}
	for i, listen := range addrs {
		seeds := append(append([]string(nil), addrs[:i]...), addrs[i+1:]...)
		sections = append(sections, fmt.Sprintf("cluster: {engine: embedded, prefix: %s, listen: %q, seeds: [%s]}",
			prefix, listen, strings.Join(seeds, ", ")))
	}
	return sections, nil
}

// joined waits until every node knows all others.
func (s *server) joined() error {
	if len(s.nodes) == 1 {
		return nil
	}
	var missing string
	whole := poll(startTimeout, func() bool {
		missing = ""
		for i := range s.nodes {
			samples, err := s.metricsOf(i)
			if known := samples["pipesocketd_cluster_nodes"]; err != nil || known != float64(len(s.nodes)) {
				missing = fmt.Sprintf("node %d knows %v nodes: %v", i, known, err)
				return false
			}
		}
		return true
	})
	if !whole {
		return fmt.Errorf("the nodes do not join: %s", missing)
	}
	return nil
}

// explain logs what the nodes of a cluster have counted if the test fails: barriers
// that were given up after a second explain what is otherwise impossible.
func (s *server) explain(t *testing.T) {
	t.Helper()
	if len(s.nodes) == 1 {
		return
	}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for i := range s.nodes {
			samples, err := s.metricsOf(i)
			for name, value := range samples {
				if strings.HasPrefix(name, "pipesocketd_cluster_") && value != 0 && !strings.Contains(name, "_bucket") {
					t.Logf("node %d: %s %v", i, name, value)
				}
			}
			if err != nil {
				t.Log(err)
			}
		}
	})
}

// onOneNode returns a server of one process, whatever the topology of the run. It is for
// what is not a matter of clusters; the reason says why that is so.
func onOneNode(t *testing.T, reason, yaml string, env ...string) *server {
	t.Helper()
	if usual.nodes > 1 {
		t.Log("on one node: " + reason)
	}
	return startOn(t, alone, yaml, env...)
}
