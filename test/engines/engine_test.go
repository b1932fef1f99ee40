package engines

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Every engine starts, with proxies and without, and is reached at the addresses
// that it tells.
func TestEngines(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []Kind{Redis, RedisSentinel, RedisCluster, RedisReplicas, NATS, NATSCluster} {
		for name, proxied := range map[string]bool{"direct": false, "behind proxies": true} {
			t.Run(string(kind)+" "+name, func(t *testing.T) {
				t.Parallel()
				begin := time.Now()
				e, err := Start(kind, t.TempDir(), proxied)
				t.Cleanup(func() {
					if err := e.Stop(); err != nil {
						t.Error(err)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, addr := range e.Addrs() {
					conn, err := net.Dial("tcp", addr)
					if err != nil {
						t.Fatal(err)
					}
					_ = conn.Close()
				}
				t.Logf("%s after %v", e.URL(), time.Since(begin))
			})
		}
	}
}
