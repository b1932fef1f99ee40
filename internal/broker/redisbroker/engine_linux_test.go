package redisbroker

import (
	"path/filepath"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/broker"
	"github.com/pipesocket/pipesocketd/internal/broker/brokertest"
	"github.com/pipesocket/pipesocketd/test/engines"
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
func setup(t *testing.T, o Options, servers ...*engines.Process) brokertest.Setup {
	t.Helper()
	each := func(do func(*engines.Process) error) func() {
		return func() {
			for _, s := range servers {
				if err := do(s); err != nil {
					t.Error(err)
				}
			}
		}
	}
	return brokertest.Setup{
		New: func(t testing.TB) broker.Engine { return engine(t, o) },
		Stop: each(func(s *engines.Process) error {
			s.Kill()
			return nil
		}),
		Start:  each((*engines.Process).Start),
		Freeze: each((*engines.Process).Freeze),
		Thaw:   each((*engines.Process).Thaw),
	}
}

func TestStandalone(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		server := engines.RedisFor(t)
		return setup(t, Options{URL: urlOf(server) + "/3"}, server)
	})
}

func TestTLSWithACL(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		server, addr, trust := tlsServer(t, "--user", "default", "off", "--user", "node", "on", ">"+password,
			"resetchannels", "&pipesocket:*", "-@all", "+hello", "+ping", "+publish", "+subscribe", "+unsubscribe")
		return setup(t, Options{URL: "rediss://node:" + password + "@" + addr, TLS: trust}, server)
	})
}

func TestUnixSocket(t *testing.T) {
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		socket := filepath.Join(t.TempDir(), "s")
		return setup(t, Options{URL: "unix://" + socket}, engines.RedisFor(t, "--unixsocket", socket))
	})
}

func TestSentinel(t *testing.T) {
	t.Parallel()
	whole := t
	var e *engines.Engine // one for several tests: it takes seconds to form
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		if e == nil {
			e = engines.StartFor(whole, engines.RedisSentinel)
			for _, sentinel := range e.Sentinels {
				ask(t, sentinel, "ACL", "SETUSER", "watcher", "on", ">"+password, "-@all", "+hello", "+sentinel|get-master-addr-by-name")
			}
		}
		s := setup(t, Options{URL: e.URL() + "&sentinel_username=watcher&sentinel_password=" + password}, e.Servers[0])
		// Another server may be the master from then on.
		for _, fault := range []*func(){&s.Stop, &s.Freeze} {
			do := *fault
			*fault = func() {
				do()
				e = nil
			}
		}
		return s
	})
}

func TestCluster(t *testing.T) {
	t.Parallel()
	e := engines.StartFor(t, engines.RedisCluster) // one for all: it takes seconds to form
	stopped := false
	brokertest.TestEngine(t, func(t *testing.T) brokertest.Setup {
		s := setup(t, Options{URL: e.URL()}, e.Servers...)
		start, stop := s.Start, s.Stop
		s.Start = func() {
			start()
			if err := e.Settle(); err != nil {
				t.Fatal(err)
			}
			stopped = false
		}
		s.Stop = func() {
			stop()
			stopped = true
		}
		if stopped {
			s.Start()
		}
		return s
	})
}
