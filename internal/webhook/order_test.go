package webhook

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/apps"
)

// Whatever fails, hangs or is repeated, an event is not attempted before those of
// its channel that came earlier have been accepted, and none is lost, also where
// the schedule of §8.6 has ended and attempts are sealed afresh.
func TestEventsOfAChannelArriveInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawStream(rt)
		var closed error
		synctest.Test(t, func(t *testing.T) { closed = s.play(t) })
		if closed != nil {
			rt.Fatal(closed)
		}
		if len(s.faults) > 0 {
			rt.Fatal(s.faults)
		}
		for i := range s.channels {
			if !s.accepted[i] {
				rt.Fatalf("event %d was never accepted", i)
			}
		}
	})
}

// stream is a sequence of events, and a receiver that fails some.
type stream struct {
	endpoint apps.Endpoint
	total    int // of attempts in flight
	channels []string
	pauses   []time.Duration
	failures []int // of each event; its request fails as often as its worst
	hangs    []bool

	mu       sync.Mutex
	attempts map[int]int // by number of event
	accepted map[int]bool
	faults   []string
}

func drawStream(rt *rapid.T) *stream {
	s := &stream{endpoint: hook(), attempts: make(map[int]int), accepted: make(map[int]bool)}
	s.endpoint.Batching = rapid.Bool().Draw(rt, "batching")
	s.endpoint.MaxInFlight = rapid.IntRange(1, 6).Draw(rt, "in flight")
	s.endpoint.RetryFor = 72 * time.Hour
	s.total = rapid.IntRange(1, 8).Draw(rt, "in flight in total")
	for range rapid.IntRange(1, 30).Draw(rt, "events") {
		s.channels = append(s.channels, fmt.Sprint("private-", rapid.IntRange(0, 5).Draw(rt, "channel")))
		s.pauses = append(s.pauses, time.Duration(rapid.IntRange(0, 900).Draw(rt, "pause"))*time.Millisecond)
		s.failures = append(s.failures, max(0, rapid.IntRange(-4, 9).Draw(rt, "failures")))
		s.hangs = append(s.hangs, rapid.Bool().Draw(rt, "hangs"))
	}
	return s
}

func (s *stream) play(t *testing.T) error {
	t.Helper()
	app := newApp("1", s.endpoint)
	d := start(t, Options{Transport: &receiver{answer: s.answer}, MaxInFlight: s.total})
	for i, channel := range s.channels {
		time.Sleep(s.pauses[i])
		d.Emit(clientEvent(app, channel, i))
	}
	return d.Close(t.Context())
}

func (s *stream) answer(req request) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var numbers []int
	fails, hangs := false, false
	for _, e := range req.hook.Events {
		n, _ := strconv.Atoi(e.Data)
		s.inspect(n, numbers)
		numbers = append(numbers, n)
		s.attempts[n]++
		if s.attempts[n] <= s.failures[n] {
			fails, hangs = true, hangs || s.hangs[n]
		}
	}
	switch {
	case hangs:
		return 0, errHang
	case fails:
		return http.StatusInternalServerError, nil
	}
	for _, n := range numbers {
		s.accepted[n] = true
	}
	return http.StatusOK, nil
}

// inspect takes an event that arrives. Those of its channel that came earlier
// must be accepted, or stand before it in the same request.
func (s *stream) inspect(n int, before []int) {
	if s.accepted[n] {
		s.faults = append(s.faults, fmt.Sprintf("event %d comes again", n))
	}
	for i := range n {
		if s.channels[i] == s.channels[n] && !s.accepted[i] && !slices.Contains(before, i) {
			s.faults = append(s.faults, fmt.Sprintf("event %d comes before %d is accepted", n, i))
		}
	}
}

// P-245: endpoints that hang, though they want far more attempts than there is
// room for, leave room for the others.
func TestHangingEndpointsLeaveRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{answer: func(req request) (int, error) {
			if strings.Contains(req.url, "dead") {
				return 0, errHang
			}
			return 200, nil
		}}
		var endpoints []apps.Endpoint
		for i := range 20 {
			endpoints = append(endpoints, apps.Endpoint{URL: fmt.Sprintf("http://dead%d.example/", i)})
		}
		dead, live := newApp("1", endpoints...), newApp("2", hook())
		d := start(t, Options{Transport: r, MaxInFlight: 64})
		emitOnNewChannels(d, dead, 0, 50)
		synctest.Wait()
		if got := len(r.requests()); got <= 32 || got > 32+19 {
			t.Errorf("%d attempts hang, want half of 64, and one for each endpoint that has none of them", got)
		}
		for i := range 10 {
			before := time.Now()
			emitOnNewChannels(d, live, i, 1)
			synctest.Wait()
			arrived := slices.ContainsFunc(r.requests(), func(req request) bool {
				return req.url == hookURL && req.number() == i && req.at.Equal(before)
			})
			if !arrived {
				t.Fatalf("event %d waits for hanging endpoints", i)
			}
			time.Sleep(10 * time.Second)
		}
		if got := testutil.ToFloat64(d.metrics.payloads.WithLabelValues("2")); got != 0 {
			t.Errorf("%v payloads wait", got)
		}
	})
}

// A batch is held back by any of its channels, and holds back all of them.
func TestBatchesThatShareAChannelAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		r := &receiver{answer: func(req request) (int, error) {
			if !up.Load() && req.hook.Events[0].Channel == "private-a" {
				return 500, nil
			}
			return 200, nil
		}}
		app := newApp("1", batching())
		d := start(t, Options{Transport: r})
		for _, channels := range [][]string{{"a", "b"}, {"b", "c"}, {"c", "d"}, {"e", "f"}} {
			for i, c := range channels {
				d.Emit(clientEvent(app, "private-"+c, i))
			}
			time.Sleep(batchWindow + time.Millisecond)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for _, req := range r.requests() {
			if first := req.hook.Events[0].Channel; first != "private-a" && first != "private-e" {
				t.Errorf("the batch of %s did not wait", first)
			}
		}
		up.Store(true)
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		var firsts []string
		for _, req := range r.requests() {
			firsts = append(firsts, req.hook.Events[0].Channel)
		}
		if got := firsts[len(firsts)-3:]; !slices.Equal(got, []string{"private-a", "private-b", "private-c"}) {
			t.Errorf("batches came as %q", firsts)
		}
	})
}
