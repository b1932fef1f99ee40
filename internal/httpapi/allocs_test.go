//go:build !race

package httpapi_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/auth"
)

// An event costs the frame that goes out; the request around it nothing, nor
// names that came before.
func TestAllocations(t *testing.T) {
	const perEvent = 1
	f := newFixture(t)
	item := `{"name":"my-event","channel":"my-channel","data":"` + strings.Repeat(`{\"x\":1}`, 28) + `"}`
	for _, tt := range []struct {
		path, body string
		want       float64
	}{
		{events, item, perEvent},
		{batchEvents, `{"batch":[` + strings.Repeat(item+",", 9) + item + `]}`, 10 * perEvent},
	} {
		body := []byte(tt.body)
		query := auth.SignedQuery(pair, "POST", tt.path, nil, body, time.Now())
		got := testing.AllocsPerRun(200, func() {
			trigger := f.api.BeginTrigger(tt.path, query, int64(len(body)))
			if answer := trigger.Answer(body); answer.Status != 200 {
				t.Fatalf("%d: %s", answer.Status, answer.Body)
			}
			trigger.Release()
		})
		if got != tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.path, got, tt.want)
		}
	}
}
