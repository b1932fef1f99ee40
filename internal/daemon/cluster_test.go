package daemon

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/memory"
	"github.com/pipesocket/pipesocketd/internal/config"
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

// hooks is a receiver of webhooks.
type hooks struct {
	*httptest.Server
	mu     sync.Mutex
	events []string
}

func newHooks(t *testing.T) *hooks {
	t.Helper()
	h := &hooks{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body struct {
			Events []struct{ Name, Channel string }
		}
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(text, &body)
		}
		if err != nil {
			t.Errorf("webhook %q: %v", text, err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for _, e := range body.Events {
			h.events = append(h.events, e.Name+" "+e.Channel)
		}
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hooks) got() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// withHooks has an app report occupied and vacated.
func withHooks(h *hooks, grace time.Duration, dir string) func(*Options) {
	return func(o *Options) {
		o.Config.DataDir = dir
		o.Config.Webhooks.GraceDelay = grace
		o.Config.Webhooks.AllowAddresses = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		app := config.DefaultApp()
		app.ID, app.Keys = "1001", []config.Key{{Key: "app-key", Secret: "app-secret"}}
		hook := config.DefaultWebhook()
		hook.URL, hook.Events = h.URL, []string{"channel_occupied", "channel_vacated"}
		app.Webhooks = []config.Webhook{hook}
		o.Config.Apps = []config.App{app}
	}
}

// One node tells of each edge, and clients that come back to another node while
// theirs stops were never gone.
func TestWebhooksOverAStop(t *testing.T) {
	const channels = 20
	h := newHooks(t)
	network := memory.New(memory.Options{})
	grace := withHooks(h, 3*time.Second, "")
	one, two := runNode(t, "one", network.Engine(), grace), runNode(t, "two", network.Engine(), grace)
	two.awaitNodes(2)
	one.awaitNodes(2)
	var want []string
	var conns []*websocket.Conn
	for i := range channels {
		conns = append(conns, one.subscribe(fmt.Sprint("c", i)))
		want = append(want, fmt.Sprint("channel_occupied c", i))
	}
	conns = append(conns, one.subscribe("gone"))
	want = append(want, "channel_occupied gone")
	one.end(conns...)
	for i := range channels {
		two.subscribe(fmt.Sprint("c", i))
	}
	want = append(want, "channel_vacated gone")
	testkit.WaitFor(t, func() bool { return len(h.got()) >= len(want) }, "the webhooks")
	got := h.got()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("told\n%q\nwant\n%q", got, want)
	}
}

// What an earlier process has told to be on is taken up by the first node only:
// later ones hear from it what is.
func TestToldEdgesOverARestart(t *testing.T) {
	h := newHooks(t)
	dirs := []string{t.TempDir(), t.TempDir()}
	network := memory.New(memory.Options{})
	one := runNode(t, "one", network.Engine(), withHooks(h, 0, dirs[0]))
	conn := one.subscribe("stays")
	testkit.WaitFor(t, func() bool { return slices.Equal(h.got(), []string{"channel_occupied stays"}) }, "the first webhook")
	two := runNode(t, "two", network.Engine(), withHooks(h, 0, dirs[1]))
	two.awaitNodes(2)
	two.subscribe("stays")
	one.end(conn)
	two.awaitNodes(1)
	one = runNode(t, "one", network.Engine(), withHooks(h, 0, dirs[0]))
	one.awaitNodes(2)
	two.awaitNodes(2)
	one.subscribe("last")
	testkit.WaitFor(t, func() bool { return slices.Contains(h.got(), "channel_occupied last") }, "the last webhook")
	if got := h.got(); len(got) != 2 {
		t.Errorf("told %q", got)
	}
}

// Whoever waits for the ready line is not told that a node serves which ends the
// next moment.
func TestEngineThatCanNeverWork(t *testing.T) {
	var lc net.ListenConfig
	taken, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	o := options(func(c *config.Config) {
		c.Cluster.Engine, c.Cluster.Listen = config.EngineEmbedded, taken.Addr().String()
	})
	err = Run(t.Context(), o)
	if err == nil || !strings.HasPrefix(err.Error(), "open cluster.listen "+taken.Addr().String()+": ") ||
		!strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Run: %v, want an error that names the setting and the address", err)
	}
	if out := o.Stdout.(fmt.Stringer).String(); strings.Contains(out, "ready") {
		t.Errorf("printed %q", out)
	}
}

func TestEngineOf(t *testing.T) {
	for url, want := range map[string]string{
		"redis://127.0.0.1:1":                   "redis",
		"valkey://127.0.0.1:1":                  "redis",
		"nats://127.0.0.1:1,nats://127.0.0.1:2": "nats",
		"tls://127.0.0.1:1":                     "nats",
		"nats://u:sesame@127.0.0.1:1?sesame=a":  "",
		config.EngineEmbedded:                   "embedded",
	} {
		c := config.Defaults().Cluster
		c.Engine, c.Listen, c.Seeds = url, "127.0.0.1:6222", []string{"127.0.0.2"}
		engine, err := engineOf(c, nil, options(nil).Log)
		switch {
		case want == "" && (err == nil || strings.Contains(err.Error(), "sesame")):
			t.Errorf("%s: error %v", url, err)
		case want != "" && err != nil:
			t.Errorf("%s: %v", url, err)
		case want != "" && engine.Describe().Engine != want:
			t.Errorf("%s is %+v", url, engine.Describe())
		}
	}
}

// clusterFiles puts a certificate of an authority into files.
func clusterFiles(t *testing.T, dir string, a *testkit.Authority) config.ClusterTLS {
	t.Helper()
	files := config.ClusterTLS{
		CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
	}
	cert, key := testkit.PairPEM(t, a.Issue("node", time.Now().Add(time.Hour)))
	writeFile(t, files.CAFile, a.PEM())
	writeFile(t, files.CertFile, cert)
	writeFile(t, files.KeyFile, key)
	return files
}

func TestReloadOfTheClustersCertificate(t *testing.T) {
	dir, authority := t.TempDir(), testkit.NewAuthority(t, "cluster")
	o := options(func(c *config.Config) {
		withApp(c, "first").Cluster.Engine = "rediss://127.0.0.1:1"
		c.Cluster.TLS = clusterFiles(t, dir, authority)
		c.Cluster.TLS.ServerName = "redis.internal"
	})
	o.Reload = func() (*config.Config, error) { return withApp(config.Defaults(), "first"), nil }
	d, err := build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := d.clusterTLS()
	if err != nil {
		t.Fatal(err)
	}
	if trust.ServerName != "redis.internal" || !trust.RootCAs.Equal(authority.Pool()) || trust.MinVersion != tls.VersionTLS12 {
		t.Errorf("connections are made by %+v", trust)
	}
	shown := func() string {
		t.Helper()
		client, err := trust.GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		server, err := trust.GetCertificate(nil)
		if err != nil || !bytes.Equal(client.Certificate[0], server.Certificate[0]) {
			t.Errorf("different certificates in both directions (%v)", err)
		}
		return string(client.Certificate[0])
	}
	first := shown()
	clusterFiles(t, dir, authority)
	if shown() != first {
		t.Error("another certificate before the reload")
	}
	if err := d.tryReload(); err != nil {
		t.Fatal(err)
	}
	second := shown()
	if second == first {
		t.Error("the old certificate after the reload")
	}
	writeFile(t, filepath.Join(dir, "key.pem"), []byte("no key"))
	if err := d.tryReload(); err == nil || !strings.Contains(err.Error(), "cluster.tls") {
		t.Errorf("reload with a broken key: %v", err)
	}
	if shown() != second {
		t.Error("another certificate after a reload that failed")
	}
}

func TestEmbeddedNodesOverTLS(t *testing.T) {
	authority := testkit.NewAuthority(t, "cluster")
	ports := freePorts(t, 2)
	node := func(name string, listen, seed string) *server {
		return run(t, func(o *Options) {
			o.Config.Cluster = config.Defaults().Cluster
			o.Config.Cluster.Engine, o.Config.Cluster.Node = config.EngineEmbedded, name
			o.Config.Cluster.Listen, o.Config.Cluster.Seeds = listen, []string{seed}
			o.Config.Cluster.Secret = "0123456789abcdef"
			o.Config.Cluster.TLS = clusterFiles(t, t.TempDir(), authority)
		})
	}
	one := node("one", ports[0], ports[1])
	two := node("two", ports[1], ports[0])
	two.awaitNodes(2)
	conn := one.subscribe("my-channel")
	two.trigger(`{"name":"my-event","channel":"my-channel","data":"1"}`)
	if m := receive(t, conn); m.Event != "my-event" {
		t.Fatalf("delivered %+v", m)
	}
	if c := two.status(); c.Engine.Engine != "embedded" || c.Nodes[1].Name != "one" {
		t.Errorf("status %+v", c)
	}
}

// freePorts returns addresses on which nobody listens.
func freePorts(t *testing.T, n int) (addresses []string) {
	t.Helper()
	var lc net.ListenConfig
	for range n {
		l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, l.Addr().String())
		defer func() { _ = l.Close() }()
	}
	return addresses
}
