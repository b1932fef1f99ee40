package redisbroker

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

// password is that of every server that has one; no log may show it.
const password = "open-sesame"

func urlOf(server *engines.Process) string { return "redis://" + server.Addr() }

// ask carries out a command that the server must not refuse.
func ask(t testing.TB, server *engines.Process, words ...string) string {
	t.Helper()
	answer, err := engines.RedisCommand(server.Addr(), words...)
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
	return answer
}

// tlsServer starts a server with a port besides where it takes TLS connections only,
// of clients with a certificate. It returns the address there and what such clients need.
func tlsServer(t testing.TB, settings ...string) (server *engines.Process, addr string, trust *tls.Config) {
	t.Helper()
	authority := testkit.NewAuthority(t, "Redis")
	until := time.Now().Add(time.Hour)
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := testkit.PairPEM(t, authority.Issue("server", until))
	port := strconv.Itoa(engines.PortFor(t))
	server = engines.RedisFor(t, append(settings, "--tls-port", port, "--tls-auth-clients", "yes",
		"--tls-cert-file", file("cert.pem", cert), "--tls-key-file", file("key.pem", key), "--tls-ca-cert-file", file("ca.pem", authority.PEM()))...)
	trust = &tls.Config{RootCAs: authority.Pool(), Certificates: []tls.Certificate{authority.Issue("client", until)}}
	return server, "127.0.0.1:" + port, trust
}

// move gives a slot to another master, as resharding does.
func move(t testing.TB, slot int, from, to *engines.Process) {
	t.Helper()
	number, id := strconv.Itoa(slot), ask(t, to, "CLUSTER", "MYID")
	ask(t, to, "CLUSTER", "SETSLOT", number, "IMPORTING", ask(t, from, "CLUSTER", "MYID"))
	ask(t, from, "CLUSTER", "SETSLOT", number, "MIGRATING", id)
	ask(t, to, "CLUSTER", "SETSLOT", number, "NODE", id)
	ask(t, from, "CLUSTER", "SETSLOT", number, "NODE", id)
}

// awaitReplica waits until a server follows a master.
func awaitReplica(t testing.TB, server *engines.Process) {
	t.Helper()
	testkit.WaitFor(t, func() bool {
		return strings.Contains(ask(t, server, "INFO", "replication"), "master_link_status:up")
	}, "the replica")
}
