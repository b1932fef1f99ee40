package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestBadFiles loads each file of testdata/bad and expects exactly the faults
// that its comments beginning with "want:" name; those of JSON stand beside it.
func TestBadFiles(t *testing.T) {
	for _, name := range glob(t, "testdata/bad/*.*") {
		if strings.HasSuffix(name, ".want") {
			continue
		}
		t.Run(strings.TrimPrefix(name, "testdata/bad/"), func(t *testing.T) {
			file := withCertificates(t, name)
			c, err := Load(LoadOptions{File: file})
			if err == nil {
				t.Fatalf("loaded as %+v", c)
			}
			if c != nil {
				t.Error("a configuration came with the error")
			}
			got := strings.Split(strings.ReplaceAll(err.Error(), file, "FILE"), "\n")
			if want := wanted(t, name, filepath.Dir(file)); !slices.Equal(got, want) {
				t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, secret := range []string{"sesame", "99123456789"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error tells a secret: %v", err)
				}
			}
		})
	}
}

// TestEveryKeyHasABadFile keeps the table of bad files complete.
func TestEveryKeyHasABadFile(t *testing.T) {
	seen := make(map[string]bool)
	for _, name := range glob(t, "testdata/bad/*.*") {
		for _, line := range wanted(t, name, "") {
			path, _, _ := strings.Cut(line, ": ")
			seen[regexp.MustCompile(`\[\d+\]`).ReplaceAllString(path, "[]")] = true
		}
	}
	for _, s := range Settings() {
		if !seen[s.Key] {
			t.Errorf("no file of testdata/bad expects a fault of %s", s.Key)
		}
	}
}

func wanted(t *testing.T, name, dir string) []string {
	t.Helper()
	if strings.HasSuffix(name, ".json") {
		name += ".want"
	}
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if want, ok := strings.CutPrefix(line, "# want: "); ok {
			lines = append(lines, strings.ReplaceAll(strings.TrimSpace(want), "testdata/tls", dir))
		}
	}
	return lines
}

// withCertificates copies a file to a directory that has ca.pem, cert.pem and
// key.pem, which it calls testdata/tls.
func withCertificates(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	pair := certificate()
	for file, content := range map[string][]byte{
		"ca.pem":            bytes.Join([][]byte{pair.cert, pair.cert}, []byte("# another\n")),
		"cert.pem":          pair.cert,
		"key.pem":           pair.key,
		filepath.Base(name): bytes.ReplaceAll(text, []byte("testdata/tls"), []byte(dir)),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, filepath.Base(name))
}

type pemPair struct{ cert, key []byte }

var certificate = sync.OnceValue(func() pemPair {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	return pemPair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}
})

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	return names
}

func TestFileNames(t *testing.T) {
	t.Run("a missing file is an error that errors.Is knows", func(t *testing.T) {
		_, err := Load(LoadOptions{File: filepath.Join(t.TempDir(), "none.yaml")})
		if !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), "read config file: ") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("another extension is an error", func(t *testing.T) {
		_, err := Load(LoadOptions{File: "pipesocketd.ini"})
		if err == nil || err.Error() != "config file pipesocketd.ini: must end in .yaml, .yml, .toml or .json" {
			t.Errorf("error %v", err)
		}
	})
	for _, name := range []string{"c.yaml", "c.yml", "c.YAML", "c.toml", "c.json"} {
		t.Run("an empty "+name+" is no configuration at all", func(t *testing.T) {
			c, err := Load(LoadOptions{File: write(t, name, "\n")})
			if err != nil || c.Listen != Defaults().Listen {
				t.Errorf("Load = %+v, %v", c, err)
			}
		})
	}
}

// write puts a text into a file of a directory of its own.
func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
