package chaos

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// inbox is a receiver that knows what it has to get.
type inbox struct {
	from    []*sender   // immutable
	down    atomic.Bool // requests are not answered
	address string
	server  *http.Server
	serving sync.WaitGroup

	mu       sync.Mutex
	faults   []string
	last     map[string]int // by channel
	seen     map[string]bool
	repeated int
	arrivals []arrival
}

type arrival struct {
	sent time.Time
	late time.Duration
}

func newInbox(from []*sender) *inbox {
	return &inbox{from: from, last: make(map[string]int), seen: make(map[string]bool)}
}

// open listens until the end of the test or close.
func (in *inbox) open(t *testing.T, address string) {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	in.address = listener.Addr().String()
	in.server = &http.Server{Handler: in, ReadHeaderTimeout: time.Minute}
	in.serving.Go(func() { _ = in.server.Serve(listener) }) // until it is closed
	t.Cleanup(in.close)
}

func (in *inbox) close() {
	_ = in.server.Close()
	in.serving.Wait()
}

// ServeHTTP takes one webhook.
func (in *inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	if in.down.Load() {
		<-r.Context().Done()
		return
	}
	in.take(time.Now(), r.Header, body)
	w.WriteHeader(http.StatusNoContent)
}

func (in *inbox) take(now time.Time, header http.Header, body []byte) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !auth.Secret(appSecret).Verify(body, header.Get("X-Pusher-Signature")) {
		in.faultLocked("a webhook was changed: %s", body)
	}
	delivery := header.Get("X-Pipesocket-Delivery")
	if in.seen[delivery] {
		in.repeated++
		return
	}
	in.seen[delivery] = true
	var hook struct {
		Events []event `json:"events"`
	}
	if err := json.Unmarshal(body, &hook); err != nil {
		in.faultLocked("%v in %s", err, body)
	}
	for _, e := range hook.Events {
		in.eventLocked(now, e)
	}
}

// eventLocked checks that an event is the next one of its channel.
func (in *inbox) eventLocked(now time.Time, e event) {
	i := slices.IndexFunc(in.from, func(s *sender) bool { return s.channel == e.Channel })
	n := in.last[e.Channel] + 1
	if i < 0 || e.Name != "client_event" || e.Event != "client-n" || e.Data != data(n) || in.from[i].at(n).IsZero() {
		in.faultLocked("event %+v came instead of %d", e, n)
		return
	}
	in.last[e.Channel] = n
	at := in.from[i].at(n)
	in.arrivals = append(in.arrivals, arrival{at, now.Sub(at)})
}

// faultLocked keeps the first faults; one that is lost would bring thousands.
func (in *inbox) faultLocked(format string, args ...any) {
	if len(in.faults) < 10 {
		in.faults = append(in.faults, fmt.Sprintf(format, args...))
	}
}

func (in *inbox) found() []string {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.faults)
}

func (in *inbox) count() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.arrivals)
}

// between returns how late events arrived that were sent in an interval.
func (in *inbox) between(from, to time.Time) (late []time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, a := range in.arrivals {
		if a.sent.After(from) && a.sent.Before(to) {
			late = append(late, a.late)
		}
	}
	return late
}
