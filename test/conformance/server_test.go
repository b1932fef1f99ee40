package conformance

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

const (
	patience     = 5 * time.Second  // for what should happen at once
	startTimeout = 20 * time.Second // for the nodes of a cluster to join
)

// server is a target: where it is reached, and the processes behind it, one or
// the nodes of a cluster.
type server struct {
	public string       // base URL without trailing slash, mount not included
	ops    string       // of the first node
	mount  string       // "" or "/prefix"; set by the test that configured one
	http   *http.Client // trusts the server's certificate

	nodes []*testkit.Server
	front *testkit.RoundRobin // nil if clients reach the only node directly
}

// startServer runs the binary with the given YAML configuration; listen
// addresses are added. In a run on an engine it is a cluster, see cluster_test.go. The
// server is stopped when the test ends, and the test fails if it did not live and
// end cleanly. env has further NAME=value pairs.
func startServer(t *testing.T, yaml string, env ...string) *server {
	t.Helper()
	return startOn(t, usual, yaml, env...)
}

func startOn(t *testing.T, y topology, yaml string, env ...string) *server {
	t.Helper()
	s, err := launch(y, t.TempDir, yaml, env...)
	if err != nil {
		t.Fatalf("start a server: %v", err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("stop the server: %v", err)
		}
	})
	return s
}

// launch starts the nodes of a server, each in a directory of its own.
func launch(y topology, dir func() string, yaml string, env ...string) (*server, error) {
	s := &server{http: &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: 32,
		DisableKeepAlives:   y.proxied, // every request goes to the next node
	}}}
	sections, err := y.sections()
	if err != nil {
		return nil, err
	}
	for _, section := range sections {
		node, err := testkit.StartServer(program, dir(), withAddresses(yaml)+section, env...)
		if err != nil {
			return nil, errors.Join(err, s.stop())
		}
		s.nodes = append(s.nodes, node)
	}
	s.public, s.ops = s.nodes[0].Public, s.nodes[0].Ops
	if err := s.joined(); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	if y.proxied {
		return s, s.putInFront()
	}
	return s, nil
}

// putInFront has clients reach the nodes in turns.
func (s *server) putInFront() error {
	var hosts []string
	for _, node := range s.nodes {
		hosts = append(hosts, hostOf(node.Public))
	}
	front, err := testkit.NewRoundRobin(hosts...)
	if err != nil {
		return errors.Join(err, s.stop())
	}
	s.front = front
	scheme, _, _ := strings.Cut(s.public, "://")
	s.public = scheme + "://" + front.Addr()
	return nil
}

func withAddresses(yaml string) string {
	head := "listen: 127.0.0.1:0\nops: {listen: 127.0.0.1:0}\n"
	if !strings.Contains(yaml, "drain_window:") {
		head += "drain_window: 200ms\n"
	}
	return head + yaml
}

// signal tells all nodes to stop.
func (s *server) signal() error {
	var errs []error
	for _, node := range s.nodes {
		errs = append(errs, node.Terminate())
	}
	return errors.Join(errs...)
}

// stop ends the nodes that still run and reports everything that was wrong with
// any of them. It may be called again.
func (s *server) stop() error {
	s.http.CloseIdleConnections()
	errs := []error{s.signal()}
	for i, node := range s.nodes {
		if err := node.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("node %d: %w", i, err))
		}
	}
	if s.front != nil {
		errs = append(errs, s.front.Close())
		s.front = nil
	}
	return errors.Join(errs...)
}

// host returns the public host:port.
func (s *server) host() string { return hostOf(s.public) }

func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Host
}

// dialTCP opens a bare connection to the public listener, closed with the test.
func (s *server) dialTCP(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.host(), patience)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}
