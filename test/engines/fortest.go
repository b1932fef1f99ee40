package engines

import (
	"os/exec"
	"testing"
)

// StartFor starts an engine without proxies for one test, and stops it at its end. The
// test is skipped where Redis is needed and not installed.
func StartFor(t testing.TB, kind Kind) *Engine {
	t.Helper()
	if kind != NATS && kind != NATSCluster {
		needRedis(t)
	}
	e, err := Start(kind, t.TempDir(), false)
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// RedisFor starts a Redis server with further settings for one test, each as on its
// command line, and stops it at its end. The test is skipped where Redis is not
// installed.
func RedisFor(t testing.TB, settings ...string) *Process {
	t.Helper()
	needRedis(t)
	server, err := redisServer(t.TempDir(), PortFor(t), settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Kill)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	return server
}

func needRedis(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("Redis is not installed")
	}
}

// ProxyFor starts a proxy for one test, and ends it with that.
func ProxyFor(t testing.TB, server string) *Proxy {
	t.Helper()
	p, err := NewProxy(server)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// AddressFor returns a HOST:PORT of loopback for one test that nothing listens on.
func AddressFor(t testing.TB) string {
	t.Helper()
	return addressOf(PortFor(t))
}

// PortFor returns a port of loopback for one test that nothing listens on.
func PortFor(t testing.TB) int {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
