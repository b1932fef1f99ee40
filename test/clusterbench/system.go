package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

// system is what gets the loads: so many nodes and what joins them.
type system struct {
	name  string
	nodes int
	kind  engines.Kind // "" for a node by itself
}

const single = "single"

var systems = []system{
	{name: single, nodes: 1},
	{name: "redis", nodes: 3, kind: engines.Redis},
	{name: "nats", nodes: 3, kind: engines.NATS},
	{name: "embedded", nodes: 3, kind: engines.Embedded},
}

// Credentials of the app that is loaded. Everything listens on loopback only.
const (
	appID     = "4711"
	appKey    = "bench-key"
	appSecret = "bench-secret"
)

// configuration lets every load through: client events at any rate, large presence
// channels, and backlogs that hold their lists of members.
const configuration = `listen: 127.0.0.1:0
ops: {listen: 127.0.0.1:0, pprof: true}
log: {level: error}
drain_window: 0s
limits: {frames_per_second: 0}
apps:
  - id: "` + appID + `"
    keys: [{key: ` + appKey + `, secret: ` + appSecret + `}]
    client_events: true
    client_event_rate: 1000000
    max_presence_members: 100000
    backlog_bytes: 16777216
`

// running is a system at work.
type running struct {
	nodes  []*testkit.Server
	engine []int // processes
	dir    string
}

// start starts the nodes of a system, and its engine if it does not run yet.
func (s *system) start(binary, dir string, set *engineSet) (r *running, err error) {
	r = &running{}
	if r.dir, err = os.MkdirTemp(dir, "nodes"); err != nil {
		return nil, err
	}
	var url string
	if s.kind != "" {
		engine, err := set.get(s.kind)
		if err != nil {
			return nil, err
		}
		url = engine.URL()
		for _, server := range engine.Servers {
			r.engine = append(r.engine, server.PID())
		}
	}
	listen, err := ports(s)
	if err != nil {
		return nil, err
	}
	for i := range s.nodes {
		own := filepath.Join(r.dir, fmt.Sprint(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, errors.Join(err, r.stop())
		}
		node, err := testkit.StartServer(binary, own, configuration+clustered(url, filepath.Base(r.dir), listen, i))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("start node %d: %w", i+1, err), r.stop())
		}
		r.nodes = append(r.nodes, node)
	}
	return r, nil
}

// ports are those of an embedded engine, one for each node.
func ports(s *system) (listen []string, err error) {
	if s.kind != engines.Embedded {
		return nil, nil
	}
	for range s.nodes {
		port, err := engines.FreePort()
		if err != nil {
			return nil, err
		}
		listen = append(listen, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return listen, nil
}

// clustered is what makes a node one of a cluster; prefix is different for each.
func clustered(url, prefix string, listen []string, i int) string {
	if url == "" {
		return ""
	}
	text := fmt.Sprintf("cluster:\n  engine: %q\n  prefix: %s\n  node: node-%d\n", url, prefix, i+1)
	if len(listen) > 0 {
		text += fmt.Sprintf("  listen: %s\n  seeds: [%s]\n", listen[i], strings.Join(listen, ", "))
	}
	return text
}

// stop ends the nodes.
func (r *running) stop() error {
	var errs []error
	for _, node := range r.nodes {
		errs = append(errs, node.Stop())
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

// engineSet keeps engines for all turns.
type engineSet struct {
	dir  string
	kept map[engines.Kind]*engines.Engine
}

func (e *engineSet) get(kind engines.Kind) (*engines.Engine, error) {
	if engine := e.kept[kind]; engine != nil {
		return engine, nil
	}
	engine, err := engines.Start(kind, e.dir, false)
	if err != nil {
		return nil, errors.Join(err, engine.Stop())
	}
	if e.kept == nil {
		e.kept = map[engines.Kind]*engines.Engine{}
	}
	e.kept[kind] = engine
	return engine, nil
}

func (e *engineSet) stop() {
	for _, engine := range e.kept {
		_ = engine.Stop() // nothing is kept
	}
}
