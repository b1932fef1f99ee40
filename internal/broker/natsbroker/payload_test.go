package natsbroker

import (
	"net"
	"net/url"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// withPayload has a server take messages of so many bytes.
func withPayload(bytes int32) func(*server.Options) {
	return func(o *server.Options) { o.MaxPayload = bytes }
}

// TestTooLarge: whoever tries again does not have to try for ever.
func TestTooLarge(t *testing.T) {
	s, _ := startServer(t, withPayload(1000))
	var log testkit.LogCapture
	n := started(t, Options{URL: clientURL(s), Log: log.Logger()})
	if err := n.Require(1000, "a.setting"); err != nil {
		t.Fatal(err)
	}
	n.do(sub(room("a")), pub(room("a"), "before"), pub(room("a"), strings.Repeat("x", 1001)), pub(room("a"), "after"))
	n.want("before")
	n.want("after")
	if got := log.Find("message left out: larger than the NATS server's max_payload"); len(got) != 1 || got[0].Attrs["bytes"] != "1001" {
		t.Errorf("logged %v", got)
	}
	if len(n.down) > 0 {
		t.Error("the link went down")
	}
}

// TestServersThatTakeTooLittle: better no link at all than one that loses a message
// some day.
func TestServersThatTakeTooLittle(t *testing.T) {
	const why = "the server takes messages of at most 1000 bytes (its max_payload), and nodes may send 1001 (by a.setting)"
	little, _ := startServer(t, withPayload(1000))
	required := func(t *testing.T, bytes int, urls ...string) (*node, *testkit.LogCapture) {
		t.Helper()
		log := &testkit.LogCapture{}
		e, err := New(Options{URL: strings.Join(urls, ","), Prefix: "test", Log: log.Logger()})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Require(bytes, "a.setting"); err != nil {
			t.Fatal(err)
		}
		return drive(t, e), log
	}

	t.Run("are not connected to, and the log says why", func(t *testing.T) {
		n, log := required(t, 1001, clientURL(little))
		testkit.WaitFor(t, func() bool { return strings.Contains(log.String(), why) }, "the reason in the log")
		if len(n.up) > 0 {
			t.Error("it went up")
		}
	})
	t.Run("are passed over for others", func(t *testing.T) {
		enough, _ := startServer(t, withPayload(1001))
		n, _ := required(t, 1001, clientURL(little), clientURL(enough))
		await(t, n.up, "a link")
		if got := n.Describe().Servers; len(got) != 1 || got[0] != enough.Addr().String() {
			t.Errorf("connected to %q", got)
		}
	})
	t.Run("do for what they take", func(t *testing.T) {
		n, _ := required(t, 1000, clientURL(little))
		await(t, n.up, "a link")
		if err := n.Require(1001, "a.setting"); err == nil || err.Error() != why {
			t.Errorf("more is required: %v", err)
		}
		large := strings.Repeat("x", 1000)
		n.do(sub(room("a")), pub(room("a"), large))
		n.want(large)
	})
	t.Run("are left when they take less than before", func(t *testing.T) {
		s, _ := startServer(t, withPayload(1001))
		n, log := required(t, 1001, clientURL(s))
		await(t, n.up, "a link")
		lowerPayload(t, s)
		if err := n.try(pub(room("a"), strings.Repeat("x", 1001))); err == nil {
			t.Error("Do has sent what the server does not take")
		}
		_ = await(t, n.down, "the end of the link")
		testkit.WaitFor(t, func() bool { return strings.Contains(log.String(), why) }, "the reason in the log")
	})
	t.Run("are left when they say that they take less", func(t *testing.T) {
		servers, _ := startCluster(t, 1, withPayload(1001))
		n, _ := required(t, 1001, clientURL(servers[0]))
		await(t, n.up, "a link")
		lowerPayload(t, servers[0])
		_, _ = startServer(t, func(o *server.Options) { // of which the first one tells, and of its limit
			o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: server.RANDOM_PORT}
			o.Routes = []*url.URL{{Scheme: "nats-route", Host: servers[0].ClusterAddr().String()}}
		})
		l := n.current()
		testkit.WaitFor(t, func() bool { return l.conn.MaxPayload() == 1000 }, "the server to say so")
		if err := n.try(pub(room("a"), strings.Repeat("x", 1001))); err == nil || err.Error() != why {
			t.Errorf("Do: %v", err)
		}
		if reason := await(t, n.down, "the end of the link"); reason.Error() != why {
			t.Errorf("down because of %v", reason)
		}
	})
}

// lowerPayload has a server take 1000 bytes from now on.
func lowerPayload(t *testing.T, s *server.Server) {
	t.Helper()
	o := &server.Options{Host: "127.0.0.1", Port: s.Addr().(*net.TCPAddr).Port, NoSigs: true, NoLog: true, MaxPayload: 1000}
	if c := s.ClusterAddr(); c != nil {
		o.Cluster = server.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: c.Port}
	}
	if err := s.ReloadOptions(o); err != nil {
		t.Fatal(err)
	}
}
