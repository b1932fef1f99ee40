package daemon

import (
	"bytes"
	"crypto/tls"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// writeCertificate puts a new certificate into the files and returns it.
func writeCertificate(t *testing.T, files config.TLS) []byte {
	t.Helper()
	c := testkit.Certificate(t)
	cert, key := testkit.PairPEM(t, c)
	writeFile(t, files.CertFile, cert)
	writeFile(t, files.KeyFile, key)
	return c.Certificate[0]
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestReloadOfCertificate(t *testing.T) {
	dir := t.TempDir()
	files := config.TLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	first := writeCertificate(t, files)
	next := "second"
	o := options(func(c *config.Config) { withApp(c, "first").TLS = files })
	o.Reload = func() (*config.Config, error) { return withApp(config.Defaults(), next), nil }
	d, err := build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	expect := func(when string, certificate []byte, key string) {
		t.Helper()
		served, err := d.certificate.get(&tls.ClientHelloInfo{})
		if err != nil || !bytes.Equal(served.Certificate[0], certificate) {
			t.Errorf("%s: not the expected certificate is served (%v)", when, err)
		}
		if d.apps.ByKey(key) == nil {
			t.Errorf("%s: key %q is not served", when, key)
		}
	}
	expect("at the start", first, "first")

	second := writeCertificate(t, files)
	expect("before the reload", first, "first")
	if err := d.tryReload(); err != nil {
		t.Fatal(err)
	}
	expect("after the reload", second, "second")

	next = "third"
	writeFile(t, files.CertFile, []byte("no certificate"))
	if err := d.tryReload(); err == nil {
		t.Error("a broken certificate was taken over")
	}
	expect("after a reload with a broken certificate", second, "second")
}
