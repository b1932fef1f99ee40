package natsbroker

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/internal/testkit"
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
		proxy := testkit.NewProxy(t, addr)
		return brokertest.Setup{
			New:    func(t testing.TB) broker.Engine { return newEngine(t, "nats://"+proxy.Addr()) },
			Stop:   func() { stop() },
			Start:  func() { _, stop = startServer(t, onPort(t, addr)) },
			Freeze: proxy.Pause,
			Thaw:   proxy.Heal,
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

func TestCredentials(t *testing.T) {
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := user.Seed()
	public, _ := user.PublicKey()
	seedFile := filepath.Join(t.TempDir(), "node.nk")
	if err := os.WriteFile(seedFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name        string
		server      func(*server.Options)
		right, keen string // what comes before and after host:port
		wrong       string
	}{
		{"user and password", func(o *server.Options) { o.Username, o.Password = "node", "s3cr3t/@" }, "nats://node:s3cr3t%2F%40@", "", "nats://node:guessed@"},
		{"token", func(o *server.Options) { o.Authorization = "s3cr3t" }, "nats://s3cr3t@", "", "nats://guessed@"},
		{"nkey", func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} }, "nats://", "?nkey_file=" + seedFile, "nats://guessed@"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, _ := startServer(t, test.server)
			var log testkit.LogCapture
			n := started(t, Options{URL: test.right + s.Addr().String() + test.keen, Log: log.Logger()})
			n.do(sub(room("a")), pub(room("a"), "x"))
			n.want("x")
			refused := run(t, Options{URL: test.wrong + s.Addr().String(), Log: log.Logger()})
			testkit.WaitFor(t, func() bool { return len(log.Find("cannot connect to NATS")) > 0 }, "a refusal")
			if len(refused.up) > 0 {
				t.Error("it went up with wrong credentials")
			}
			n.stop()
			refused.stop()
			for _, secret := range []string{"s3cr3t", "guessed", string(seed)} {
				if strings.Contains(log.String(), secret) {
					t.Errorf("the log holds %q:\n%s", secret, &log)
				}
			}
		})
	}
}

func TestURLs(t *testing.T) {
	t.Run("accepts", func(t *testing.T) {
		for url, want := range map[string][]string{
			"nats://a":                              {"nats://a:4222"},
			"nats://a:1,nats://b":                   {"nats://a:1", "nats://b:4222"},
			"tls://u:p@a:1, tls://b:2/":             {"tls://a:1", "tls://b:2"},
			"nats://u:p@[::1]:1,nats://u:p@b":       {"nats://[::1]:1", "nats://b:4222"},
			"nats://a?creds_file=/etc/node.creds":   {"nats://a:4222"},
			"nats://a:1?creds_file=x,nats://token@": nil,
		} {
			s, err := parseServers(url)
			if (err == nil) != (want != nil) || !slices.Equal(s.urls, want) {
				t.Errorf("%s: got %q and %v, want %q", url, s.urls, err, want)
			}
		}
	})
	t.Run("refuses without quoting", func(t *testing.T) {
		for _, url := range []string{
			"", "nats://", "a:4222", "http://u:hush@a", "nats://u:hu%sh@a", "nats://u:hush@a:port", "nats://u:hush@a/path",
			"nats://u:hush@a#x", "nats://u:hush@a,nats://u:other-hush@b", "nats://u:hush@a?tls=hush", "nats://hush@a?creds_file=x",
			"nats://a?nkey_file=/none", "nats:u:hush@a", "nats://u:hush@a,", "nats://a?creds_file=x,nats://b?creds_file=y", "nats://a?%zz",
		} {
			_, err := New(Options{URL: url, Prefix: "p"})
			if err == nil {
				t.Errorf("%s: accepted", url)
			} else if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error quotes the password: %v", err)
			}
		}
	})
	t.Run("prefixes", func(t *testing.T) {
		for prefix, want := range map[string]bool{
			"pipesocket": true, "a.b-c_D.9": true, "": false, ".": false, "a.": false, ".a": false, "a..b": false,
			"a b": false, "*": false, "a.>": false, "$SYS": false, "ü": false, strings.Repeat("a", 201): false,
		} {
			if _, err := New(Options{URL: "nats://a", Prefix: prefix}); (err == nil) != want {
				t.Errorf("prefix %q: %v", prefix, err)
			}
		}
	})
}

func TestTLS(t *testing.T) {
	authority, stranger := testkit.NewAuthority(t, "ours"), testkit.NewAuthority(t, "theirs")
	until := time.Now().Add(time.Hour)
	s, _ := startServer(t, func(o *server.Options) {
		o.TLS = true
		o.TLSConfig = &tls.Config{
			MinVersion:   tls.VersionTLS12,
			Certificates: []tls.Certificate{authority.Issue("server", until)},
			ClientCAs:    authority.Pool(),
			ClientAuth:   tls.RequireAndVerifyClientCert,
		}
	})
	plain, _ := startServer(t, nil)
	client := func(roots, own *testkit.Authority) *tls.Config {
		c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots.Pool()}
		if own != nil {
			c.Certificates = []tls.Certificate{own.Issue("node", until)}
		}
		return c
	}
	for _, test := range []struct {
		name string
		url  string
		tls  *tls.Config
		want bool
	}{
		{"right on both sides", "tls://" + s.Addr().String(), client(authority, authority), true},
		{"the scheme says nats, the configuration TLS", "nats://" + s.Addr().String(), client(authority, authority), true},
		{"a server of another authority", "tls://" + s.Addr().String(), client(stranger, authority), false},
		{"a node of another authority", "tls://" + s.Addr().String(), client(authority, stranger), false},
		{"a node without certificate", "tls://" + s.Addr().String(), client(authority, nil), false},
		{"a server without TLS, configured", "nats://" + plain.Addr().String(), client(authority, authority), false},
		{"a server without TLS, by scheme", "tls://" + plain.Addr().String(), nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log testkit.LogCapture
			n := run(t, Options{URL: test.url, TLS: test.tls, Log: log.Logger()})
			if test.want {
				await(t, n.up, "the link to go up")
				n.do(sub(room("a")), pub(room("a"), "x"))
				n.want("x")
				return
			}
			testkit.WaitFor(t, func() bool { return len(log.Find("cannot connect to NATS")) > 0 }, "a refusal")
			if len(n.up) > 0 {
				t.Error("it went up")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	s, _ := startServer(t, func(o *server.Options) {
		o.Users = []*server.User{{Username: "node", Password: "p", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Deny: []string{"test.ch.1.mute"}},
			Subscribe: &server.SubjectPermission{Deny: []string{"test.ch.1.deaf"}},
		}}}
	})
	n := started(t, Options{URL: "nats://node:p@" + s.Addr().String()})
	for i, c := range []broker.Command{pub(room("mute"), "x"), sub(room("deaf"))} {
		if err := n.try(c); !errors.Is(err, nats.ErrPermissionViolation) {
			t.Errorf("command %d: %v, want a refusal", i, err)
		}
		if reason := await(t, n.down, "the end of a link that does less than it should"); !errors.Is(reason, nats.ErrPermissionViolation) {
			t.Errorf("down because of %v", reason)
		}
		await(t, n.up, "a new link")
	}
}

// TestSlowReceiver: what a receiver does not take stays with the server, in order
// and without loss, as far as the server keeps it.
func TestSlowReceiver(t *testing.T) {
	t.Run("loses nothing within the server's limits", func(t *testing.T) {
		s, _ := startServer(t, nil)
		slow, from := started(t, Options{URL: clientURL(s)}), started(t, Options{URL: clientURL(s)})
		slow.do(sub(room("a")))
		slow.hold.Lock()
		const count, size = 4000, 8 << 10 // 32 MiB, four times the queue
		for i := 0; i < count; i += 100 {
			var batch []broker.Command
			for j := range 100 {
				m := make([]byte, size)
				m[0], m[1] = byte(i+j), byte((i+j)>>8)
				batch = append(batch, broker.Command{Subject: room("a"), Message: m})
			}
			from.do(batch...)
		}
		l := slow.current()
		testkit.WaitFor(t, func() bool { return l.gate.full() }, "the queue to be full")
		if queued := len(l.queue) * size; queued > 2*queueBytes {
			t.Errorf("%d bytes are queued, want about %d", queued, queueBytes)
		}
		slow.hold.Unlock()
		for i := range count {
			m := await(t, slow.got, "a message")
			if got := int(m[0]) | int(m[1])<<8; got != i {
				t.Fatalf("message %d came in the place of %d", got, i)
			}
		}
		if len(slow.down) > 0 {
			t.Error("the link went down")
		}
	})
	t.Run("goes down beyond them", func(t *testing.T) {
		s, _ := startServer(t, func(o *server.Options) {
			o.MaxPending = 1 << 20
			o.WriteDeadline = 200 * time.Millisecond
		})
		slow, from := started(t, Options{URL: clientURL(s)}), started(t, Options{URL: clientURL(s)})
		slow.do(sub(room("a")))
		slow.hold.Lock()
		batch := slices.Repeat([]broker.Command{pub(room("a"), strings.Repeat("x", 64<<10))}, 16)
		testkit.WaitFor(t, func() bool {
			from.do(batch...)
			return s.NumSlowConsumers() > 0
		}, "the server to give up")
		slow.hold.Unlock()
		_ = await(t, slow.down, "the end of the link")
		await(t, slow.up, "a new link")
		if len(slow.down) > 0 {
			t.Error("it went down more than once")
		}
		if len(from.down) > 0 {
			t.Error("the sender went down")
		}
	})
	t.Run("with many small messages", func(t *testing.T) {
		s, _ := startServer(t, nil)
		slow, from := started(t, Options{URL: clientURL(s), Prefix: "p"}), started(t, Options{URL: clientURL(s), Prefix: "p"})
		all := broker.Subject{Kind: broker.ToAll}
		slow.do(sub(all))
		slow.hold.Lock()
		const count = 3 * queueMessages
		for range count / 1024 {
			from.do(slices.Repeat([]broker.Command{pub(all, "")}, 1024)...)
		}
		l := slow.current()
		testkit.WaitFor(t, func() bool { return l.gate.full() }, "the queue to be full")
		slow.hold.Unlock()
		for range count {
			await(t, slow.got, "a message")
		}
		if len(slow.down) > 0 {
			t.Error("the link went down")
		}
	})
}

// TestStalledServer: a server that takes nothing any more does not hold Do longer
// than the write timeout, whatever has to be written.
func TestStalledServer(t *testing.T) {
	s, _ := startServer(t, nil)
	proxy := testkit.NewProxy(t, s.Addr().String())
	n := started(t, Options{URL: "nats://" + proxy.Addr()})
	proxy.Pause()
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
	proxy.Heal()
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
