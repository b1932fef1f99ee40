package chaos

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

const (
	appKey    = "chaos-key"
	appSecret = "chaos-secret-of-some-length"
)

// receiver takes webhooks and answers as badly as its kind does.
type receiver struct {
	kind     string
	batching bool
	server   *httptest.Server
	life     *atomic.Int64 // number of the server process that runs
	calm     *atomic.Bool  // everybody behaves

	mu       sync.Mutex
	faults   []string
	payloads []*payload // in the order of their first arrival
	byText   map[string]*payload
}

// payload is one webhook as it came.
type payload struct {
	events   []event
	arrived  int
	accepted []acceptance
}

// acceptance is an answer of 200.
type acceptance struct {
	at   time.Time
	life int64
}

type event struct {
	Name    string `json:"name"`
	Channel string `json:"channel"`
	Event   string `json:"event"`
	Data    string `json:"data"`
	UserID  string `json:"user_id"`
}

// misconduct is how each kind answers one in so many requests instead of 200.
var misconduct = map[string]struct {
	oneIn  int
	answer func(http.ResponseWriter, *http.Request)
}{
	"accepting": {0, nil},
	"failing":   {3, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }},
	"hanging":   {10, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
	"closing":   {3, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
}

// receivers starts one of each kind, half of them with batches.
func receivers(t *testing.T, life *atomic.Int64, calm *atomic.Bool) []*receiver {
	t.Helper()
	var all []*receiver
	for i, kind := range []string{"accepting", "failing", "hanging", "closing"} {
		r := &receiver{kind: kind, batching: i%2 == 1, life: life, calm: calm, byText: make(map[string]*payload)}
		r.server = httptest.NewServer(r)
		t.Cleanup(func() {
			r.server.CloseClientConnections()
			r.server.Close()
		})
		all = append(all, r)
	}
	return all
}

// ServeHTTP takes one webhook.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	life := r.life.Load()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return // cut off by a kill
	}
	p := r.take(req.Header.Get("X-Pusher-Signature"), body)
	m := misconduct[r.kind]
	if m.oneIn > 0 && !r.calm.Load() && rand.IntN(m.oneIn) == 0 {
		m.answer(w, req)
		return
	}
	r.mu.Lock()
	p.accepted = append(p.accepted, acceptance{time.Now(), life})
	r.mu.Unlock()
	w.WriteHeader(http.StatusOK)
}

func (r *receiver) take(signature string, body []byte) *payload {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !auth.Secret(appSecret).Verify(body, signature) {
		r.faults = append(r.faults, "a webhook was changed: "+string(body))
	}
	p := r.byText[string(body)]
	if p == nil {
		p = &payload{}
		var hook struct {
			Events []event `json:"events"`
		}
		if err := json.Unmarshal(body, &hook); err != nil {
			r.faults = append(r.faults, err.Error()+" in "+string(body))
		}
		p.events = hook.Events
		r.byText[string(body)] = p
		r.payloads = append(r.payloads, p)
	}
	p.arrived++
	return p
}
