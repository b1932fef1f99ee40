//go:build !noembedded

package embedded

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
)

// mutual returns a configuration for both ends of a connection between nodes, nil
// for nil.
func mutual(base *tls.Config, seeds []string) (*tls.Config, error) {
	if base == nil {
		return nil, nil //nolint:nilnil // no TLS
	}
	if base.RootCAs == nil {
		return nil, errors.New("tls: the authority of the nodes' certificates is missing")
	}
	if len(base.Certificates) == 0 && base.GetCertificate == nil {
		return nil, errors.New("tls: the node's certificate is missing")
	}
	accepting := base.Clone()
	accepting.MinVersion = max(base.MinVersion, tls.VersionTLS12)
	accepting.ClientAuth = tls.RequireAndVerifyClientCert
	if accepting.ClientCAs == nil {
		accepting.ClientCAs = base.RootCAs
	}
	dialling := base.Clone()
	dialling.MinVersion = accepting.MinVersion
	// The server dials addresses, while certificates are for names: the check of the
	// library is replaced by one that knows them, of the same chain.
	dialling.InsecureSkipVerify = true
	dialling.VerifyConnection = certified(base, seeds)
	// The server has one configuration for both directions.
	dialling.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) { return accepting, nil }
	return dialling, nil
}

// certified checks a node that was dialled: its chain, and that it was issued for
// where it was found.
func certified(base *tls.Config, seeds []string) func(tls.ConnectionState) error {
	var names []string
	for _, seed := range seeds {
		if host, _, err := net.SplitHostPort(seed); err == nil && base.ServerName == "" {
			names = append(names, host)
		}
	}
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errors.New("the other node shows no certificate")
		}
		leaf, intermediates := state.PeerCertificates[0], x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			intermediates.AddCert(c)
		}
		options := x509.VerifyOptions{Roots: base.RootCAs, Intermediates: intermediates}
		if base.Time != nil {
			options.CurrentTime = base.Time()
		}
		if _, err := leaf.Verify(options); err != nil {
			return fmt.Errorf("the other node's certificate: %w", err)
		}
		err := leaf.VerifyHostname(state.ServerName)
		if err == nil || slices.ContainsFunc(names, func(name string) bool { return leaf.VerifyHostname(name) == nil }) {
			return nil
		}
		return fmt.Errorf("the other node's certificate: %w", err)
	}
}
