package cluster

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/test/engines"
)

// world is a cluster and all that use it.
type world struct {
	t        *testing.T // of the present fault
	engine   *engines.Engine
	nodes    []*node
	receiver *receiver
	backend  backend
	gate     gate

	listeners  []*listener
	publishers []*publisher
	visitors   []*visitor
}

// newWorld starts everything; it ends with the test.
func newWorld(t *testing.T, kind engines.Kind) *world {
	t.Helper()
	engine, err := engines.Start(kind, t.TempDir(), true)
	t.Cleanup(func() {
		if err := engine.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 16}
	t.Cleanup(transport.CloseIdleConnections)
	w := &world{t: t, engine: engine, receiver: newReceiver(t), backend: backend{&http.Client{Transport: transport}}}
	w.nodes = newNodes(t, engine, "w-"+string(kind), w.receiver.server.URL)
	for _, n := range w.nodes {
		n.start(t)
	}
	t.Cleanup(func() { w.end(t) })
	w.populate(t)
	w.settle("the start")
	return w
}

// end stops the nodes that run and reports what was wrong with them.
func (w *world) end(t *testing.T) {
	t.Helper()
	for _, n := range w.nodes {
		if process, _ := n.now(); process != nil {
			n.stop(t)
		}
	}
}

// populate starts the clients and backends, which end before the nodes.
func (w *world) populate(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
	for _, n := range w.nodes {
		for i := range form.clients {
			l := &listener{user: fmt.Sprintf("l-%s-%d", n.name, i), channel: eventChannel(i % eventChannels), node: n}
			w.listeners = append(w.listeners, l)
			running.Go(func() { l.run(ctx) })
		}
		http := &publisher{name: "http-" + n.name, node: n, backend: w.backend, gate: &w.gate}
		client := &publisher{name: "client-" + n.name, node: n, gate: &w.gate}
		v := &visitor{node: n, gate: &w.gate}
		w.publishers = append(w.publishers, http, client)
		w.visitors = append(w.visitors, v)
		running.Go(func() { http.runHTTP(ctx) })
		running.Go(func() { client.runClient(ctx) })
		running.Go(func() { v.run(ctx) })
	}
}

// configuration is what nodes have in common but for the cluster section.
func configuration(hooks string) string {
	level := "warn"
	if os.Getenv("PIPESOCKETD_FAULTS_LOG") != "" {
		level = os.Getenv("PIPESOCKETD_FAULTS_LOG")
	}
	return fmt.Sprintf(`listen: 127.0.0.1:0
ops: {listen: 127.0.0.1:0}
drain_window: 200ms
log: {level: %s}
webhooks: {allow_addresses: [127.0.0.0/8], grace_delay: %s, timeout: 5s}
apps:
  - id: %q
    keys: [{key: %s, secret: %s}]
    client_events: true
    client_event_rate: 10000
    max_presence_members: 1000
    webhooks:
      - url: %s
        events: [channel_occupied, channel_vacated, member_added, member_removed]
`, level, grace, appID, appKey, appSecret, hooks)
}

// sever makes a fault between one node and the engine, or the other nodes if they
// are the engine.
func (w *world) sever(n *node, f engines.Fault) {
	w.t.Helper()
	pid := n.alive(w.t).PID()
	for _, proxy := range w.engine.Proxies {
		proxy.SetFor(pid, f)
	}
	if n.inFront == nil {
		return
	}
	for _, other := range w.nodes {
		if other != n {
			other.inFront.SetFor(pid, f)
		}
	}
	n.inFront.Set(f.Reversed())
}

// proxies returns all that stand between nodes.
func (w *world) proxies() []*engines.Proxy {
	all := w.engine.Proxies
	for _, n := range w.nodes {
		if n.inFront != nil {
			all = append(all, n.inFront)
		}
	}
	return all
}

// last is a duration of the fault itself.
func (w *world) last() { pause(w.t.Context(), form.lasting) }

// eventually fails the test if something is wrong for longer than the bound. wrong
// returns what, and nothing when all is well.
func (w *world) eventually(what string, wrong func() []string) {
	w.t.Helper()
	begin := time.Now()
	var problems []string
	for time.Since(begin) < form.bound() {
		if problems = wrong(); len(problems) == 0 {
			w.t.Logf("%s after %v", what, time.Since(begin).Round(10*time.Millisecond))
			return
		}
		pause(w.t.Context(), 50*time.Millisecond)
	}
	w.t.Errorf("not within %v: %s:\n%s", form.bound(), what, strings.Join(problems[:min(len(problems), 20)], "\n"))
}

// report logs what the processes have to say about a failure.
func (w *world) report(t *testing.T) {
	t.Helper()
	for _, n := range w.nodes {
		if process, _ := n.now(); process != nil {
			t.Logf("%s at %s says at last:\n%s\n%s", n.name, process.Public, tail(process.Stderr.String()), w.ops(process.Ops+"/api/cluster"))
		}
	}
	for _, server := range append(w.engine.Servers, w.engine.Sentinels...) {
		t.Logf("%s says at last:\n%s", server.Addr(), tail(server.Output()))
	}
}

func tail(text string) string { return text[max(0, len(text)-3000):] }
