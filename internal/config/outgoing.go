package config

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

// RootCAs reads webhooks.ca_file as it is now and returns the authorities of the
// system together with those of the file; nil, which means the system's, if no
// file is named. Anything in the file but certificates is an error, so that no
// key is left there by mistake.
func (w Webhooks) RootCAs() (*x509.CertPool, error) {
	if w.CAFile == "" {
		return nil, nil //nolint:nilnil // nil is the system's pool, as in crypto/tls
	}
	text, err := os.ReadFile(w.CAFile)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("cannot be added to the system's authorities: %w", err)
	}
	if err := appendCertificates(pool, text); err != nil {
		return nil, err
	}
	return pool, nil
}

func appendCertificates(pool *x509.CertPool, text []byte) error {
	found := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return errors.New("must hold certificates only, but there is another kind of PEM block")
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("holds a certificate that cannot be parsed: %w", err)
		}
		pool.AddCert(certificate)
		found++
	}
	if found == 0 {
		return errors.New("holds no PEM certificate")
	}
	return nil
}

// ClientCertificate reads webhooks.client_cert_file and
// webhooks.client_key_file as they are now; nil if none are named.
func (w Webhooks) ClientCertificate() (*tls.Certificate, error) {
	if w.ClientCertFile == "" {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	pair, err := tls.LoadX509KeyPair(w.ClientCertFile, w.ClientKeyFile)
	if err != nil {
		return nil, fmt.Errorf("is no certificate with the key of webhooks.client_key_file: %w", err)
	}
	return &pair, nil
}

func (c *Config) checkOutgoing(found *faults) {
	if _, err := c.Webhooks.RootCAs(); err != nil {
		found.add("webhooks.ca_file", "", err.Error())
	}
	checkPair(found, pemFile{"webhooks.client_cert_file", c.Webhooks.ClientCertFile}, pemFile{"webhooks.client_key_file", c.Webhooks.ClientKeyFile})
}
