package webhook

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

// tlsReceiver answers 200 and keeps who came, by the name in the certificate.
type tlsReceiver struct {
	*httptest.Server
	mu     sync.Mutex
	guests []string
}

func newTLSReceiver(t *testing.T, config *tls.Config, http2 bool) *tlsReceiver {
	t.Helper()
	r := &tlsReceiver{}
	r.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		name := "nobody"
		if len(req.TLS.PeerCertificates) > 0 {
			name = req.TLS.PeerCertificates[0].Subject.CommonName
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.guests = append(r.guests, name+" "+req.Proto)
	}))
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	r.TLS, r.EnableHTTP2 = config, http2
	r.StartTLS()
	t.Cleanup(r.Close)
	return r
}

// last returns who came last, "" if nobody has since it was asked before.
func (r *tlsReceiver) last() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.guests = nil }()
	if len(r.guests) == 0 {
		return ""
	}
	return r.guests[len(r.guests)-1]
}

// demanding is the TLS side of a receiver with a certificate of its own private
// authority that takes clients of another one only.
func demanding(server tls.Certificate, clients *x509.CertPool) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{server}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}
}

func TestClientCertificateAndPrivateAuthority(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	servers, clients, strangers := testkit.NewAuthority(t, "servers"), testkit.NewAuthority(t, "clients"), testkit.NewAuthority(t, "strangers")
	ours, theirs, old := clients.Issue("us", soon), strangers.Issue("somebody", soon), clients.Issue("us before", time.Now().Add(-time.Hour))
	for _, http2 := range []bool{false, true} {
		proto := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[http2]
		picky := newTLSReceiver(t, demanding(servers.Issue("receiver", soon), clients.Pool()), http2)
		open := newTLSReceiver(t, &tls.Config{Certificates: []tls.Certificate{servers.Issue("receiver", soon)}, MinVersion: tls.VersionTLS12}, http2)
		for name, c := range map[string]struct {
			to    *tlsReceiver
			trust Trust
			want  string // who came, "" if it must fail
		}{
			"both known":                         {picky, Trust{servers.Pool(), &ours}, "us " + proto},
			"no client certificate":              {picky, Trust{servers.Pool(), nil}, ""},
			"client certificate of another":      {picky, Trust{servers.Pool(), &theirs}, ""},
			"client certificate that has ended":  {picky, Trust{servers.Pool(), &old}, ""},
			"unknown authority":                  {picky, Trust{strangers.Pool(), &ours}, ""},
			"the system's authorities":           {picky, Trust{nil, &ours}, ""},
			"nobody asks who comes":              {open, Trust{servers.Pool(), &ours}, "nobody " + proto},
			"nobody asks, and nothing was given": {open, Trust{servers.Pool(), nil}, "nobody " + proto},
		} {
			t.Run(name+" over "+proto, func(t *testing.T) {
				a := connectingSender(t, Options{Trust: c.trust}).post(t.Context(), samplePayload(c.to.URL))
				if got := c.to.last(); got != c.want || (a.outcome == Delivered) != (c.want != "") {
					t.Errorf("ended %s (%v) and %q came, want %q", a.outcome, a.err, got, c.want)
				}
			})
		}
	}
}

func TestReceiversThatAreNotBelieved(t *testing.T) {
	authority := testkit.NewAuthority(t, "servers")
	good := authority.Issue("receiver", time.Now().Add(time.Hour))
	for name, c := range map[string]struct {
		config *tls.Config
		host   string
	}{
		"certificate for another name": {&tls.Config{Certificates: []tls.Certificate{good}}, "127.0.0.2"},
		"certificate that has ended":   {&tls.Config{Certificates: []tls.Certificate{authority.Issue("receiver", time.Now().Add(-time.Minute))}}, "127.0.0.1"},
		"TLS 1.1 at most":              {&tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			listener, err := net.Listen("tcp", c.host+":0")
			if err != nil {
				t.Skipf("this machine cannot listen at %s: %v", c.host, err)
			}
			r := &tlsReceiver{Server: httptest.NewUnstartedServer(http.NotFoundHandler())}
			_ = r.Listener.Close()
			r.Listener, r.TLS = listener, c.config
			r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			r.StartTLS()
			t.Cleanup(r.Close)
			a := connectingSender(t, Options{Trust: Trust{RootCAs: authority.Pool()}}).post(t.Context(), samplePayload(r.URL))
			if a.outcome != NotConnected {
				t.Errorf("ended %s with %d: %v, want %s", a.outcome, a.status, a.err, NotConnected)
			}
		})
	}
}

// A reload brings new certificates: connections of before are not used again,
// and an attempt in flight ends as it would have.
func TestRenew(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	before, after := testkit.NewAuthority(t, "before"), testkit.NewAuthority(t, "after")
	first, second := before.Issue("first", soon), before.Issue("second", soon)
	config := demanding(before.Issue("receiver", soon), before.Pool())
	for _, http2 := range []bool{false, true} {
		r := newTLSReceiver(t, config, http2)
		s := connectingSender(t, Options{Trust: Trust{before.Pool(), &first}})
		d := &Dispatcher{options: Options{Transport: s.transport}}
		for i, step := range []struct {
			trust Trust
			want  string
		}{
			{Trust{before.Pool(), &first}, "first"},
			{Trust{before.Pool(), &second}, "second"},
			{Trust{after.Pool(), &second}, ""},
			{Trust{before.Pool(), nil}, ""},
			{Trust{before.Pool(), &first}, "first"},
		} {
			if i > 0 {
				d.Renew(step.trust)
			}
			a := s.post(t.Context(), samplePayload(r.URL))
			if got, _, _ := strings.Cut(r.last(), " "); got != step.want || (a.outcome == Delivered) != (step.want != "") {
				t.Errorf("step %d: ended %s (%v) and %q came, want %q", i, a.outcome, a.err, got, step.want)
			}
		}
	}
}

func TestRenewLeavesAttemptsInFlight(t *testing.T) {
	authority := testkit.NewAuthority(t, "servers")
	asked, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-answer
	}))
	server.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue("receiver", time.Now().Add(time.Hour))}, MinVersion: tls.VersionTLS12}
	server.StartTLS()
	t.Cleanup(server.Close)
	s := connectingSender(t, Options{Trust: Trust{RootCAs: authority.Pool()}})
	d := &Dispatcher{options: Options{Transport: s.transport}}
	ended := make(chan attempt, 1)
	go func() { ended <- s.post(t.Context(), samplePayload(server.URL)) }()
	<-asked
	d.Renew(Trust{})
	close(answer)
	if a := <-ended; a.outcome != Delivered {
		t.Errorf("ended %s: %v", a.outcome, a.err)
	}
}
