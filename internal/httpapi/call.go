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
)

// call is one request on its way through an endpoint. Calls are pooled: neither
// a call nor anything cut from its body may be kept after the endpoint returns.
type call struct {
	app   *apps.App
	query *auth.Query
	body  []byte

	// The variable segments of the path, decoded; "" where the route has none.
	channel string
	user    string

	out []byte // the answer, appended to by the endpoint
}

// maxKeptBuffer is the largest buffer that goes back to the pool: a batch of ten
// full events fits, a few huge requests do not stay in memory.
const maxKeptBuffer = 256 << 10

var calls = sync.Pool{New: func() any {
	return &call{body: make([]byte, 0, 4<<10), out: make([]byte, 0, 512)}
}}

func (c *call) release() {
	if cap(c.body) > maxKeptBuffer || cap(c.out) > maxKeptBuffer {
		return
	}
	*c = call{body: c.body[:0], out: c.out[:0]}
	calls.Put(c)
}

// serve returns the handler of an endpoint.
func (a *API) serve(e *endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		c := calls.Get().(*call)
		status := a.answer(e, c, w, r)
		a.metrics.count(c.appLabel(), e.pattern, status)
		a.metrics.observe(e.pattern, time.Since(start))
		c.release()
	}
}

// answer runs the endpoint and sends its answer. A panic is answered as an
// internal error and ends this request only.
func (a *API) answer(e *endpoint, c *call, w http.ResponseWriter, r *http.Request) (status int) {
	defer func() {
		if reason := recover(); reason != nil {
			a.log.Error("panic in an endpoint", slog.String("route", e.pattern),
				slog.Any("panic", reason), slog.String("stack", string(debug.Stack())))
			writeError(w, errInternal)
			status = errInternal.Status
		}
	}()
	if err := a.handle(e, c, r); err != nil {
		return a.fail(e, c, w, err)
	}
	writeJSON(w, e.status, c.out)
	return e.status
}

// handle takes the steps of §7.2 in their order: app, signature, enabled, and
// then the endpoint's own validation.
func (a *API) handle(e *endpoint, c *call, r *http.Request) error {
	c.query = auth.ParseQuery(r.URL.RawQuery)
	id, err := c.readSegments(r)
	if err != nil {
		return err
	}
	if e.byKey {
		c.app, err = a.appByKey(c.query)
	} else {
		c.app, err = a.appByID(id)
	}
	if err != nil {
		return err
	}
	if err = a.authenticate(c, r); err != nil {
		return err
	}
	if !c.app.Enabled {
		return errAppDisabled
	}
	return e.handle(a, c)
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

// fail sends the answer for err.
func (a *API) fail(e *endpoint, c *call, w http.ResponseWriter, err error) (status int) {
	answer, known := errorOf(err)
	if !known {
		a.log.Error("request failed", slog.String("route", e.pattern), slog.Any("error", err))
	}
	a.metrics.refused(c.appLabel(), err)
	writeError(w, answer)
	return answer.Status
}

// appLabel returns the label of the app, which is "" until it is known to exist.
func (c *call) appLabel() string {
	if c.app == nil {
		return ""
	}
	return string(c.app.ID)
}
