package webhook

import (
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// All attempts of a payload have one name, and no other payload has it, be it of
// the same bytes or at another endpoint.
func TestDeliveriesHaveNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 3
		r := &receiver{answer: func(request) (int, error) {
			if failures--; failures >= 0 {
				return 500, nil
			}
			return 200, nil
		}}
		d := start(t, Options{Transport: r})
		app := newApp("1", hook())
		notice := hub.Notice{App: app, Name: hub.ClientEventSent, Channel: "private-a", Event: "client-e", SocketID: "1.1"}
		for range 10 {
			d.Emit(notice) // in one millisecond of this bubble: the same bytes
		}
		time.Sleep(time.Minute)
		attempts := make(map[string]int)
		for _, req := range r.requests() {
			name := req.header.Get(headerDelivery)
			if !regexp.MustCompile(`^[0-9a-z]+-[0-9a-f]{8}$`).MatchString(name) {
				t.Errorf("delivery %q", name)
			}
			attempts[name]++
		}
		if len(attempts) != 10 || len(r.requests()) != 13 {
			t.Errorf("%d names of %d attempts, want 10 of 13", len(attempts), len(r.requests()))
		}
	})
}
