package httpapi

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// OpsOptions are what the handler of the operations listener is made of.
type OpsOptions struct {
	Ready    func() []string     // reasons for not being ready, none when ready; required
	Details  func() []string     // what else the operator should know; nil: nothing
	Gatherer prometheus.Gatherer // required
	Pprof    bool                // serve /debug/pprof/
	Log      *slog.Logger        // nil: nothing is logged

	// Access tells who may do what at this moment; nil: the zero OpsAccess.
	Access func() OpsAccess
	// API serves everything below /api/, for those who may; nil: nothing is there.
	// It sees whole paths, and requests that have been let in.
	API http.Handler
}

const opsIndex = `pipesocketd operations listener

/live     the process runs
/ready    it takes connections, or why it does not
/metrics  Prometheus metrics

/api/cluster   the nodes of the cluster, as this one sees them, for operators
/api/webhooks  webhooks that wait or were given up, for operators
`

// NewOps returns the handler of the operations listener. What shows or changes
// more than figures is below /api/ and guarded by [OpsAccess]; everything else is
// open unless that requires the token, so the listener must not be reachable by
// strangers. /live and /ready answer anybody, for probes, but without the token
// /ready then gives neither reasons nor details.
func NewOps(o OpsOptions) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Access == nil {
		o.Access = func() OpsAccess { return OpsAccess{} }
	}
	if o.API == nil {
		o.API = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { writeError(w, errNotFound) })
	}
	guard := opsGuard{o.Access}
	r := chi.NewRouter()
	r.Use(middleware.GetHead) // some probes ask that way
	r.Get("/live", text("ok\n"))
	r.Get("/ready", ready(o, guard.mayRead))
	r.Handle("/api/*", guard.api(o.API))
	r.Group(func(r chi.Router) {
		r.Use(guard.rest)
		routeFigures(r, o)
	})
	return r
}

func routeFigures(r chi.Router, o OpsOptions) {
	index := opsIndex
	if o.Pprof {
		index += "/debug/pprof/  profiles\n"
		routePprof(r)
	}
	r.Get("/", text(index))
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            gatherLog{o.Log},
		ErrorHandling:       promhttp.ContinueOnError,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 4, // a scrape reads every app; more at once help nobody
	}))
}

func routePprof(r chi.Router) {
	r.Get("/debug/pprof/", pprof.Index)
	r.Get("/debug/pprof/cmdline", pprof.Cmdline)
	r.Get("/debug/pprof/profile", pprof.Profile)
	r.Get("/debug/pprof/symbol", pprof.Symbol)
	r.Post("/debug/pprof/symbol", pprof.Symbol)
	r.Get("/debug/pprof/trace", pprof.Trace)
	r.Get("/debug/pprof/{profile}", pprof.Index)
}

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = headerText
		_, _ = io.WriteString(w, body) // a client that is gone needs no answer
	}
}

// readiness is the body of /ready.
type readiness struct {
	Status  string   `json:"status"`
	Reasons []string `json:"reasons,omitempty"`
	Details []string `json:"details,omitempty"`
}

func ready(o OpsOptions, detailed func(*http.Request) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, answer := http.StatusOK, readiness{Status: "ready"}
		why := o.Ready()
		if len(why) > 0 {
			status, answer.Status = http.StatusServiceUnavailable, "not ready"
		}
		if detailed(r) {
			answer.Reasons = why
			if o.Details != nil {
				answer.Details = o.Details()
			}
		}
		body, err := json.Marshal(answer)
		if err != nil { // strings only
			status, body = http.StatusInternalServerError, []byte(emptyObject)
		}
		writeJSON(w, status, body)
	}
}

// gatherLog tells of collectors that fail during a scrape.
type gatherLog struct{ log *slog.Logger }

// Println implements promhttp.Logger.
func (l gatherLog) Println(v ...any) {
	l.log.Error("gather metrics", slog.String("error", fmt.Sprint(v...)))
}
