package daemon

import (
	"bytes"
	"crypto/tls"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/test/engines"
)

// clusterFiles puts a certificate of an authority into files.
func clusterFiles(t *testing.T, dir string, a *testkit.Authority) config.ClusterTLS {
	t.Helper()
	files := config.ClusterTLS{
		CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem"),
	}
	cert, key := testkit.PairPEM(t, a.Issue("node", time.Now().Add(time.Hour)))
	writeFile(t, files.CAFile, a.PEM())
	writeFile(t, files.CertFile, cert)
	writeFile(t, files.KeyFile, key)
	return files
}

func TestReloadOfTheClustersCertificate(t *testing.T) {
	dir, authority := t.TempDir(), testkit.NewAuthority(t, "cluster")
	o := options(func(c *config.Config) {
		withApp(c, "first").Cluster.Engine = "rediss://127.0.0.1:1"
		c.Cluster.TLS = clusterFiles(t, dir, authority)
		c.Cluster.TLS.ServerName = "redis.internal"
	})
	o.Reload = func() (*config.Config, error) { return withApp(config.Defaults(), "first"), nil }
	d, err := build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := d.clusterTLS()
	if err != nil {
		t.Fatal(err)
	}
	if trust.ServerName != "redis.internal" || !trust.RootCAs.Equal(authority.Pool()) || trust.MinVersion != tls.VersionTLS12 {
		t.Errorf("connections are made by %+v", trust)
	}
	shown := func() string {
		t.Helper()
		client, err := trust.GetClientCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		server, err := trust.GetCertificate(nil)
		if err != nil || !bytes.Equal(client.Certificate[0], server.Certificate[0]) {
			t.Errorf("different certificates in both directions (%v)", err)
		}
		return string(client.Certificate[0])
	}
	first := shown()
	clusterFiles(t, dir, authority)
	if shown() != first {
		t.Error("another certificate before the reload")
	}
	if err := d.tryReload(); err != nil {
		t.Fatal(err)
	}
	second := shown()
	if second == first {
		t.Error("the old certificate after the reload")
	}
	writeFile(t, filepath.Join(dir, "key.pem"), []byte("no key"))
	if err := d.tryReload(); err == nil || !strings.Contains(err.Error(), "cluster.tls") {
		t.Errorf("reload with a broken key: %v", err)
	}
	if shown() != second {
		t.Error("another certificate after a reload that failed")
	}
}

func TestEmbeddedNodesOverTLS(t *testing.T) {
	authority := testkit.NewAuthority(t, "cluster")
	ports := []string{engines.AddressFor(t), engines.AddressFor(t)}
	node := func(name string, listen, seed string) *server {
		return run(t, func(o *Options) {
			o.Config.Cluster = config.Defaults().Cluster
			o.Config.Cluster.Engine, o.Config.Cluster.Node = config.EngineEmbedded, name
			o.Config.Cluster.Listen, o.Config.Cluster.Seeds = listen, []string{seed}
			o.Config.Cluster.Secret = "0123456789abcdef"
			o.Config.Cluster.TLS = clusterFiles(t, t.TempDir(), authority)
		})
	}
	one := node("one", ports[0], ports[1])
	two := node("two", ports[1], ports[0])
	two.awaitNodes(2)
	conn := one.subscribe("my-channel")
	two.trigger(`{"name":"my-event","channel":"my-channel","data":"1"}`)
	if m := receive(t, conn); m.Event != "my-event" {
		t.Fatalf("delivered %+v", m)
	}
	if c := two.status(); c.Engine.Engine != "embedded" || c.Nodes[1].Name != "one" {
		t.Errorf("status %+v", c)
	}
}
