package daemon

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"github.com/pipesocket/pipesocketd/internal/config"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// certificate is the TLS certificate in force; a reload replaces it.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	pair, err := c.read()
	c.current.Store(pair)
	return c, err
}

// read reads the files as they are now.
func (c *certificate) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("load tls.cert_file and tls.key_file: %w", err)
	}
	return &pair, nil
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
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
