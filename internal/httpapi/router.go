package httpapi

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

// Publisher is what the API does to the hub.
type Publisher interface {
	PublishEach(*apps.App, hub.Publication, ...protocol.ChannelName)
	PublishInOrder(*apps.App, []hub.Publication)
	TerminateUser(app *apps.App, userID string)
}

// Inspector is what the API asks of the hub. Await comes before, so that the
// answer has what other nodes have told.
type Inspector interface {
	Await(hub.Barrier)
	Channel(*apps.App, protocol.ChannelName) hub.ChannelInfo
	Channels(app *apps.App, prefix string) []hub.ChannelInfo
	Users(*apps.App, protocol.ChannelName) []string
	Cached(*apps.App, protocol.ChannelName) (hub.CachedEvent, bool)
}

// Hub is where events go and counts come from.
type Hub interface {
	Publisher
	Inspector
}

var _ Hub = (*hub.Hub)(nil)

// DefaultMaxBody is the largest request body, in bytes, where Options do not
// say: ten events of 10 KB with every byte escaped fit (§7.1).
const DefaultMaxBody = 1 << 20

// Options are what an API is made of.
type Options struct {
	Registry *apps.Registry // required
	Hub      Hub            // required
	History  hub.History    // nil: no app has history

	Mount       string // path prefix of every route, e.g. "/realtime"; "" for none
	MaxBody     int64  // bytes of one request body; 0 for DefaultMaxBody
	Development bool   // explain refused signatures (§7.2)

	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: nothing is logged
	Metrics Registerer       // nil: counted, but nowhere to be seen
}

// API is the handler of everything on the public listener that is not a
// WebSocket. It may be used concurrently.
type API struct {
	registry    *apps.Registry
	hub         Hub
	history     hub.History
	mount       string
	maxBody     int64
	development bool
	now         func() time.Time
	log         *slog.Logger
	metrics     *apiMetrics
	names       *recentNames
	router      chi.Router
}

// endpoint is one row of the table in §7.1.
type endpoint struct {
	method  string
	pattern string // also the metric label
	status  int    // of success
	handle  func(*API, *call) error
	byKey   bool // the path does not name the app, auth_key does
}

// Names of the variable path segments.
const (
	segmentApp     = "app"
	segmentChannel = "channel"
	segmentUser    = "user"
)

var endpoints = []endpoint{
	{http.MethodPost, "/apps/{app}/events", http.StatusOK, (*API).postEvents, false},
	{http.MethodPost, "/apps/{app}/batch_events", http.StatusOK, (*API).postBatchEvents, false},
	{http.MethodGet, "/apps/{app}/channels", http.StatusOK, (*API).getChannels, false},
	{http.MethodGet, "/apps/{app}/channels/{channel}", http.StatusOK, (*API).getChannel, false},
	{http.MethodGet, "/apps/{app}/channels/{channel}/users", http.StatusOK, (*API).getUsers, false},
	{http.MethodGet, "/apps/{app}/channels/{channel}/history", http.StatusOK, (*API).getHistory, false},
	{http.MethodPost, "/apps/{app}/users/{user}/terminate_connections", http.StatusOK, (*API).terminateUser, false},
	// The Python library leaves the app out; auth_key tells it (§7.8).
	{http.MethodPost, "/users/{user}/terminate_connections", http.StatusOK, (*API).terminateUser, true},
	{http.MethodPost, "/apps/{app}/channels/{channel}/events", http.StatusAccepted, (*API).postLegacyEvent, false},
	{http.MethodGet, "/apps/{app}/channels/{channel}/stats", http.StatusOK, (*API).getLegacyStats, false},
}

// New returns the API. It panics if the options' registerer refuses its metrics,
// which means that it has them already.
func New(o Options) *API {
	a := &API{
		registry:    o.Registry,
		hub:         o.Hub,
		history:     o.History,
		mount:       cleanMount(o.Mount),
		maxBody:     o.MaxBody,
		development: o.Development,
		now:         o.Now,
		log:         o.Log,
		metrics:     newAPIMetrics(o.Metrics),
		names:       newRecentNames(),
		router:      chi.NewRouter(),
	}
	if a.maxBody <= 0 {
		a.maxBody = DefaultMaxBody
	}
	if a.now == nil {
		a.now = time.Now
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	a.routes()
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		if e, appID := a.matchTrigger(rawPath(r.URL)); e != nil {
			a.serveCall(e, appID, w, r)
			return
		}
	}
	a.router.ServeHTTP(w, r)
}

// triggers are the endpoints that backends call all the time, by the last
// segment of their paths.
var triggers = map[string]*endpoint{
	"events":       &endpoints[0],
	"batch_events": &endpoints[1],
}

// matchTrigger spares a POST to one of the triggers the way through the router,
// which costs three allocations. It returns nil for every path that needs
// decoding, or any other look at it.
func (a *API) matchTrigger(path string) (e *endpoint, appID string) {
	path, ok := strings.CutPrefix(path, a.mount)
	if !ok {
		return nil, ""
	}
	if path, ok = strings.CutPrefix(path, "/apps/"); !ok {
		return nil, ""
	}
	appID, last, _ := strings.Cut(path, "/")
	if appID == "" || strings.IndexByte(appID, '%') >= 0 {
		return nil, ""
	}
	return triggers[last], appID
}

// cleanMount gives a mount prefix the form "/a/b", and "/" the form "".
func cleanMount(mount string) string {
	mount = strings.Trim(mount, "/")
	if mount == "" {
		return ""
	}
	return "/" + mount
}

func (a *API) routes() {
	a.router.Use(a.routeByRawPath)
	a.router.NotFound(a.refuse("", errNotFound))
	for i := range endpoints {
		e := &endpoints[i]
		a.only(e.method, e.pattern, a.serve(e))
	}
	for _, pattern := range []string{"/app/{key}", "/app/{key}/"} {
		a.only(http.MethodGet, pattern, upgradeRequired)
	}
	for _, pattern := range []string{"/pusher", "/pusher/*"} {
		a.router.HandleFunc(pattern, noFallbacks)
	}
}

// only routes one method of a path to h and answers every other with 405. chi
// does not tell a handler of ours which methods a path has.
func (a *API) only(method, pattern string, h http.HandlerFunc) {
	refuse := a.refuse(pattern, errMethod)
	a.router.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Allow", method)
		refuse(w, r)
	})
	a.router.MethodFunc(method, pattern, h)
}

// refuse returns a handler that answers with err and nothing else.
func (a *API) refuse(pattern string, err *Error) http.HandlerFunc {
	if pattern == "" {
		pattern = routeOther
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		writeError(w, err)
		a.metrics.count("", pattern, err.Status)
	}
}

// routeByRawPath makes the router match the path as it was received, so that an
// escaped slash does not split a segment and no segment is decoded twice. The
// mount prefix is cut off here; a path without it is unknown.
func (a *API) routeByRawPath(next http.Handler) http.Handler {
	notFound := a.refuse("", errNotFound)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, ok := strings.CutPrefix(rawPath(r.URL), a.mount)
		if !ok || !strings.HasPrefix(path, "/") {
			notFound(w, r)
			return
		}
		rctx := chi.RouteContext(r.Context())
		rctx.RoutePath = path
		if r.Method != http.MethodGet && r.Method != http.MethodPost {
			// No route has another method. chi would answer those it does not know
			// before it has looked for the path.
			rctx.RouteMethod = http.MethodTrace
		}
		next.ServeHTTP(w, r)
	})
}

// rawPath returns the path as it was received. URL.RawPath alone does not do: it
// is empty where escaping Path again gives the same.
func rawPath(u *url.URL) string {
	if u.RawPath != "" {
		return u.RawPath
	}
	return u.EscapedPath()
}

// upgradeRequired answers a plain request for a WebSocket (§1.2).
func upgradeRequired(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	writeError(w, errUpgradeRequired)
}

// noFallbacks answers the HTTP transports of pusher-js, which are not served.
// The header lets a page see the status, so that the client gives up at once
// (§9.3).
func noFallbacks(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	writeError(w, errNoFallbacks)
}
