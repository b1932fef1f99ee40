package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// usage is what a process holds.
type usage struct {
	goroutines, descriptors, heap float64
}

// Above a baseline this much is allowed: connections of the measurement itself,
// pools, and garbage that has not been collected yet.
const (
	spareGoroutines  = 12
	spareDescriptors = 8
	spareHeap        = 96 << 20
)

// metrics returns the samples of the first node's operations listener by their
// full name, labels included.
func (s *server) metrics() (map[string]float64, error) { return s.metricsOf(0) }

func (s *server) metricsOf(node int) (map[string]float64, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, s.nodes[node].Ops+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	got, err := s.tryRoundTrip(r)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, fmt.Errorf("metrics: status %d", got.status)
	}
	samples := map[string]float64{}
	for line := range strings.Lines(got.body) {
		name, value, ok := cutLast(strings.TrimSpace(line), " ")
		if number, err := strconv.ParseFloat(value, 64); ok && err == nil && name[0] != '#' {
			samples[name] = number
		}
	}
	return samples, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	at := strings.LastIndex(s, sep)
	if at < 1 {
		return s, "", false
	}
	return s[:at], s[at+len(sep):], true
}

// usage returns what each node holds.
func (s *server) usage() ([]usage, error) {
	s.http.CloseIdleConnections()
	var all []usage
	for node := range s.nodes {
		samples, err := s.metricsOf(node)
		if err != nil {
			return nil, err
		}
		for _, name := range []string{"go_goroutines", "process_open_fds", "go_memstats_heap_inuse_bytes"} {
			if _, ok := samples[name]; !ok {
				return nil, fmt.Errorf("metrics have no %s", name)
			}
		}
		all = append(all, usage{samples["go_goroutines"], samples["process_open_fds"], samples["go_memstats_heap_inuse_bytes"]})
	}
	return all, nil
}

// returnsTo waits until no process holds more than at its baseline. It takes as
// long as the longest timeout of a connection that was left behind.
func (s *server) returnsTo(base []usage) error {
	var now []usage
	err := errors.New("not measured")
	reached := poll(30*time.Second, func() bool {
		now, err = s.usage()
		return err == nil && slices.EqualFunc(now, base, usage.within)
	})
	if !reached {
		return errors.Join(fmt.Errorf("does not return to its baseline: had %+v, has %+v", base, now), err)
	}
	return nil
}

func (u usage) within(base usage) bool {
	return u.goroutines <= base.goroutines+spareGoroutines &&
		u.descriptors <= base.descriptors+spareDescriptors &&
		u.heap <= base.heap+spareHeap
}

// poll asks until the condition holds or time is up.
func poll(within time.Duration, condition func() bool) bool {
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); <-ticker.C {
		if condition() {
			return true
		}
	}
	return condition()
}

// eventually requires that the condition comes true soon. It is for effects that
// the protocol does not announce, such as the server noticing that a peer left.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	if !poll(patience, condition) {
		t.Fatalf("not within %v: %s", patience, what)
	}
}
