package daemon

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/httpapi"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// lease is short: nodes of one process hear from each other soon.
const lease = 600 * time.Millisecond

// runNode starts a server that an engine joins to others.
func runNode(t *testing.T, name string, engine broker.Engine, change func(*Options)) *server {
	t.Helper()
	return run(t, func(o *Options) {
		o.Engine = engine
		o.Config.Cluster.Lease, o.Config.Cluster.Node = lease, name
		if change != nil {
			change(o)
		}
	})
}

// status is what the operations API tells of the cluster.
func (s *server) status() (c httpapi.ClusterStatus) {
	s.t.Helper()
	code, body := s.get(s.ops, "/api/cluster")
	if err := json.Unmarshal([]byte(body), &c); err != nil || code != http.StatusOK {
		s.t.Fatalf("/api/cluster answers %d %s", code, body)
	}
	return c
}

func (s *server) awaitNodes(n int) {
	s.t.Helper()
	testkit.WaitFor(s.t, func() bool { c := s.status(); return len(c.Nodes) == n && c.Settled }, fmt.Sprint(n, " nodes"))
}

// ready returns the status and the body of /ready.
func (s *server) ready() (int, string) {
	s.t.Helper()
	return s.get(s.ops, "/ready")
}

func (s *server) subscribe(channel string) *websocket.Conn {
	s.t.Helper()
	conn := s.dial("/app/app-key?protocol=7")
	receive(s.t, conn)
	send(s.t, conn, `{"event":"pusher:subscribe","data":{"channel":"`+channel+`"}}`)
	if m := receive(s.t, conn); m.Event != "pusher_internal:subscription_succeeded" {
		s.t.Fatalf("subscribing was answered by %+v", m)
	}
	return conn
}

// end stops the server, whose clients answer its close frames.
func (s *server) end(conns ...*websocket.Conn) {
	s.t.Helper()
	s.stop()
	for _, conn := range conns {
		_, _, _ = conn.Read(s.t.Context()) // until it is closed
	}
	if err := <-s.done; err != nil {
		s.t.Errorf("stop: %v", err)
	}
	s.done <- nil
}

// occupied asks the HTTP API whether a channel has subscribers.
func (s *server) occupied(channel string) bool {
	s.t.Helper()
	path := "/apps/1001/channels/" + channel
	query := auth.SignedQuery(auth.Key{Key: "app-key", Secret: "app-secret"}, http.MethodGet, path, nil, nil, time.Now())
	code, body := s.get(s.public, path+"?"+query)
	if code != http.StatusOK {
		s.t.Fatalf("%s answers %d %s", path, code, body)
	}
	return strings.Contains(body, `"occupied":true`)
}

func TestNodesServeAsOne(t *testing.T) {
	network := memory.New(memory.Options{})
	one, two := runNode(t, "one", network.Engine(), nil), runNode(t, "two", network.Engine(), nil)
	conn := one.subscribe("my-channel")
	two.trigger(`{"name":"my-event","channel":"my-channel","data":"1"}`)
	if m := receive(t, conn); m.Event != "my-event" {
		t.Fatalf("delivered %+v", m)
	}
	if !two.occupied("my-channel") {
		t.Error("the channel is not occupied at the other node")
	}
	two.awaitNodes(2)
	c := two.status()
	if c.Name != "two" || !c.Ready || !c.Engine.Up || c.Engine.Engine != "memory" || c.ID != c.Nodes[0].ID || c.Counters["published_total"] == 0 {
		t.Errorf("status %+v", c)
	}
	if n := c.Nodes[0]; n.State != "self" || n.Name != "two" || n.Connections != 0 {
		t.Errorf("this node is %+v", n)
	}
	if n := c.Nodes[1]; n.State != "alive" || n.Name != "one" || n.Version != "test" || time.Since(time.UnixMilli(n.StartedMS)) > time.Minute {
		t.Errorf("the other node is %+v", n)
	}
	if code, body := two.get(two.ops, "/metrics"); code != http.StatusOK || !strings.Contains(body, "pipesocketd_cluster_nodes 2\n") {
		t.Errorf("metrics without two nodes: %d", code)
	}
	if code, body := two.ready(); code != http.StatusOK || strings.Contains(body, "alone") {
		t.Errorf("/ready answers %d %s", code, body)
	}

	one.end(conn)
	two.awaitNodes(1)
	if two.occupied("my-channel") {
		t.Error("the channel is still occupied by a node that has left")
	}
	if code, body := two.ready(); code != http.StatusOK || !strings.Contains(body, "no other node is known") {
		t.Errorf("/ready of the last node answers %d %s", code, body)
	}
}

// A node that cannot reach its engine at the start serves alone, and says that it
// should not be sent anybody. It joins when it can.
func TestStartWithoutTheEngine(t *testing.T) {
	network := memory.New(memory.Options{})
	cut := network.Engine()
	cut.Cut()
	began := time.Now()
	s := runNode(t, "one", cut, nil)
	if took := time.Since(began); took < lease {
		t.Errorf("served after %v, want to wait for the engine for %v", took, lease)
	}
	code, body := s.ready()
	if code != http.StatusServiceUnavailable || !strings.Contains(body, "not connected to memory") {
		t.Errorf("/ready answers %d %s", code, body)
	}
	if code, body := s.get(s.public, "/ready"); code != http.StatusServiceUnavailable || strings.Contains(body, "memory") {
		t.Errorf("in public /ready answers %d %s", code, body)
	}
	conn := s.subscribe("my-channel")
	s.trigger(`{"name":"my-event","channel":"my-channel","data":"1"}`)
	if m := receive(t, conn); m.Event != "my-event" {
		t.Fatalf("delivered %+v", m)
	}
	other := runNode(t, "two", network.Engine(), nil)
	cut.Heal()
	s.awaitNodes(2)
	testkit.WaitFor(t, func() bool { code, _ := s.ready(); return code == http.StatusOK }, "readiness")
	if !other.occupied("my-channel") {
		t.Error("what the node had before is not known to the other one")
	}
}

func TestCutNodeServesItsOwnAndReturns(t *testing.T) {
	network := memory.New(memory.Options{})
	engine := network.Engine()
	one, two := runNode(t, "one", engine, nil), runNode(t, "two", network.Engine(), nil)
	conn := one.subscribe("my-channel")
	two.awaitNodes(2)
	engine.Cut()
	testkit.WaitFor(t, func() bool { code, _ := one.ready(); return code == http.StatusServiceUnavailable }, "/ready to tell of the cut")
	if _, body := one.ready(); !strings.Contains(body, "not connected to memory") {
		t.Errorf("/ready says %s", body)
	}
	if c := one.status(); c.Ready || c.Engine.Up || c.Engine.Fault == "" {
		t.Errorf("status %+v", c)
	}
	one.trigger(`{"name":"near","channel":"my-channel","data":"1"}`)
	if m := receive(t, conn); m.Event != "near" {
		t.Fatalf("delivered %+v", m)
	}
	testkit.WaitFor(t, func() bool { return !two.occupied("my-channel") }, "the lease to end")
	engine.Heal()
	two.awaitNodes(2)
	testkit.WaitFor(t, func() bool { return two.occupied("my-channel") }, "the channel to be known again")
	two.trigger(`{"name":"far","channel":"my-channel","data":"1"}`)
	if m := receive(t, conn); m.Event != "far" {
		t.Fatalf("delivered %+v", m)
	}
}
