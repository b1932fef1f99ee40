//go:build !noembedded

package embedded

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

// said is the beginning of what a node logs about another one that it has refused.
func (n *node) refuses(log *testkit.LogCapture, part string) {
	n.t.Helper()
	testkit.WaitFor(n.t, func() bool {
		for _, r := range log.Find("embedded NATS server") {
			if r.Level == "WARN" && strings.Contains(r.Attrs["text"], part) {
				return true
			}
		}
		return false
	}, "the log to tell of "+part)
}

func TestMutualTLS(t *testing.T) {
	ours, theirs := testkit.NewAuthority(t, "ours"), testkit.NewAuthority(t, "theirs")
	until := time.Now().Add(time.Hour)
	config := func(roots, own *testkit.Authority) *tls.Config {
		return &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: roots.Pool(), Certificates: []tls.Certificate{own.Issue("node", until)},
		}
	}
	t.Run("nodes of one authority join", func(t *testing.T) {
		seed := start(t, Options{TLS: config(ours, ours)})
		nodes := []*node{seed}
		for range 2 { // the third finds the second, which nobody has named to it
			nodes = append(nodes, start(t, Options{TLS: config(ours, ours), Seeds: []string{seed.addr}}))
		}
		for _, n := range nodes {
			n.meets(2)
		}
		talk(t, nodes...)
	})
	t.Run("names of seeds are what certificates are for", func(t *testing.T) {
		seed := start(t, Options{Listen: "127.0.0.2" + engines.AddressFor(t)[len("127.0.0.1"):], TLS: config(ours, ours)})
		_, port, _ := net.SplitHostPort(seed.addr)
		// The certificates are for localhost and 127.0.0.1, the node is at 127.0.0.2.
		n := start(t, Options{
			TLS: config(ours, ours), Seeds: []string{net.JoinHostPort("localhost", port)},
			Lookup: lookupOf("127.0.0.2"),
		})
		n.meets(1)
		talk(t, seed, n)
	})
	for _, test := range []struct {
		name       string
		tls        *tls.Config
		host       string // of the seed, for the node that dials
		here, seed string // what they log
	}{
		{"a node of another authority is refused", config(ours, theirs), "localhost", "", "client didn't provide a certificate"},
		{"a seed of another authority is refused", config(theirs, ours), "localhost", "signed by unknown authority", "remote error: tls"},
		{"a seed with a certificate for another name is refused", config(ours, ours), "elsewhere.test", "certificate is valid for", "remote error: tls"},
		{"a node without TLS is refused", nil, "localhost", "", "tls: first record does not look like a TLS handshake"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var logs [2]testkit.LogCapture
			seed := start(t, Options{Listen: "127.0.0.2" + engines.AddressFor(t)[len("127.0.0.1"):], TLS: config(ours, ours), Log: logs[0].Logger()})
			_, port, _ := net.SplitHostPort(seed.addr)
			n := start(t, Options{
				TLS: test.tls, Seeds: []string{net.JoinHostPort(test.host, port)},
				Lookup: lookupOf("127.0.0.2"), Log: logs[1].Logger(),
			})
			seed.refuses(&logs[0], test.seed)
			if test.here != "" {
				n.refuses(&logs[1], test.here)
			}
			if len(n.Describe().Servers)+len(seed.Describe().Servers) > 0 {
				t.Error("they are connected")
			}
		})
	}
	t.Run("a configuration without authority or certificate is an error", func(t *testing.T) {
		for _, c := range []*tls.Config{
			{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{ours.Issue("node", until)}},
			{MinVersion: tls.VersionTLS12, RootCAs: ours.Pool()},
		} {
			if _, err := New(Options{Listen: ":6222", Prefix: "p", TLS: c}); err == nil {
				t.Error("accepted")
			}
		}
	})
}

func TestSecret(t *testing.T) {
	t.Run("nodes with the same one join", func(t *testing.T) {
		seed := start(t, Options{Secret: "open sesame"})
		a := start(t, Options{Secret: "open sesame", Seeds: []string{seed.addr}})
		b := start(t, Options{Secret: "open sesame", Seeds: []string{seed.addr}})
		for _, n := range []*node{seed, a, b} {
			n.meets(2)
		}
		talk(t, seed, a, b)
	})
	for _, wrong := range []string{"open barley", ""} {
		t.Run(fmt.Sprintf("a node with %q is refused", wrong), func(t *testing.T) {
			var log, other testkit.LogCapture
			seed := start(t, Options{Secret: "open sesame", Log: log.Logger()})
			n := start(t, Options{Secret: wrong, Seeds: []string{seed.addr}, Log: other.Logger()})
			seed.refuses(&log, "authentication error")
			if len(n.Describe().Servers)+len(seed.Describe().Servers) > 0 {
				t.Error("they are connected")
			}
			n.stop()
			seed.stop()
			for _, secret := range []string{"open", routePassword(seed.options)} {
				if strings.Contains(log.String()+other.String(), secret) {
					t.Errorf("a log holds %q:\n%s\n%s", secret, &log, &other)
				}
			}
		})
	}
}

func TestPrefixes(t *testing.T) {
	var log testkit.LogCapture
	seed := start(t, Options{Prefix: "one", Log: log.Logger()})
	n := start(t, Options{Prefix: "two", Seeds: []string{seed.addr}})
	seed.refuses(&log, "does not match")
	if len(n.Describe().Servers)+len(seed.Describe().Servers) > 0 {
		t.Error("nodes of two clusters are connected")
	}
}

// TestStrangers: what is no node does not disturb those that are, and is not kept.
func TestStrangers(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, secret := range []string{"", "open sesame"} {
		t.Run(fmt.Sprintf("secret %q", secret), func(t *testing.T) {
			var log testkit.LogCapture
			seed := start(t, Options{Secret: secret, Log: log.Logger()})
			other := start(t, Options{Secret: secret, Seeds: []string{seed.addr}})
			seed.meets(1)
			noise := make([]byte, 64<<10)
			_, _ = rand.Read(noise)
			for name, bytes := range map[string][]byte{
				"nothing":      nil,
				"noise":        noise,
				"HTTP":         []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
				"a client":     []byte("CONNECT {\"lang\":\"go\",\"verbose\":false}\r\nPING\r\n"),
				"a long line":  bytes.Repeat([]byte("INFO "), 1<<16),
				"half a INFO":  []byte("INFO {\"server_id\":\"x\",\"clu"),
				"odd INFO":     []byte("INFO {\"server_id\":\"x\",\"cluster\":\"test\",\"connect_urls\":[1]}\r\n"),
				"a huge claim": []byte("CONNECT {}\r\nRMSG $G test.all 99999999999\r\n"),
			} {
				conn, err := net.Dial("tcp", seed.addr)
				if err != nil {
					t.Fatal(err)
				}
				_, _ = conn.Write(bytes) // the node may have had enough by now
				begin := time.Now()
				readAll(t, conn)
				conn.Close()
				t.Logf("%s: closed after %v", name, time.Since(begin).Round(time.Millisecond))
			}
			talk(t, seed, other)
			if got := seed.Describe().Servers; len(got) != 1 {
				t.Errorf("connected to %q", got)
			}
			if len(seed.down) > 0 {
				t.Errorf("the link went down: %v", <-seed.down)
			}
		})
	}
}

func TestWarning(t *testing.T) {
	const warning = "nodes talk to one another without TLS: whoever reaches the cluster's port can join, or read along"
	authority := testkit.NewAuthority(t, "ours")
	for _, test := range []struct {
		listen string
		tls    bool
		want   int
	}{
		{"127.0.0.1", false, 0}, {"localhost", false, 0}, {"0.0.0.0", false, 1}, {"", false, 1}, {"0.0.0.0", true, 0},
	} {
		var log testkit.LogCapture
		o := Options{Listen: net.JoinHostPort(test.listen, fmt.Sprint(engines.PortFor(t))), Secret: "hush", Log: log.Logger()}
		if test.tls {
			o.TLS = &tls.Config{
				MinVersion: tls.VersionTLS12, RootCAs: authority.Pool(),
				Certificates: []tls.Certificate{authority.Issue("node", time.Now().Add(time.Hour))},
			}
		}
		start(t, o).stop()
		if got := len(log.Find(warning)); got != test.want {
			t.Errorf("%+v: %d warnings, want %d", test, got, test.want)
		}
		if strings.Contains(log.String(), "hush") {
			t.Errorf("the log holds the secret:\n%s", &log)
		}
	}
}
