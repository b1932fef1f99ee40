package natsbroker

import (
	"context"
	"net"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// startServer starts a NATS server on TCP; the returned function stops it, as does
// the end of the test.
func startServer(t testing.TB, change func(*server.Options)) (*server.Server, func()) {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true}
	if change != nil {
		change(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	stop := sync.OnceFunc(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	t.Cleanup(stop)
	return s, stop
}

// startCluster starts count servers that know one another.
func startCluster(t testing.TB, count int, changes ...func(*server.Options)) (servers []*server.Server, stop []func()) {
	t.Helper()
	var routes []*url.URL
	for range count {
		s, end := startServer(t, func(o *server.Options) {
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT}
			o.Routes = routes
			for _, change := range changes {
				change(o)
			}
		})
		if routes == nil {
			routes = []*url.URL{{Scheme: "nats-route", Host: s.ClusterAddr().String()}}
		}
		servers, stop = append(servers, s), append(stop, end)
	}
	for _, s := range servers {
		testkit.WaitFor(t, func() bool {
			routes, _ := s.Routez(nil)
			remotes := make(map[string]bool)
			for _, r := range routes.Routes {
				remotes[r.RemoteID] = true
			}
			return len(remotes) == count-1
		}, "the servers to find one another")
	}
	return servers, stop
}

// clientURL is the server's address without credentials.
func clientURL(s *server.Server) string { return "nats://" + s.Addr().String() }

// onPort has a server listen where one did before.
func onPort(t testing.TB, addr string) func(*server.Options) {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *server.Options) { o.Port, _ = strconv.Atoi(port) }
}

// node is a running engine whose receiver keeps what comes, and blocks while hold is
// locked.
type node struct {
	*Engine
	t    testing.TB
	hold sync.Mutex
	up   chan struct{}
	down chan error
	got  chan []byte
	stop func()
}

func (n *node) Receive(m []byte) {
	n.hold.Lock()
	defer n.hold.Unlock()
	n.got <- m
}

func (n *node) Up()               { n.up <- struct{}{} }
func (n *node) Down(reason error) { n.down <- reason }

// run runs an engine that need not get a connection.
func run(t testing.TB, o Options) *node {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = "test"
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return drive(t, e)
}

// drive runs an engine that is made already.
func drive(t testing.TB, e *Engine) *node {
	t.Helper()
	n := &node{Engine: e, t: t, up: make(chan struct{}, 100), down: make(chan error, 100), got: make(chan []byte, 1<<20)}
	n.stop = brokertest.Run(t, n, n)
	return n
}

// started runs an engine and waits until it is up.
func started(t testing.TB, o Options) *node {
	t.Helper()
	n := run(t, o)
	await(t, n.up, "the link to go up")
	return n
}

func await[T any](t testing.TB, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// do carries out commands that must succeed.
func (n *node) do(commands ...broker.Command) {
	n.t.Helper()
	if err := n.try(commands...); err != nil {
		n.t.Fatalf("Do: %v", err)
	}
}

func (n *node) try(commands ...broker.Command) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return n.Do(ctx, commands)
}

func (n *node) want(message string) {
	n.t.Helper()
	if got := await(n.t, n.got, message); string(got) != message {
		n.t.Fatalf("received %q, want %q", got, message)
	}
}

func room(name string) broker.Subject { return brokertest.Room(name) }

func sub(s broker.Subject) broker.Command { return broker.Command{Op: broker.Subscribe, Subject: s} }

func pub(s broker.Subject, text string) broker.Command {
	return broker.Command{Op: broker.Publish, Subject: s, Message: []byte(text)}
}
