package cluster

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

// node is a place in the cluster and the process that runs there, which may be
// another one after a while.
type node struct {
	name    string
	yaml    string
	dir     func() string
	listen  string         // of embedded, for other nodes: HOST:PORT
	inFront *engines.Proxy // of listen; nil for other engines

	mu      sync.Mutex
	process *testkit.Server // nil while none runs
	changed chan struct{}   // closed and made anew when process changes
	state   condition       // since a fault struck it, until all is well again
}

// condition is how a node is.
type condition int

const (
	well   condition = iota
	cutOff           // it works for its own clients
	broken           // it does not run, or did not for a while
)

// start starts a process, which must become ready.
func (n *node) start(t testing.TB) {
	t.Helper()
	process, err := testkit.StartServer(program, n.dir(), n.yaml)
	if err != nil {
		t.Fatalf("start %s: %v", n.name, err)
	}
	n.set(process)
}

func (n *node) set(process *testkit.Server) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process = process
	close(n.changed)
	n.changed = make(chan struct{})
}

// now returns the process, nil if none runs, and what is closed when that changes.
func (n *node) now() (*testkit.Server, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process, n.changed
}

// alive returns the process, which must run.
func (n *node) alive(t testing.TB) *testkit.Server {
	t.Helper()
	process, _ := n.now()
	if process == nil {
		t.Fatalf("%s does not run", n.name)
	}
	select {
	case <-process.Ended():
		t.Fatalf("%s ended by itself:\n%s", n.name, process.Stderr.String())
	default:
	}
	return process
}

// kill ends the process as a power cut does.
func (n *node) kill(t testing.TB) {
	t.Helper()
	process := n.alive(t)
	n.set(nil)
	process.Kill()
	if err := process.Verdict(); err != nil {
		t.Errorf("%s: %v", n.name, err)
	}
}

// stop ends the process in order.
func (n *node) stop(t testing.TB) {
	t.Helper()
	process := n.alive(t)
	n.set(nil)
	if err := process.Stop(); err != nil {
		t.Errorf("%s: %v", n.name, err)
	}
}

func (n *node) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := n.alive(t).Signal(signal); err != nil {
		t.Fatalf("%v to %s: %v", signal, n.name, err)
	}
}

// is notes what a fault does to the node.
func (n *node) is(state condition) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.state = state
}

func (n *node) condition() condition {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.state
}

// newNodes describes three nodes that are joined by an engine.
func newNodes(t testing.TB, engine *engines.Engine, prefix, hooks string) []*node {
	t.Helper()
	var nodes []*node
	for i := range 3 {
		nodes = append(nodes, &node{
			name: fmt.Sprint("node-", i), dir: t.TempDir, changed: make(chan struct{}),
		})
	}
	if engine.Kind == engines.Embedded {
		putProxies(t, nodes)
	}
	for i, n := range nodes {
		section := fmt.Sprintf("cluster:\n  engine: %q\n  prefix: %s\n  lease: %s\n  node: %s\n", engine.URL(), prefix, form.lease, n.name)
		if engine.Kind == engines.Embedded {
			section += fmt.Sprintf("  listen: %s\n  seeds: [%s]\n", n.listen, seedsOf(nodes, i))
		}
		n.yaml = configuration(hooks) + section
	}
	return nodes
}

// putProxies gives embedded nodes their addresses, and each a proxy. What nodes
// tell each other of these addresses is changed on its way, so that nobody finds
// out how to go round the proxies.
func putProxies(t testing.TB, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		port, err := engines.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		n.listen = fmt.Sprintf("127.0.0.1:%d", port)
		if n.inFront, err = engines.NewProxy(n.listen); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := n.inFront.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, of := range nodes {
		for _, n := range nodes {
			of.inFront.Rename(n.listen, n.inFront.Addr())
		}
	}
}

func seedsOf(nodes []*node, own int) string {
	var seeds []string
	for i, n := range nodes {
		if i != own {
			seeds = append(seeds, n.inFront.Addr())
		}
	}
	return strings.Join(seeds, ", ")
}
