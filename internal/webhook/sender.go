package webhook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// Of an answer's body so much and so long is taken off the connection to keep it
// usable, and the first bytes are kept for those who look for a fault.
const (
	drainBytes = 64 << 10
	drainTime  = time.Second
	keptBytes  = 512
)

// mostIdle bounds the connections to one host that are kept for the next
// attempts: as many as one endpoint may have in use.
const mostIdle = 128

// Outcome is how an attempt ended; it is also the label of its metric.
type Outcome string

// Outcomes. Any status beyond 2xx has its class.
const (
	Delivered      Outcome = "delivered"
	Status1xx      Outcome = "http_1xx"
	Status3xx      Outcome = "http_3xx"
	Status4xx      Outcome = "http_4xx"
	Status5xx      Outcome = "http_5xx"
	StatusOther    Outcome = "http_other"
	TimedOut       Outcome = "timeout"
	RefusedAddress Outcome = "refused_address"
	NotConnected   Outcome = "connect" // also names that do not resolve and failed TLS handshakes
	Broken         Outcome = "broken"  // the connection ended or what came was not HTTP
	Aborted        Outcome = "aborted" // by the end of this process
)

// attempt is an attempt that has ended.
type attempt struct {
	payload    *Payload
	outcome    Outcome
	status     int           // 0 without an answer
	err        error         // nil with an answer; names no secrets
	answer     []byte        // what its body began with, if that is kept
	retryAfter time.Duration // what the receiver asked for
	began      time.Time
	took       time.Duration
}

// sender makes attempts. It is safe for concurrent use.
type sender struct {
	transport http.RoundTripper
	timeout   time.Duration
	userAgent string
	keep      int // bytes of an answer's body
}

func newSender(o Options) *sender {
	s := &sender{transport: o.Transport, timeout: o.Timeout, userAgent: o.UserAgent}
	if o.Attempts != nil {
		s.keep = keptBytes
	}
	return s
}

// newTransport returns the transport of production: straight to addresses that
// the guard allows, TLS verified.
func newTransport(o Options) *http.Transport {
	dialer := &net.Dialer{Timeout: o.Timeout, Resolver: o.Resolver, Control: newGuard(o.Allow).control}
	return &http.Transport{
		Proxy:                  nil, // one from the environment would dial for us, past the guard
		DialContext:            dialer.DialContext,
		TLSClientConfig:        o.Trust.config(),
		TLSHandshakeTimeout:    o.Timeout,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    mostIdle,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: drainBytes,
	}
}

// post makes one attempt. It takes no longer than the timeout.
func (s *sender) post(ctx context.Context, p *Payload) attempt {
	began := time.Now()
	a := s.answer(ctx, p)
	a.payload, a.began, a.took = p, began, time.Since(began)
	return a
}

func (s *sender) answer(parent context.Context, p *Payload) attempt {
	ctx, cancel := context.WithTimeout(parent, s.timeout)
	defer cancel()
	var connected atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { connected.Store(true) },
	})
	req, err := s.request(traced, p)
	if err != nil {
		return attempt{outcome: NotConnected, err: err}
	}
	// RoundTrip rather than a Client: it follows no redirects, keeps no cookies
	// and puts no URL into errors.
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return attempt{outcome: outcomeOf(parent, ctx, err, connected.Load()), err: err}
	}
	a := attempt{outcome: outcomeOfStatus(resp.StatusCode), status: resp.StatusCode}
	if a.outcome != Delivered {
		a.retryAfter = retryAfter(resp.Header.Get("Retry-After"), time.Now())
	}
	a.answer = s.drain(resp, cancel)
	return a
}

func (s *sender) request(ctx context.Context, p *Payload) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL, bytes.NewReader(p.Body))
	if err != nil {
		return nil, errors.New("webhook url cannot be parsed") // the error would quote it
	}
	// Exactly these spellings, which are also Go's canonical form (§8.1).
	req.Header = http.Header{"User-Agent": {s.userAgent}}
	maps.Copy(req.Header, p.header)
	req.Header["Content-Type"] = []string{"application/json"}
	req.Header["X-Pusher-Key"] = []string{p.Key}
	req.Header["X-Pusher-Signature"] = []string{p.Signature}
	req.Header[headerDelivery] = []string{p.Delivery()}
	if user := req.URL.User; user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	return req, nil
}

// drain reads the rest of an answer and returns how it began. What it says or how
// it ends is of no interest to delivery (§8.6).
func (s *sender) drain(resp *http.Response, cancel context.CancelFunc) (began []byte) {
	// After 101 the body is the bare connection, which the context does not end.
	if resp.StatusCode != http.StatusSwitchingProtocols {
		late := time.AfterFunc(drainTime, cancel)
		defer late.Stop()
		if s.keep > 0 {
			began, _ = io.ReadAll(io.LimitReader(resp.Body, int64(s.keep)))
		}
		_, _ = io.CopyN(io.Discard, resp.Body, int64(drainBytes+1-len(began)))
	}
	_ = resp.Body.Close()
	return began
}

func (s *sender) closeIdle() {
	if t, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

func outcomeOf(parent, ctx context.Context, err error, connected bool) Outcome {
	switch {
	case parent.Err() != nil:
		return Aborted
	case errors.Is(err, errRefusedAddress):
		return RefusedAddress
	case ctx.Err() != nil, isTimeout(err):
		return TimedOut
	case connected:
		return Broken
	}
	return NotConnected
}

func isTimeout(err error) bool {
	fault, ok := errors.AsType[net.Error](err)
	return ok && fault.Timeout()
}

func outcomeOfStatus(status int) Outcome {
	switch status / 100 {
	case 1:
		return Status1xx
	case 2:
		return Delivered
	case 3:
		return Status3xx
	case 4:
		return Status4xx
	case 5:
		return Status5xx
	}
	return StatusOther
}
