package config

import (
	"bytes"
	"encoding/pem"
	"strings"
	"testing"
)

func TestRootCAs(t *testing.T) {
	pair := certificate()
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("no certificate")})
	for name, c := range map[string]struct {
		text []byte
		want string // part of the error, "" for none
	}{
		"one certificate":              {pair.cert, ""},
		"two with a comment":           {bytes.Join([][]byte{pair.cert, pair.cert}, []byte("# the second\n")), ""},
		"an empty file":                {nil, "holds no PEM certificate"},
		"a file that is not PEM":       {[]byte("sesame"), "holds no PEM certificate"},
		"a broken certificate":         {broken, "cannot be parsed"},
		"a broken one behind another":  {append(bytes.Clone(pair.cert), broken...), "cannot be parsed"},
		"a key beside the certificate": {append(bytes.Clone(pair.cert), pair.key...), "certificates only"},
	} {
		t.Run(name, func(t *testing.T) {
			pool, err := Webhooks{CAFile: write(t, "ca.pem", string(c.text))}.RootCAs()
			if c.want == "" && (err != nil || pool == nil) || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "sesame") {
				t.Errorf("the error repeats the file: %v", err)
			}
		})
	}
	t.Run("no file is the system's pool", func(t *testing.T) {
		if pool, err := (Webhooks{}).RootCAs(); pool != nil || err != nil {
			t.Errorf("got %v, %v", pool, err)
		}
	})
}

func TestClientCertificate(t *testing.T) {
	pair := certificate()
	cert, key := write(t, "cert.pem", string(pair.cert)), write(t, "key.pem", string(pair.key))
	if got, err := (Webhooks{ClientCertFile: cert, ClientKeyFile: key}).ClientCertificate(); err != nil || got == nil || len(got.Certificate) != 1 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := (Webhooks{}).ClientCertificate(); err != nil || got != nil {
		t.Errorf("without files: got %v, %v", got, err)
	}
	if got, err := (Webhooks{ClientCertFile: cert, ClientKeyFile: cert}).ClientCertificate(); err == nil || got != nil {
		t.Errorf("with the certificate for a key: got %v, %v", got, err)
	}
}
