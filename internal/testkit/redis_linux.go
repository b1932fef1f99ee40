package testkit

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Redis is a Redis server of a test, on a port of its own, without persistence. Its
// methods are called by the goroutine of the test.
type Redis struct {
	t       testing.TB
	program string
	dir     string
	port    int
	config  string
	secure  *tls.Config // of clients; nil: plain TCP
	server  *exec.Cmd   // nil while it is stopped
}

// RedisPassword is the password of every server that has one; no log may show it.
const RedisPassword = "open-sesame"

// NewRedis prepares a server with further lines of its configuration, and leaves
// it stopped; the test is skipped where Redis is not installed. The server is
// stopped at the end of the test.
func NewRedis(t testing.TB, settings ...string) *Redis {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Skip("Redis is not installed")
	}
	r := &Redis{t: t, program: program, dir: t.TempDir(), port: freePort(t)}
	lines := []string{
		"bind 127.0.0.1", "port " + strconv.Itoa(r.port), "dir " + r.dir, `save ""`, "appendonly no",
		"unixsocket " + r.Socket(), "repl-diskless-sync-delay 0",
	}
	r.config = strings.Join(append(lines, settings...), "\n") + "\n"
	t.Cleanup(r.Kill)
	return r
}

// NewRedisTLS is NewRedis for a server that takes TLS connections only, and only
// of clients with a certificate. ClientTLS returns what they need.
func NewRedisTLS(t testing.TB, settings ...string) *Redis {
	t.Helper()
	authority := NewAuthority(t, "Redis")
	until := time.Now().Add(time.Hour)
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := PairPEM(t, authority.Issue("server", until))
	r := NewRedis(t, settings...)
	r.config += strings.Join([]string{
		"port 0", "tls-port " + strconv.Itoa(r.port), "tls-auth-clients yes", "tls-replication yes", "tls-cluster yes",
		"tls-cert-file " + file("cert.pem", cert), "tls-key-file " + file("key.pem", key), "tls-ca-cert-file " + file("ca.pem", authority.PEM()),
	}, "\n") + "\n"
	r.secure = &tls.Config{RootCAs: authority.Pool(), Certificates: []tls.Certificate{authority.Issue("client", until)}}
	return r
}

// ClientTLS returns what a client of a server of NewRedisTLS needs.
func (r *Redis) ClientTLS() *tls.Config { return r.secure.Clone() }

// Addr returns the host:port of the server.
func (r *Redis) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port)) }

// Socket returns the path of the server's Unix socket.
func (r *Redis) Socket() string { return filepath.Join(r.dir, "s") }

// URL returns where the server is, or will be.
func (r *Redis) URL() string {
	if r.secure != nil {
		return "rediss://" + r.Addr()
	}
	return "redis://" + r.Addr()
}

// Start starts the server, empty, and waits until it answers.
func (r *Redis) Start() {
	r.t.Helper()
	r.launch()
	r.await()
}

func (r *Redis) launch(arguments ...string) {
	r.t.Helper()
	path := filepath.Join(r.dir, "redis.conf")
	if err := os.WriteFile(path, []byte(r.config), 0o600); err != nil { // sentinels and members of a cluster rewrite it
		r.t.Fatal(err)
	}
	r.server = exec.Command(r.program, append([]string{path}, arguments...)...)
	r.server.Dir = r.dir
	r.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.server.Start(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *Redis) await() {
	r.t.Helper()
	WaitFor(r.t, func() bool {
		c, err := r.dial()
		if err != nil {
			return false
		}
		defer func() { _ = c.Close() }()
		_ = c.SetDeadline(time.Now().Add(time.Second))
		if _, err := c.Write([]byte("PING\r\n")); err != nil {
			return false
		}
		answer := make([]byte, 7) // +PONG, or -NOAUTH
		n, err := c.Read(answer)
		return err == nil && (strings.HasPrefix(string(answer[:n]), "+PONG") || strings.HasPrefix(string(answer[:n]), "-NOAUTH"))
	}, "the Redis server")
}

func (r *Redis) dial() (net.Conn, error) {
	if r.secure != nil {
		secure := r.secure.Clone()
		secure.ServerName = "127.0.0.1"
		return tls.Dial("tcp", r.Addr(), secure)
	}
	return net.DialTimeout("tcp", r.Addr(), time.Second)
}

// Kill ends the server at once.
func (r *Redis) Kill() {
	if r.server == nil {
		return
	}
	_ = r.server.Process.Kill()
	_ = r.server.Wait() // it was killed
	r.server = nil
}

// Freeze makes the server hang, with its connections, until Thaw.
func (r *Redis) Freeze() { r.signal(syscall.SIGSTOP) }

// Thaw ends Freeze.
func (r *Redis) Thaw() { r.signal(syscall.SIGCONT) }

func (r *Redis) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.server.Process.Signal(s); err != nil {
		r.t.Errorf("%v to Redis: %v", s, err)
	}
}

// CLI returns what redis-cli prints for a command. It reaches servers without TLS
// and without a password.
func (r *Redis) CLI(command ...string) string {
	r.t.Helper()
	out, err := exec.Command("redis-cli", append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(r.port)}, command...)...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("redis-cli %v: %v\n%s", command, err, out)
	}
	return strings.TrimSpace(string(out))
}

// RedisCluster is a Redis Cluster of a test: masters that share the slots evenly.
type RedisCluster struct {
	Masters []*Redis
	t       testing.TB
}

// NewRedisCluster prepares a cluster and leaves it stopped.
func NewRedisCluster(t testing.TB, masters int) *RedisCluster {
	t.Helper()
	c := &RedisCluster{t: t}
	for range masters {
		c.Masters = append(c.Masters, c.member())
	}
	return c
}

func (c *RedisCluster) member() *Redis {
	return NewRedis(c.t, "cluster-enabled yes", "cluster-node-timeout 2000",
		"cluster-port "+strconv.Itoa(freePort(c.t)), "cluster-announce-ip 127.0.0.1")
}

// URL returns where the cluster is, or will be: its first master.
func (c *RedisCluster) URL() string { return c.Masters[0].URL() }

// Start starts an empty cluster and waits until every master serves.
func (c *RedisCluster) Start() {
	c.t.Helper()
	for i, m := range c.Masters {
		_ = os.Remove(filepath.Join(m.dir, "nodes.conf")) // a new cluster, not the one that was
		m.Start()
		from, to := i*16384/len(c.Masters), (i+1)*16384/len(c.Masters)-1
		m.CLI("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to))
		m.CLI("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
	}
	for _, m := range c.Masters[1:] {
		m.CLI("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(c.Masters[0].port), clusterPort(c.Masters[0]))
	}
	for _, m := range c.Masters {
		c.Settle(m)
	}
}

// Settle waits until a member of the cluster serves and knows all the others.
func (c *RedisCluster) Settle(m *Redis) {
	c.t.Helper()
	WaitFor(c.t, func() bool {
		info := m.CLI("CLUSTER", "INFO")
		return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_size:%d\r", len(c.Masters)))
	}, "the Redis Cluster")
}

func clusterPort(m *Redis) string {
	for line := range strings.Lines(m.config) {
		if port, ok := strings.CutPrefix(strings.TrimSpace(line), "cluster-port "); ok {
			return port
		}
	}
	return ""
}

// Join starts another server as a replica of a master.
func (c *RedisCluster) Join(of *Redis) *Redis {
	c.t.Helper()
	r := c.member()
	r.Start()
	r.CLI("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(of.port), clusterPort(of))
	c.Settle(r)
	r.CLI("CLUSTER", "REPLICATE", of.CLI("CLUSTER", "MYID"))
	WaitFor(c.t, func() bool {
		return strings.Contains(r.CLI("INFO", "replication"), "master_link_status:up") &&
			strings.Contains(of.CLI("CLUSTER", "REPLICAS", of.CLI("CLUSTER", "MYID")), " slave ")
	}, "the replica")
	return r
}

// Kill ends all masters at once.
func (c *RedisCluster) Kill() {
	for _, m := range c.Masters {
		m.Kill()
	}
}

// Move gives a slot to another master, as resharding does.
func (c *RedisCluster) Move(slot int, from, to *Redis) {
	c.t.Helper()
	id := to.CLI("CLUSTER", "MYID")
	to.CLI("CLUSTER", "SETSLOT", strconv.Itoa(slot), "IMPORTING", from.CLI("CLUSTER", "MYID"))
	from.CLI("CLUSTER", "SETSLOT", strconv.Itoa(slot), "MIGRATING", id)
	to.CLI("CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", id)
	from.CLI("CLUSTER", "SETSLOT", strconv.Itoa(slot), "NODE", id)
}

// RedisSentinel is a master with a replica, watched by one sentinel.
type RedisSentinel struct {
	Sentinel, Master, Replica *Redis
	t                         testing.TB
}

// NewRedisSentinel prepares them and leaves them stopped.
func NewRedisSentinel(t testing.TB) *RedisSentinel {
	t.Helper()
	s := &RedisSentinel{t: t, Master: NewRedis(t)}
	s.Replica = NewRedis(t, fmt.Sprintf("replicaof 127.0.0.1 %d", s.Master.port))
	s.Sentinel = NewRedis(t)
	s.Sentinel.config = fmt.Sprintf(`bind 127.0.0.1
port %d
dir %s
sentinel monitor mymaster 127.0.0.1 %d 1
sentinel down-after-milliseconds mymaster 500
sentinel failover-timeout mymaster 2000
`, s.Sentinel.port, s.Sentinel.dir, s.Master.port)
	return s
}

// URL returns where the sentinel is, or will be, with the name of the master set.
func (s *RedisSentinel) URL() string { return s.Sentinel.URL() + "?master_set=mymaster" }

// Start starts all three and waits until a failover is possible.
func (s *RedisSentinel) Start() {
	s.t.Helper()
	s.Master.Start()
	s.Replica.Start()
	WaitFor(s.t, func() bool { return strings.Contains(s.Replica.CLI("INFO", "replication"), "master_link_status:up") }, "the replica")
	s.Sentinel.launch("--sentinel")
	s.Sentinel.await()
	WaitFor(s.t, func() bool {
		return strings.Contains(s.Sentinel.CLI("SENTINEL", "REPLICAS", "mymaster"), "master-link-status\nok")
	}, "the sentinel to know the replica")
}

// Follow makes a server the replica of another, which Sentinel takes some ten seconds
// for after a failover.
func (s *RedisSentinel) Follow(replica, master *Redis) {
	s.t.Helper()
	replica.CLI("REPLICAOF", "127.0.0.1", strconv.Itoa(master.port))
	WaitFor(s.t, func() bool { return strings.Contains(replica.CLI("INFO", "replication"), "master_link_status:up") }, "the replica")
}

// Kill ends all three at once.
func (s *RedisSentinel) Kill() {
	s.Sentinel.Kill()
	s.Master.Kill()
	s.Replica.Kill()
}
