package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"sync/atomic"
)

// Trust says whom webhooks believe over TLS and as whom they come. The zero value
// is the system's authorities and nobody in particular.
type Trust struct {
	RootCAs     *x509.CertPool   // nil: the system's
	Certificate *tls.Certificate // for receivers that ask for one; nil: none
}

// config returns the client side of a handshake. Receivers are always verified.
// One that names the authorities it takes gets no certificate of another.
func (t Trust) config() *tls.Config {
	c := &tls.Config{RootCAs: t.RootCAs, MinVersion: tls.VersionTLS12}
	if t.Certificate != nil {
		c.Certificates = []tls.Certificate{*t.Certificate}
	}
	return c
}

// renewable is the transport of production, whose trust can be replaced. A
// transport's own cannot once it has been used.
type renewable struct {
	options Options
	current atomic.Pointer[http.Transport]
}

func newRenewable(o Options) *renewable {
	r := &renewable{options: o}
	r.current.Store(newTransport(o))
	return r
}

// RoundTrip implements http.RoundTripper.
func (r *renewable) RoundTrip(req *http.Request) (*http.Response, error) {
	return r.current.Load().RoundTrip(req)
}

// CloseIdleConnections is what senders look for.
func (r *renewable) CloseIdleConnections() { r.current.Load().CloseIdleConnections() }

// renew lets attempts that begin from now on connect anew. Those in flight end as
// they would have; a connection that one of them leaves behind goes by the
// transport's own limit for idle ones.
func (r *renewable) renew(t Trust) {
	o := r.options
	o.Trust = t
	r.current.Swap(newTransport(o)).CloseIdleConnections()
}

// Renew replaces whom webhooks believe and as whom they come, for new
// connections; the kept ones are closed. It has no effect on a transport that
// was given in the options. Any goroutine may call it.
func (d *Dispatcher) Renew(t Trust) {
	if r, ok := d.options.Transport.(*renewable); ok {
		r.renew(t)
	}
}
