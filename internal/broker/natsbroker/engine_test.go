package natsbroker

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

func newEngine(t testing.TB, url string) broker.Engine {
	t.Helper()
	e, err := New(Options{URL: url, Prefix: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestOneServer(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		s, stop := startServer(t, nil)
		addr := s.Addr().String()
		proxy := engines.ProxyFor(t, addr)
		return brokertest.Setup{
			New:    func(t testing.TB) broker.Engine { return newEngine(t, "nats://"+proxy.Addr()) },
			Stop:   func() { stop() },
			Start:  func() { _, stop = startServer(t, onPort(t, addr)) },
			Freeze: func() { proxy.Set(engines.BlackHole) },
			Thaw:   func() { proxy.Set(engines.Fault{}) },
		}
	})
}

func TestClusterOfServers(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		servers, _ := startCluster(t, 3)
		next := 0
		return brokertest.Setup{New: func(t testing.TB) broker.Engine {
			next++ // each node at another server
			return newEngine(t, clientURL(servers[next%len(servers)]))
		}}
	})
}

func TestMesh(t *testing.T) {
	t.Run("one server is none", func(t *testing.T) {
		s, _ := startServer(t, nil)
		if n := started(t, Options{URL: clientURL(s)}); n.Mesh() {
			t.Error("Mesh is true for a server that is alone")
		}
	})
	t.Run("a cluster is one", func(t *testing.T) {
		servers, _ := startCluster(t, 2)
		if n := started(t, Options{URL: clientURL(servers[0])}); !n.Mesh() {
			t.Error("Mesh is false for a server of a cluster")
		}
	})
}

func TestFailover(t *testing.T) {
	servers, stop := startCluster(t, 3)
	n := started(t, Options{URL: clientURL(servers[0])}) // the others it is told of
	other := started(t, Options{URL: clientURL(servers[2])})
	n.do(sub(room("a")))
	stop[0]()
	_ = await(t, n.down, "the end of the link")
	await(t, n.up, "a link to another server")
	if got := n.Describe().Servers; len(got) != 1 || got[0] == servers[0].ClientURL() {
		t.Errorf("connected to %q", got)
	}
	n.do(sub(room("b")))
	testkit.WaitFor(t, func() bool {
		other.do(pub(room("a"), "lost"), pub(room("b"), "x"))
		return len(n.got) > 0
	}, "a message through the other server")
	n.want("x")
	select {
	case reason := <-other.down:
		t.Errorf("the node at a server that lives went down: %v", reason)
	default:
	}
}

func TestLameDuck(t *testing.T) {
	servers, _ := startCluster(t, 2)
	n := started(t, Options{URL: clientURL(servers[0])})
	go servers[0].LameDuckShutdown()
	reason := await(t, n.down, "the end of the link")
	if !errors.Is(reason, errLameDuck) {
		t.Errorf("down because of %v, want %v", reason, errLameDuck)
	}
	await(t, n.up, "a link to another server")
	if got, want := n.Describe().Servers, servers[1].Addr().String(); len(got) != 1 || got[0] != want {
		t.Errorf("connected to %q, want %s", got, want)
	}
	servers[0].WaitForShutdown()
}

// TestStalledServer: a server that takes nothing any more does not hold Do longer
// than the write timeout, whatever has to be written.
func TestStalledServer(t *testing.T) {
	s, _ := startServer(t, nil)
	proxy := engines.ProxyFor(t, s.Addr().String())
	n := started(t, Options{URL: "nats://" + proxy.Addr()})
	proxy.Set(engines.BlackHole)
	big := slices.Repeat([]broker.Command{pub(room("a"), strings.Repeat("x", 1<<20))}, 100) // more than sockets hold
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	if err := n.Do(ctx, big); err == nil {
		t.Error("Do succeeded")
	}
	if took := time.Since(begin); took > 10*writeTimeout { // the library's own limit is a minute
		t.Errorf("Do took %v", took)
	}
	n.Reconnect(errors.New("stalled"))
	_ = await(t, n.down, "the end of the link")
	proxy.Set(engines.Fault{})
	await(t, n.up, "a new link")
}

// TestHangingHandshake: a server that hangs after accepting does not keep Run from
// ending.
func TestHangingHandshake(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	n := run(t, Options{URL: "nats://" + listener.Addr().String()})
	conn := await(t, accepted, "a connection")
	begin := time.Now()
	n.stop()
	if took := time.Since(begin); took > time.Second {
		t.Errorf("Run took %v to end", took)
	}
	conn.Close()
}

// TestFenceBehindReceiver: the fence waits for the receiver, not only for the queue.
func TestFenceBehindReceiver(t *testing.T) {
	s, _ := startServer(t, nil)
	n, from := started(t, Options{URL: clientURL(s)}), started(t, Options{URL: clientURL(s)})
	n.do(sub(room("a")))
	n.hold.Lock()
	from.do(pub(room("a"), "1"), pub(room("a"), "2"))
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := n.Fence(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Fence returned %v while the receiver had not taken what came before", err)
	}
	fenced := make(chan error, 1)
	go func() { fenced <- n.Fence(t.Context()) }()
	n.hold.Unlock()
	if err := await(t, fenced, "the fence"); err != nil {
		t.Fatal(err)
	}
	if len(n.got) != 2 {
		t.Errorf("%d messages had been received when the fence returned, want 2", len(n.got))
	}
}
