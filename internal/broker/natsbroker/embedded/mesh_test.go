//go:build !noembedded

package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

func TestEngine(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		var seeds []string
		return brokertest.Setup{New: func(t testing.TB) broker.Engine {
			listen := engines.AddressFor(t)
			e, err := New(Options{Listen: listen, Seeds: slices.Clone(seeds), Prefix: "test"})
			if err != nil {
				t.Fatal(err)
			}
			seeds = append(seeds, listen)
			return e
		}}
	})
}

func TestOneSeed(t *testing.T) {
	seed := start(t, Options{})
	second := start(t, Options{Seeds: []string{seed.addr}})
	third := start(t, Options{Seeds: []string{seed.addr}})
	for _, n := range []*node{seed, second, third} {
		n.meets(2)
	}
	talk(t, seed, second, third)
	if got, want := second.Describe().Servers, sorted(seed.addr, third.addr); !slices.Equal(got, want) {
		t.Errorf("the second node describes %q, want %q", got, want)
	}
	for i, n := range []*node{seed, second, third} {
		if len(n.down) > 0 {
			t.Errorf("node %d went down while others joined", i)
		}
	}
}

// TestAllSeeds: nodes that start at once and all know one another, as one
// configuration for all has it.
func TestAllSeeds(t *testing.T) {
	seeds := []string{engines.AddressFor(t), engines.AddressFor(t), engines.AddressFor(t), engines.AddressFor(t)}
	nodes := make([]*node, len(seeds))
	begin := time.Now()
	for i, addr := range seeds {
		nodes[i] = newNode(t, Options{Listen: addr, Seeds: seeds}).run()
	}
	for _, n := range nodes {
		await(t, n.up, "the link to go up")
	}
	up := time.Since(begin)
	for _, n := range nodes {
		n.meets(len(nodes) - 1)
	}
	t.Logf("up after %v, together after %v", up, time.Since(begin))
	talk(t, nodes...)
}

func TestAlone(t *testing.T) {
	t.Parallel() // it waits most of the time
	late := engines.AddressFor(t)
	n := start(t, Options{Seeds: []string{late}}) // nobody is there
	n.do(sub(room("a")), pub(room("a"), "x"))
	if got := await(t, n.got, "its own message"); got != "x" {
		t.Errorf("received %q", got)
	}
	seed := start(t, Options{Listen: late})
	n.meets(1)
	talk(t, n, seed)
	if len(n.down) > 0 {
		t.Error("the link went down when a node joined")
	}
}

// hosts is a name server.
type hosts struct {
	mu    sync.Mutex
	ips   []string
	fails bool
}

func (h *hosts) set(ips ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ips, h.fails = ips, ips == nil
}

func (h *hosts) lookup(_ context.Context, host string) ([]string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if host != "nodes.test" || h.fails {
		return nil, errors.New("no such host")
	}
	return slices.Clone(h.ips), nil
}

// TestNames: as in Kubernetes, a name stands for all nodes, and the nodes listen on
// one port each of addresses of their own.
func TestNames(t *testing.T) {
	t.Parallel() // it waits most of the time
	port := engines.PortFor(t)
	at := func(i int) string { return fmt.Sprintf("127.9.%d.%d", port%200, i) }
	dns := &hosts{fails: true}
	join := func(i int) *node {
		return newNode(t, Options{
			Listen: net.JoinHostPort(at(i), strconv.Itoa(port)),
			Seeds:  []string{net.JoinHostPort("nodes.test", strconv.Itoa(port))},
			Lookup: dns.lookup,
		}).run()
	}
	first, second := join(1), join(2)
	await(t, first.up, "the first node")
	await(t, second.up, "the second node")
	if n := len(first.Describe().Servers); n != 0 {
		t.Fatalf("%d other nodes before a name is known", n)
	}
	dns.set(at(1), at(2)) // a node is among its own seeds
	first.meets(1)
	third := join(3) // the name stands for it only later
	await(t, third.up, "the third node")
	third.meets(2)
	dns.set(at(1), at(3))
	dns.set() // and for none, when the name server fails
	talk(t, first, second, third)
	for i, n := range []*node{first, second, third} {
		n.meets(2)
		if len(n.down) > 0 {
			t.Errorf("node %d went down", i+1)
		}
	}
}

func TestNodeReturns(t *testing.T) {
	seed := start(t, Options{})
	a, b := start(t, Options{Seeds: []string{seed.addr}}), start(t, Options{Seeds: []string{seed.addr}})
	returns := func(victim *node, options Options, rest ...*node) *node {
		t.Helper()
		for _, n := range rest {
			n.meets(2)
		}
		victim.stop()
		for _, n := range rest {
			n.meets(1)
		}
		talk(t, rest...)
		options.Listen = victim.addr
		back := start(t, options)
		back.meets(2)
		talk(t, append(rest, back)...)
		for i, n := range rest {
			if len(n.down) > 0 {
				t.Errorf("node %d went down because of another one: %v", i, <-n.down)
			}
		}
		return back
	}
	seed = returns(seed, Options{}, a, b) // which has no seeds itself
	returns(a, Options{Seeds: []string{seed.addr}}, b, seed)
}

// TestLostConnection: two nodes lose their connection while both are there. They find
// one another again and both go down for a moment; the third takes no part in it.
func TestLostConnection(t *testing.T) {
	b := start(t, Options{})
	between := engines.ProxyFor(t, b.addr)
	a := start(t, Options{Seeds: []string{between.Addr()}})
	a.meets(1)
	third := start(t, Options{Seeds: []string{a.addr}})
	for _, n := range []*node{a, b, third} {
		n.meets(2)
	}
	between.Set(engines.Reset)
	for i, n := range []*node{a, b} {
		reason := await(t, n.down, fmt.Sprintf("node %d to notice", i))
		if reason == nil || !strings.Contains(reason.Error(), "lost and made again") {
			t.Errorf("node %d went down because of %v", i, reason)
		}
		await(t, n.up, "the link to go up again")
	}
	talk(t, a, b, third)
	if len(third.down) > 0 {
		t.Error("the third node went down")
	}
}

// TestSilentConnection: the same when the network drops everything without a word.
func TestSilentConnection(t *testing.T) {
	t.Parallel() // it waits most of the time
	b := start(t, Options{})
	between := engines.ProxyFor(t, b.addr)
	a := start(t, Options{Seeds: []string{between.Addr()}})
	a.meets(1)
	between.Set(engines.BlackHole)
	begin := time.Now()
	for i, n := range []*node{a, b} {
		_ = await(t, n.down, fmt.Sprintf("node %d to notice", i))
		await(t, n.up, "the link to go up again")
	}
	t.Logf("noticed after %v", time.Since(begin))
	talk(t, a, b)
}

// TestPortsAndAddresses: other nodes learn nothing of the port for clients, and
// nobody gets in there.
func TestPortsAndAddresses(t *testing.T) {
	seed := start(t, Options{})
	other := start(t, Options{Seeds: []string{seed.addr}})
	seed.meets(1)
	talk(t, seed, other)
	s := seed.server.Load()
	v, err := s.Varz(nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.Host != "127.0.0.1" || v.HTTPPort != 0 || v.HTTPSPort != 0 || len(v.ClientConnectURLs) > 1 {
		t.Errorf("clients are told %q, the server listens on %s and %d", v.ClientConnectURLs, v.Host, v.HTTPPort)
	}
	conn, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("CONNECT {\"verbose\":false}\r\nSUB test.> 1\r\nPING\r\n")); err != nil {
		t.Fatal(err)
	}
	if answer := readAll(t, conn); !strings.Contains(answer, "Authorization Violation") {
		t.Errorf("a stranger on the port for clients got %q", answer)
	}
}

func TestStop(t *testing.T) {
	n := start(t, Options{})
	n.stop()
	// The port is free again, and nothing runs: see TestMain.
	start(t, Options{Listen: n.addr}).stop()
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	n := newNode(t, Options{Listen: l.Addr().String()})
	begin := time.Now()
	if err := n.Run(t.Context(), n); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Run returned %v", err)
	}
	t.Logf("after %v", time.Since(begin))
}

func TestOptions(t *testing.T) {
	for _, o := range []Options{
		{},
		{Listen: "127.0.0.1"},
		{Listen: "127.0.0.1:x"},
		{Listen: ":0"},
		{Listen: ":6222", Seeds: []string{"a"}},
		{Listen: ":6222", Seeds: []string{":1"}},
		{Listen: ":6222", Seeds: []string{"a:0"}},
		{Listen: ":6222", Prefix: "a b"},
	} {
		if o.Prefix == "" {
			o.Prefix = "p"
		}
		if _, err := New(o); err == nil {
			t.Errorf("accepted %+v", o)
		}
	}
	for _, listen := range []string{":6222", "0.0.0.0:6222", "[::]:6222", "localhost:1"} {
		if _, err := New(Options{Listen: listen, Prefix: "p", Seeds: []string{"[::1]:6222", "a.b:6222"}}); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

// TestForget: peers that are gone do not pile up.
func TestForget(t *testing.T) {
	m, err := newMesh(Options{Log: new(testkit.LogCapture).Logger()})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for i := range 3 * maxLost {
		id := fmt.Sprintf("S%03d", i)
		address := fmt.Sprintf("10.0.0.%d:6222", i)
		m.peers[id] = &peer{name: id, address: address, connected: i == 0, lost: now.Add(-time.Duration(i) * time.Minute)}
	}
	s := noRoutes{}
	if err := m.observe(s, now); err != nil {
		t.Fatal(err)
	}
	if len(m.peers) != maxLost || m.peers["S000"] == nil || m.peers[fmt.Sprintf("S%03d", maxLost)] != nil {
		t.Errorf("%d peers are left, want the latest %d", len(m.peers), maxLost)
	}
	if err := m.observe(s, now.Add(lostFor+time.Hour)); err != nil {
		t.Fatal(err)
	}
	if len(m.peers) != 0 {
		t.Errorf("%d peers are left after %v", len(m.peers), lostFor)
	}
}

// TestExpiry: addresses that do not answer do not pile up, and seeds stay.
func TestExpiry(t *testing.T) {
	m, err := newMesh(Options{Log: new(testkit.LogCapture).Logger()})
	if err != nil {
		t.Fatal(err)
	}
	settings := func([]*url.URL) *server.Options { return nil }
	now := time.Now()
	for i := range 3 * maxLost {
		m.found = []string{"10.9.9.9:6222", fmt.Sprintf("10.0.0.%d:6222", i)}
		m.dial(noRoutes{}, settings, now.Add(time.Duration(i)*time.Minute))
	}
	if len(m.dialled) != maxLost+2 {
		t.Errorf("%d addresses are dialled, want %d and the seeds", len(m.dialled), maxLost)
	}
	if last := fmt.Sprintf("10.0.0.%d:6222", 2*maxLost-1); !slices.Contains(m.dialled, last) || slices.Contains(m.dialled, "10.0.0.0:6222") {
		t.Errorf("not the latest addresses are dialled: %q", m.dialled)
	}
	m.dial(noRoutes{}, settings, now.Add(lostFor+24*time.Hour))
	if !slices.Equal(m.dialled, sorted(m.found...)) {
		t.Errorf("%q are dialled after %v, want the seeds", m.dialled, lostFor)
	}
}

// noRoutes is a server without connections.
type noRoutes struct{}

func (noRoutes) Routez(*server.RoutezOptions) (*server.Routez, error) { return &server.Routez{}, nil }
func (noRoutes) ReloadOptions(*server.Options) error                  { return nil }

func sorted(s ...string) []string {
	slices.Sort(s)
	return s
}

func readAll(t testing.TB, conn net.Conn) string {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	buffer := make([]byte, 4096)
	for {
		n, err := conn.Read(buffer)
		all.Write(buffer[:n])
		if err != nil {
			return all.String()
		}
	}
}

func TestAddress(t *testing.T) {
	for _, test := range []struct{ name, ip, want string }{
		{serverName("a.b", 6222), "10.0.0.1", "10.0.0.1:6222"},
		{serverName("", 6222), "::1", "[::1]:6222"},
		{"x.99999", "10.0.0.1", ""},
		{"x.0", "10.0.0.1", ""},
		{"x.-1", "10.0.0.1", ""},
		{"6222", "10.0.0.1", "10.0.0.1:6222"},
		{"", "10.0.0.1", ""},
		{"x.6222", "", ""},
		{"x.6222", "a host", ""},
	} {
		if got := address(&server.RouteInfo{RemoteName: test.name, IP: test.ip}); got != test.want {
			t.Errorf("%q at %q: got %q, want %q", test.name, test.ip, got, test.want)
		}
	}
}
