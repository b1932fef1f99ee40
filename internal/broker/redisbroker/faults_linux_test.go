package redisbroker

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

func TestClosedByServer(t *testing.T) {
	server := engines.RedisFor(t)
	n := start(t, Options{URL: urlOf(server)})
	for i, kind := range []string{"pubsub", "normal"} {
		if err := n.do(broker.Subscribe, room("a"), ""); err != nil {
			t.Fatal(err)
		}
		ask(t, server, "CLIENT", "KILL", "TYPE", kind)
		if kind == "normal" { // the publishing one: it is noticed when it is used
			_ = n.do(broker.Publish, room("a"), "x")
		}
		n.awaitDown(i + 1)
		n.awaitUp(i + 2)
		n.works(room("a"), kind)
	}
}

func TestDemotedServer(t *testing.T) {
	t.Parallel()
	server := engines.RedisFor(t)
	n := start(t, Options{URL: urlOf(server)})
	ask(t, server, "REPLICAOF", "127.0.0.1", "1")
	if reason := n.awaitDown(1); !strings.Contains(reason, "replica") {
		t.Errorf("went down with %q, want a word of the replica", reason)
	}
	ask(t, server, "REPLICAOF", "NO", "ONE")
	n.awaitUp(2)
	n.works(room("a"), "x")
}

func TestSlowReader(t *testing.T) {
	server := engines.RedisFor(t, "--client-output-buffer-limit", "pubsub", "2mb", "0", "0")
	n, other := start(t, Options{URL: urlOf(server)}), start(t, Options{URL: urlOf(server)})
	if err := n.do(broker.Subscribe, room("a"), ""); err != nil {
		t.Fatal(err)
	}
	n.hold.Lock()
	large := strings.Repeat("x", 1<<20)
	testkit.WaitFor(t, func() bool { // until what the sockets hold and 2 MiB are full
		if err := other.do(broker.Publish, room("a"), large); err != nil {
			t.Fatal(err)
		}
		return !strings.Contains(ask(t, server, "CLIENT", "LIST", "TYPE", "pubsub"), " sub=1 ")
	}, "the server to give up")
	n.hold.Unlock()
	n.awaitDown(1)
	n.awaitUp(2)
	n.works(room("a"), "x")
}

func TestRightsTaken(t *testing.T) {
	server := engines.RedisFor(t, "--user", "node", "on", "nopass", "~*", "&*", "+@all")
	n := start(t, Options{URL: strings.Replace(urlOf(server), "://", "://node:any@", 1)})
	if err := n.do(broker.Subscribe, room("a"), ""); err != nil {
		t.Fatal(err)
	}
	ask(t, server, "ACL", "SETUSER", "node", "resetchannels")
	n.awaitDown(1)
	n.awaitUp(2)
	if err := n.do(broker.Publish, room("a"), "x"); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("got %v, want what the server said", err)
	}
	n.awaitDown(2)
	ask(t, server, "ACL", "SETUSER", "node", "allchannels")
	n.works(room("a"), "y")
}

func TestNetwork(t *testing.T) {
	t.Parallel()
	server := engines.RedisFor(t)
	proxy := engines.ProxyFor(t, server.Addr())
	n := start(t, Options{URL: "redis://" + proxy.Addr()})

	proxy.Set(engines.Reset)
	n.awaitDown(1)
	proxy.Set(engines.Fault{})
	n.awaitUp(2)
	n.works(room("a"), "after a cut")

	proxy.Set(engines.Fault{Delay: 100 * time.Millisecond})
	n.works(room("b"), "slowly")
	proxy.Set(engines.Fault{})

	if err := n.do(broker.Subscribe, room("c"), ""); err != nil {
		t.Fatal(err)
	}
	proxy.Set(engines.BlackHole) // nothing is sent: only the probes can notice
	n.awaitDown(2)
	proxy.Set(engines.Fault{})
	n.awaitUp(3)
	n.works(room("c"), "after a pause")
}

func TestSentinelFailover(t *testing.T) {
	t.Parallel()
	e := engines.StartFor(t, engines.RedisSentinel)
	first, second := e.Servers[0], e.Servers[1]
	n := start(t, Options{URL: e.URL()})
	n.works(room("a"), "before")
	if got := n.Describe().Servers[0]; got != first.Addr() {
		t.Errorf("connected to %s, want the master", got)
	}

	// A planned failover, while both live.
	testkit.WaitFor(t, func() bool {
		answer, err := engines.RedisCommand(e.Sentinels[0].Addr(), "SENTINEL", "FAILOVER", engines.MasterName)
		return err == nil && answer == "OK"
	}, "Sentinel to be willing")
	n.awaitDown(1)
	testkit.WaitFor(t, func() bool { return n.Describe().Servers[0] == second.Addr() }, "the link to the former replica")
	n.works(room("a"), "after a planned failover")

	// And back, as the new master dies. Sentinel would take some ten seconds to have
	// the first one follow.
	_, port, _ := net.SplitHostPort(second.Addr())
	ask(t, first, "REPLICAOF", "127.0.0.1", port)
	awaitReplica(t, first)
	downs := n.downs()
	second.Kill()
	n.awaitDown(downs + 1)
	testkit.WaitFor(t, func() bool { return n.Describe().Servers[0] == first.Addr() }, "the link to the first master")
	n.works(room("a"), "after the master's death")
}

func TestClusterChanges(t *testing.T) {
	t.Parallel()
	e := engines.StartFor(t, engines.RedisReplicas)
	n := start(t, Options{URL: e.URL()})
	if d := n.Describe(); d.Engine != "redis cluster" || len(d.Servers) != 3 || d.Version == "" {
		t.Errorf("described as %+v", d)
	}
	moved := room("a")
	slot := slotOf(tags[n.Lane(moved)])
	owner := slot * 3 / slots
	from, to, replica := e.Servers[owner], e.Servers[(owner+1)%3], e.Servers[3+owner]

	// A slot moves away under a subscription.
	if err := n.do(broker.Subscribe, moved, ""); err != nil {
		t.Fatal(err)
	}
	move(t, slot, from, to)
	if reason := n.awaitDown(1); !strings.Contains(reason, "slot") {
		t.Errorf("went down with %q, want a word of the slot", reason)
	}
	n.awaitUp(2)
	n.works(moved, "after the move")

	// It moves back, and only a publisher notices.
	n.Reconnect(errProtocol)
	n.awaitUp(3)
	move(t, slot, to, from)
	if err := n.do(broker.Publish, moved, "x"); err == nil || !strings.Contains(err.Error(), "MOVED") {
		t.Errorf("publishing to a slot that moved: %v", err)
	}
	n.awaitUp(4)
	n.works(moved, "after the way back")

	// A replica takes over from a master that lives.
	downs := n.downs()
	ask(t, replica, "CLUSTER", "FAILOVER", "TAKEOVER")
	n.awaitDown(downs + 1)
	n.works(moved, "after the failover")

	// And its own successor when it dies.
	awaitReplica(t, from)
	downs = n.downs()
	replica.Kill()
	n.awaitDown(downs + 1)
	n.works(moved, "after the death")
}

func TestConnections(t *testing.T) {
	t.Parallel()
	server := engines.RedisFor(t)
	n := start(t, Options{URL: urlOf(server)})
	n.works(room("a"), "x")
	if got := strings.Count(ask(t, server, "CLIENT", "LIST"), "name="+clientName); got != 2 {
		t.Errorf("%d connections, want 2", got)
	}
	for i := range 5 {
		n.Reconnect(errProtocol)
		n.awaitUp(i + 2)
	}
	testkit.WaitFor(t, func() bool { return strings.Count(ask(t, server, "CLIENT", "LIST"), "name="+clientName) == 2 }, "old connections to end")
}

func TestPasswordIsNotTold(t *testing.T) {
	secret := password
	server := engines.RedisFor(t, "--requirepass", secret)
	for name, url := range map[string]string{
		"right":           "redis://:" + secret + "@" + server.Addr(),
		"right, in a set": "redis://:" + secret + "@" + server.Addr() + "?master_set=x&sentinel_password=" + secret,
		"wrong":           "redis://someone:" + secret + "@" + server.Addr(),
		"to nobody":       "redis://:" + secret + "@127.0.0.1:1",
		"TLS to plain":    "rediss://:" + secret + "@" + server.Addr(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log testkit.LogCapture
			n := run(t, Options{URL: url, Log: log.Logger()})
			testkit.WaitFor(t, func() bool { return len(log.Records()) > 0 }, "a line in the log")
			text := log.String()
			for _, part := range append(n.Describe().Servers, n.Describe().Version, n.Describe().Engine) {
				text += part
			}
			if err := n.do(broker.Publish, room("a"), "x"); err != nil {
				text += err.Error()
			}
			if strings.Contains(text, secret) {
				t.Errorf("the password is in %s", text)
			}
		})
	}
}

// A server that repeats what it was sent, as Redis 5 does with commands unknown to it.
func TestOldServer(t *testing.T) {
	url := liar(t, func(int) []byte {
		return []byte("-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `default`, `" + password + "`, \r\n")
	})
	var log testkit.LogCapture
	run(t, Options{URL: strings.Replace(url, "://", "://:"+password+"@", 1), Log: log.Logger()})
	testkit.WaitFor(t, func() bool { return strings.Contains(log.String(), "older than Redis 6") }, "the reason in the log")
	if strings.Contains(log.String(), password) {
		t.Errorf("the password is in %s", log.String())
	}
}

func TestLyingServer(t *testing.T) {
	hello := "%4\r\n+server\r\n+redis\r\n+version\r\n+7.0.0\r\n+proto\r\n:3\r\n+mode\r\n+standalone\r\n"
	for name, answer := range map[string]string{
		"silence":             "",
		"another protocol":    "HTTP/1.1 400 Bad Request\r\n\r\n",
		"a huge string":       "$9999999999999\r\n",
		"a negative string":   "$-7\r\n",
		"a huge array":        "*2147483647\r\n",
		"a deep array":        strings.Repeat("*1\r\n", 100_000),
		"an endless line":     "+" + strings.Repeat("x", 1<<20),
		"a second answer":     hello + "+OK\r\n",
		"unasked messages":    hello + ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nb\r\n",
		"a huge message":      hello + ">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$99999999999\r\n",
		"confirmations":       hello + ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
		"an empty push":       hello + ">0\r\n" + strings.Repeat(" ", 32),
		"a cluster of lies":   strings.Replace(hello, "standalone", "cluster", 1) + "*1\r\n*3\r\n:0\r\n:99999\r\n*2\r\n$1\r\nx\r\n:1\r\n",
		"a cluster of nobody": strings.Replace(hello, "standalone", "cluster", 1) + "*0\r\n",
		"a number that ends":  "%1\r\n+proto",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// The receiving connection comes first, then rueidis's: both are lied to.
			asked := make(chan int, 100)
			url := liar(t, func(connection int) []byte {
				select {
				case asked <- connection:
				default:
				}
				return []byte(answer)
			})
			n := run(t, Options{URL: url})
			<-asked
			if name != "silence" {
				<-asked // it came again, so it has survived the first lies
			}
			if err := n.do(broker.Publish, room("a"), "x"); err == nil {
				t.Error("Do succeeded")
			}
		})
	}
}

// TestLiesOnALink adds to what a true server sends, once the link is up.
func TestLiesOnALink(t *testing.T) {
	server := engines.RedisFor(t)
	for name, lie := range map[string]string{
		"an answer":      "+OK\r\n",
		"garbage":        "\x00\x01\x02\r\n",
		"a confirmation": ">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n",
		"a huge string":  "$9999999999999\r\n",
		"a huge array":   ">2147483647\r\n" + strings.Repeat(" ", 32),
	} {
		t.Run(name, func(t *testing.T) {
			m := newMiddleman(t, server.Addr())
			n := start(t, Options{URL: "redis://" + m.addr()})
			n.works(room("a"), "true")
			m.tell(lie)
			_ = n.do(broker.Publish, room("a"), "x") // reads what was told on the publishing connection
			n.awaitDown(1)
			n.awaitUp(2)
			n.works(room("a"), "true again")
		})
	}
}

func TestManyBatches(t *testing.T) {
	server := engines.RedisFor(t)
	n := start(t, Options{URL: urlOf(server)})
	var list []broker.Command
	for i := range 3000 { // over one command's channels, and rueidis's limit of a pipeline
		list = append(list, broker.Command{Op: broker.Subscribe, Subject: room(strconv.Itoa(i))},
			broker.Command{Op: broker.Publish, Subject: room(strconv.Itoa(i)), Message: bytes.Repeat([]byte{'x'}, i)})
	}
	if err := n.Do(t.Context(), list); err != nil {
		t.Fatal(err)
	}
	if err := n.Fence(t.Context()); err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.got) != 3000 {
		t.Errorf("received %d of 3000 messages", len(n.got))
	}
}
