package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
)

// OpsAPIOptions are what the operations API is made of.
type OpsAPIOptions struct {
	Webhooks WebhookStore // nil: webhooks are not kept, and what asks for them is told so
	Log      *slog.Logger // nil: nothing is logged

	// Cluster tells of the cluster, as it is at the moment; nil: this node is alone. It
	// may be called concurrently.
	Cluster func() ClusterStatus
}

// mostOpsCalls is how many requests to the operations API are served at the same
// time. Operators make one; more, and large ones, would be felt by clients.
const mostOpsCalls = 8

// maxOpsBody bounds a request body: 1000 ids are 20 KB.
const maxOpsBody = 64 << 10

// Refusals of the operations API.
var (
	errOpsBusy    = &Error{http.StatusServiceUnavailable, "Too many requests to the operations API at the same time"}
	errOpsInQuery = invalid("The query could not be read")
)

// opsAPI serves what is below /api/ of the operations listener.
type opsAPI struct {
	webhooks WebhookStore
	cluster  func() ClusterStatus
	log      *slog.Logger
	calls    chan struct{} // one for each request that is served; never closed
}

// NewOpsAPI returns the handler for [OpsOptions].API, which guards it. It may be
// used concurrently; at most 8 requests are served at the same time, further ones
// are refused with 503.
func NewOpsAPI(o OpsAPIOptions) http.Handler {
	a := &opsAPI{webhooks: o.Webhooks, cluster: o.Cluster, log: o.Log, calls: make(chan struct{}, mostOpsCalls)}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	r := chi.NewRouter()
	r.NotFound(func(w http.ResponseWriter, _ *http.Request) { writeError(w, errNotFound) })
	for _, route := range []struct {
		method, pattern string
		ask             func(*http.Request) (any, error)
	}{
		{http.MethodGet, "/api/cluster", a.showCluster},
		{http.MethodGet, "/api/webhooks", a.listWebhooks},
		{http.MethodGet, "/api/webhooks/{id}", a.showWebhook},
		{http.MethodPost, "/api/webhooks/replay", a.replayWebhooks},
		{http.MethodPost, "/api/webhooks/drop", a.dropWebhooks},
	} {
		r.HandleFunc(route.pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Allow"] = []string{route.method}
			writeError(w, errMethod)
		})
		r.MethodFunc(route.method, route.pattern, a.answer(route.ask))
	}
	return r
}

// answer makes a handler of what returns the value to answer with.
func (a *opsAPI) answer(ask func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case a.calls <- struct{}{}:
			defer func() { <-a.calls }()
		default:
			writeError(w, errOpsBusy)
			return
		}
		w.Header()["Cache-Control"] = []string{"no-store"}
		value, err := ask(r)
		if err == nil {
			var body []byte
			if body, err = encodeJSON(value); err == nil {
				writeJSON(w, http.StatusOK, body)
				return
			}
		}
		refused, known := errorOf(err)
		if !known && r.Context().Err() == nil { // a client that has left is no fault
			a.log.Error("operations API", slog.String("path", r.URL.Path), slog.Any("error", err))
		}
		writeError(w, refused)
	}
}
