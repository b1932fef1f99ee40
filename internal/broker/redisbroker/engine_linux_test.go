package redisbroker

import (
	"strings"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// engine returns an engine that nothing has been done with.
func engine(t testing.TB, o Options) *Engine {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = "pipesocket"
	}
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// setup makes a Setup of servers that are started already.
func setup(o Options, servers ...*testkit.Redis) brokertest.Setup {
	each := func(do func(*testkit.Redis)) func() {
		return func() {
			for _, s := range servers {
				do(s)
			}
		}
	}
	return brokertest.Setup{
		New:    func(t testing.TB) broker.Engine { return engine(t, o) },
		Stop:   each((*testkit.Redis).Kill),
		Start:  each((*testkit.Redis).Start),
		Freeze: each((*testkit.Redis).Freeze),
		Thaw:   each((*testkit.Redis).Thaw),
	}
}

func TestStandalone(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		server := testkit.NewRedis(t)
		server.Start()
		return setup(Options{URL: server.URL() + "/3"}, server)
	})
}

func TestTLSWithACL(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		server := testkit.NewRedisTLS(t, "user default off",
			"user node on >"+testkit.RedisPassword+" resetchannels &pipesocket:* -@all +hello +ping +publish +subscribe +unsubscribe")
		server.Start()
		url := strings.Replace(server.URL(), "://", "://node:"+testkit.RedisPassword+"@", 1)
		return setup(Options{URL: url, TLS: server.ClientTLS()}, server)
	})
}

func TestUnixSocket(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		server := testkit.NewRedis(t)
		server.Start()
		return setup(Options{URL: "unix://" + server.Socket()}, server)
	})
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		s := testkit.NewRedisSentinel(t)
		s.Start()
		s.Sentinel.CLI("ACL", "SETUSER", "watcher", "on", ">"+testkit.RedisPassword, "-@all", "+hello", "+sentinel|get-master-addr-by-name")
		return setup(Options{URL: s.URL() + "&sentinel_username=watcher&sentinel_password=" + testkit.RedisPassword}, s.Master)
	})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	c := testkit.NewRedisCluster(t, 3) // one for all: it takes seconds to form
	serving := false
	start := func() {
		c.Start()
		serving = true
	}
	brokertest.TestEngine(t, func(*testing.T) brokertest.Setup {
		if !serving {
			start()
		}
		s := setup(Options{URL: c.URL()}, c.Masters...)
		s.Start = start
		s.Stop = func() {
			serving = false
			c.Kill()
		}
		return s
	})
}
