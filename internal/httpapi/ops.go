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
	Gatherer prometheus.Gatherer // required
	Pprof    bool                // serve /debug/pprof/
	Log      *slog.Logger        // nil: nothing is logged
}

const opsIndex = `pipesocketd operations listener

/live     the process runs
/ready    it takes connections, or why it does not
/metrics  Prometheus metrics
`

// NewOps returns the handler of the operations listener. It authenticates
// nobody, so its listener must not be reachable by strangers.
func NewOps(o OpsOptions) http.Handler {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	index := opsIndex
	r := chi.NewRouter()
	r.Use(middleware.GetHead) // some probes ask that way
	if o.Pprof {
		index += "/debug/pprof/  profiles\n"
		routePprof(r)
	}
	r.Get("/", text(index))
	r.Get("/live", text("ok\n"))
	r.Get("/ready", ready(o.Ready))
	r.Method(http.MethodGet, "/metrics", promhttp.HandlerFor(o.Gatherer, promhttp.HandlerOpts{
		ErrorLog:            gatherLog{o.Log},
		ErrorHandling:       promhttp.ContinueOnError,
		EnableOpenMetrics:   true,
		MaxRequestsInFlight: 4, // a scrape reads every app; more at once help nobody
	}))
	return r
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
}

func ready(reasons func() []string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status, answer := http.StatusOK, readiness{Status: "ready"}
		if why := reasons(); len(why) > 0 {
			status, answer = http.StatusServiceUnavailable, readiness{Status: "not ready", Reasons: why}
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
