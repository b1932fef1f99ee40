package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// receiver takes the webhooks of all nodes.
type receiver struct {
	server *httptest.Server

	mu     sync.Mutex
	edges  map[string][]edge // by what it is about
	faults []string
}

// edge is one thing that a webhook told.
type edge struct {
	on      bool
	created int64 // time_ms
	came    time.Time
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{edges: make(map[string][]edge)}
	r.server = httptest.NewServer(r)
	t.Cleanup(r.server.Close)
	return r
}

// ServeHTTP takes one webhook.
func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return // the node was killed
	}
	var hook struct {
		TimeMS int64 `json:"time_ms"`
		Events []struct {
			Name    string `json:"name"`
			Channel string `json:"channel"`
			UserID  string `json:"user_id"`
		} `json:"events"`
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !auth.Secret(appSecret).Verify(body, request.Header.Get("X-Pusher-Signature")) || json.Unmarshal(body, &hook) != nil {
		r.faults = append(r.faults, fmt.Sprintf("webhook %s", body))
	}
	for _, e := range hook.Events {
		about := e.Channel
		if e.UserID != "" {
			about = memberOf(e.UserID)
		}
		on := e.Name == "channel_occupied" || e.Name == "member_added"
		r.edges[about] = append(r.edges[about], edge{on, hook.TimeMS, time.Now()})
	}
	w.WriteHeader(http.StatusOK)
}

// memberOf names a user's membership of the room among the channels.
func memberOf(user string) string { return room + " " + user }

// on returns what is on according to the webhooks.
func (r *receiver) on() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	on := make(map[string]bool)
	for about, edges := range r.edges {
		if edges[len(edges)-1].on {
			on[about] = true
		}
	}
	return on
}

// told returns how often something was told to be on and off.
func (r *receiver) told(about string) (on, off int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.edges[about] {
		if e.on {
			on++
		} else {
			off++
		}
	}
	return on, off
}

// repeated returns what was told twice in a row and is not excused, and what is wrong
// otherwise, since the last call; it keeps the last edges only.
func (r *receiver) repeated(excused map[string]bool) (repeated, faults []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for about, edges := range r.edges {
		for i := 1; i < len(edges); i++ {
			if edges[i].on == edges[i-1].on && !excused[about] {
				repeated = append(repeated, fmt.Sprintf("%s: on=%v again after %v, created at %d and %d ms, of %d edges",
					about, edges[i].on, edges[i].came.Sub(edges[i-1].came).Round(time.Millisecond),
					edges[i-1].created%1e6, edges[i].created%1e6, len(edges)))
			}
		}
		r.edges[about] = edges[len(edges)-1:]
	}
	slices.Sort(repeated)
	faults = r.faults
	r.faults = nil
	return repeated, faults
}
