package httpapi

import (
	"log/slog"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/auth"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// call is one request on its way through an endpoint. Calls are pooled: neither
// a call nor anything cut from its body may be kept after the endpoint returns.
type call struct {
	api      *API
	endpoint *endpoint
	start    time.Time

	app     *apps.App
	pair    auth.Key // that the sender names
	query   auth.Query
	request auth.Request // what the signature covers
	body    []byte

	// The variable segments of the path, decoded; "" where the route has none.
	channel string
	user    string

	out []byte // the answer, appended to by the endpoint

	// Memory that is kept from one request to the next.
	buffer       []byte // of a body that was read here
	names        []protocol.ChannelName
	events       []event
	publications []hub.Publication
}

// Bounds of what goes back to the pool, so that a few huge requests do not stay
// in memory: a batch of ten full events fits.
const (
	maxKeptBuffer = 256 << 10
	maxKeptItems  = 128
)

var calls = sync.Pool{New: func() any {
	return &call{buffer: make([]byte, 0, 4<<10), out: make([]byte, 0, 512)}
}}

func (a *API) newCall(e *endpoint) *call {
	c := calls.Get().(*call)
	c.api, c.endpoint, c.start = a, e, a.now()
	return c
}

func (c *call) release() {
	if cap(c.buffer) > maxKeptBuffer || cap(c.out) > maxKeptBuffer ||
		max(cap(c.names), cap(c.events), cap(c.publications)) > maxKeptItems {
		return
	}
	c.query.Forget()
	clear(c.names)
	clear(c.events)
	clear(c.publications)
	*c = call{
		query: c.query, buffer: c.buffer[:0], out: c.out[:0],
		names: c.names[:0], events: c.events[:0], publications: c.publications[:0],
	}
	calls.Put(c)
}

// serve returns the handler of an endpoint.
func (a *API) serve(e *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { a.serveCall(e, "", w, r) }
}

// serveCall serves a request. Without an appID the router has matched it and
// knows the segments of the path.
func (a *API) serveCall(e *endpoint, appID string, w http.ResponseWriter, r *http.Request) {
	c := a.newCall(e)
	defer c.release()
	refusal := c.settle(func() (err error) {
		if appID == "" {
			if appID, err = c.readSegments(r); err != nil {
				return err
			}
		}
		return c.handle(appID, r)
	})
	if refusal != nil {
		writeError(w, refusal)
		c.count(refusal.Status)
		return
	}
	writeJSON(w, e.status, c.out)
	c.count(e.status)
}

// count closes the books on the call and returns the time.
func (c *call) count(status int) time.Time {
	now := c.api.now()
	m, route := c.api.metrics, c.endpoint.pattern
	m.count(c.appLabel(), route, status)
	m.observe(route, now.Sub(c.start))
	return now
}

// settle takes the given steps and returns what the sender gets in place of
// c.out if one of them fails. A panic is answered as an internal error and ends
// this request only.
func (c *call) settle(steps func() error) (refusal *Error) {
	defer func() {
		if reason := recover(); reason != nil {
			c.api.log.Error("panic in an endpoint", slog.String("route", c.endpoint.pattern),
				slog.Any("panic", reason), slog.String("stack", string(debug.Stack())))
			refusal = errInternal
		}
	}()
	err := steps()
	if err == nil {
		return nil
	}
	refusal, known := errorOf(err)
	if !known {
		c.api.log.Error("request failed", slog.String("route", c.endpoint.pattern), slog.Any("error", err))
	}
	c.api.metrics.refused(c.appLabel(), err)
	return refusal
}

// handle takes the steps of §7.2 in their order: app, signature, enabled, and
// then the endpoint's own validation. What needs no body is checked before one
// is read, so that a stranger without a key of the app cannot make the server
// take one in.
func (c *call) handle(appID string, r *http.Request) (err error) {
	if err = c.admit(r.Method, rawPath(r.URL), r.URL.RawQuery, appID); err != nil {
		return err
	}
	c.buffer, err = readBody(c.buffer, r, c.api.maxBody)
	if err != nil {
		return err
	}
	return c.complete(c.buffer)
}

// complete takes the steps that need the body.
func (c *call) complete(body []byte) error {
	c.body, c.request.Body = body, body
	if err := c.request.VerifyWith(c.pair, c.start); err != nil {
		return err
	}
	if !c.app.Enabled {
		return errAppDisabled
	}
	return c.endpoint.handle(c.api, c)
}

// readSegments decodes the variable segments of the path.
func (c *call) readSegments(r *http.Request) (appID string, err error) {
	for _, segment := range [...]struct {
		name string
		to   *string
	}{{segmentApp, &appID}, {segmentChannel, &c.channel}, {segmentUser, &c.user}} {
		if *segment.to, err = url.PathUnescape(chi.URLParam(r, segment.name)); err != nil {
			return "", errPath
		}
	}
	return appID, nil
}

// appLabel returns the label of the app, which is "" until it is known to exist.
func (c *call) appLabel() string {
	if c.app == nil {
		return ""
	}
	return string(c.app.ID)
}
