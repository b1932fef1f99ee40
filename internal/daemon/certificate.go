package daemon

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// certificate is a TLS certificate in force; a reload replaces it.
type certificate struct {
	setting           string // table of the configuration that names the files
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

func loadCertificate(setting, certFile, keyFile string) (*certificate, error) {
	c := &certificate{setting: setting, certFile: certFile, keyFile: keyFile}
	pair, err := c.read()
	c.current.Store(pair)
	return c, err
}

// read reads the files as they are now.
func (c *certificate) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("load %[1]s.cert_file and %[1]s.key_file: %[2]w", c.setting, err)
	}
	return &pair, nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// show is get for the other end of a connection.
func (c *certificate) show(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return c.current.Load(), nil
}

// trustOf reads the files that webhooks go by as they are now.
func trustOf(c config.Webhooks) (webhook.Trust, error) {
	roots, err := c.RootCAs()
	if err != nil {
		return webhook.Trust{}, fmt.Errorf("load webhooks.ca_file: %w", err)
	}
	pair, err := c.ClientCertificate()
	if err != nil {
		return webhook.Trust{}, fmt.Errorf("load webhooks.client_cert_file: %w", err)
	}
	return webhook.Trust{RootCAs: roots, Certificate: pair}, nil
}
