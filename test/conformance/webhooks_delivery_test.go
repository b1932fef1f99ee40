package conformance

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"
)

func TestWebhookDelivery(t *testing.T) {
	dead, late := newLateReceiver(t), newLateReceiver(t)
	proveHooks(t, ", grace_delay: 0s, timeout: "+shortTimeout.String(), []hookTest{
		{name: "P-240 P-241 a status of 500 is retried with identical requests", prove: retries(answerStatus(500))},
		{name: "P-240 a status of 404 is retried", prove: retries(answerStatus(404))},
		{name: "P-240 a redirect is retried, not followed", prove: retries(answerRedirect)},
		{name: "P-240 P-241 a timeout is retried with identical requests", prove: hookTimeout},
		{name: "P-240 an aborted connection is retried", prove: retries(answerAbort)},
		{
			name:  "P-240 a refused connection is retried",
			hooks: []hook{{events: "channel_occupied"}, {url: late.url, events: "channel_occupied"}},
			prove: func(t *testing.T, h *hooked) { hookRefusedConnection(t, h, late) },
		},
		{name: "P-243 any 2xx ends delivery", prove: hookAny2xx},
		{name: "P-244 a failing payload does not stop later ones", prove: hookOneFailing},
		{
			name:  "P-245 an endpoint that refuses does not slow others",
			hooks: []hook{{}, {url: dead.url, events: "channel_occupied"}},
			prove: func(t *testing.T, h *hooked) { hookBesideDead(t, h, dead) },
		},
	})
}

func TestWebhookHangingEndpoint(t *testing.T) {
	proveHooks(t, "", []hookTest{{ // with the default timeout of ten seconds
		name: "P-245 an endpoint that hangs does not slow others", hooks: []hook{{}, {}}, prove: hookBesideHanging,
	}})
}

// Delays between attempts: one second and then twice as long each time, 20 %
// more or less; above that this much is allowed for a busy machine.
const (
	jitter = 0.2
	slack  = 1500 * time.Millisecond
)

func answerStatus(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(status) }
}

func answerRedirect(w http.ResponseWriter) {
	w.Header().Set("Location", "/elsewhere")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func answerAbort(http.ResponseWriter) { panic(http.ErrAbortHandler) }

// retries proves three attempts, the last of which is accepted.
func retries(fail func(http.ResponseWriter)) func(*testing.T, *hooked) {
	return func(t *testing.T, h *hooked) {
		h.respond(func(w http.ResponseWriter, n int) {
			if n <= 2 {
				fail(w)
			}
		})
		expectAttempts(t, h, 0)
	}
}

// expectAttempts occupies a channel and checks the three attempts to tell it.
// An attempt itself may take as long as lasting.
func expectAttempts(t *testing.T, h *hooked, lasting time.Duration) {
	t.Helper()
	channel := unique("x-")
	h.connect(t).subscribe(t, channel)
	attempts := []delivery{h.expectHook(t, hookOccupied(channel))}
	for delay := time.Second; delay <= 2*time.Second; delay *= 2 {
		last := attempts[len(attempts)-1]
		d := h.expectHook(t, hookOccupied(channel))
		least, most := scale(delay, 1-jitter), lasting+scale(delay, 1+jitter)+slack
		if after := d.at.Sub(last.at); after < least || after > most {
			t.Errorf("attempt %d came %v after the one before, want %v to %v", d.n, after, least, most)
		}
		attempts = append(attempts, d)
	}
	sameRequests(t, attempts)
}

func scale(d time.Duration, by float64) time.Duration { return time.Duration(float64(d) * by) }

func sameRequests(t *testing.T, attempts []delivery) {
	t.Helper()
	for _, d := range attempts[1:] {
		if first := attempts[0]; d.body != first.body || !maps.EqualFunc(d.header, first.header, slices.Equal) {
			t.Errorf("attempt %d differs from the first:\n%v %s\n%v %s", d.n, d.header, d.body, first.header, first.body)
		}
	}
}

func hookTimeout(t *testing.T, h *hooked) {
	release := make(chan struct{})
	defer close(release)
	h.respond(func(_ http.ResponseWriter, n int) {
		if n <= 2 {
			<-release
		}
	})
	expectAttempts(t, h, shortTimeout)
}

// hookRefusedConnection opens the port once the first attempt must have been
// refused: an endpoint beside it has been told of a hundred later events.
func hookRefusedConnection(t *testing.T, h *hooked, late *lateReceiver) {
	c := h.connect(t)
	first := unique("x-")
	begin := time.Now()
	c.subscribe(t, first)
	h.expectHook(t, hookOccupied(first))
	for range 100 {
		later := unique("x-")
		c.subscribe(t, later)
		h.expectHook(t, hookOccupied(later))
	}
	late.open(t)
	for range 101 {
		d := late.nextWithin(t, 4*patience)
		d.signedBy(t, h.app)
		if after := d.at.Sub(begin); sameEvent(d.Events[0], hookOccupied(first)) && after < scale(time.Second, 1-jitter) {
			t.Errorf("came after %v, so it was no retry", after)
		}
	}
}

// hookAny2xx proves the absence of a retry by a payload that is sent later and
// retried twice, the second time after more than the first delay can be.
func hookAny2xx(t *testing.T, h *hooked) {
	statuses := []int{200, 201, 202, 204, 299}
	h.respond(func(w http.ResponseWriter, n int) {
		switch {
		case n <= len(statuses) && statuses[n-1] == http.StatusNoContent:
			w.WriteHeader(statuses[n-1])
		case n <= len(statuses):
			w.WriteHeader(statuses[n-1])
			_, _ = w.Write([]byte(`{"error":"nonsense`))
		case n <= len(statuses)+2:
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	c := h.connect(t)
	for range statuses {
		channel := unique("x-")
		c.subscribe(t, channel)
		h.expectHook(t, hookOccupied(channel))
	}
	sentinel := unique("x-")
	c.subscribe(t, sentinel)
	for range 3 {
		h.expectHook(t, hookOccupied(sentinel))
	}
}

func hookOneFailing(t *testing.T, h *hooked) {
	h.respond(func(w http.ResponseWriter, n int) {
		if n == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	c := h.connect(t)
	failing := unique("x-")
	c.subscribe(t, failing)
	h.expectHook(t, hookOccupied(failing))
	for range 5 {
		channel := unique("x-")
		c.subscribe(t, channel)
		h.expectHook(t, hookOccupied(channel))
	}
	h.expectHook(t, hookOccupied(failing))
}

func hookBesideDead(t *testing.T, h *hooked, dead *lateReceiver) {
	useBeside(t, h) // each step of which has its own deadline
	dead.open(t)
	for range besideChannels { // what waited is told in the end
		dead.nextWithin(t, 4*patience)
	}
}

// hookBesideHanging uses the server while an attempt is held: all is done
// before that attempt can have ended by its timeout.
func hookBesideHanging(t *testing.T, h *hooked) {
	release := make(chan struct{})
	defer close(release)
	hanging := h.receivers[1]
	hanging.respond(func(http.ResponseWriter, int) { <-release })
	first := unique("x-")
	h.connect(t).subscribe(t, first)
	h.expectHook(t, hookOccupied(first))
	held := hanging.next(t)
	useBeside(t, h)
	if took := time.Since(held.at); took > 10*time.Second {
		t.Errorf("took %v, longer than the attempt that hangs", took)
	}
}

const besideChannels = 50

// useBeside subscribes, publishes and counts what the healthy endpoint is told.
func useBeside(t *testing.T, h *hooked) {
	t.Helper()
	c := h.connect(t)
	prefix := unique("private-")
	for i := range besideChannels {
		channel := fmt.Sprintf("%s-%d", prefix, i)
		c.subscribe(t, channel)
		h.backend().trigger(t, channel, "e", strconv.Itoa(i))
		c.expectEvent(t, "e", channel, strconv.Itoa(i))
		h.expectHook(t, hookOccupied(channel))
	}
	c.clientEvent(t, "client-x", prefix+"-0", "1")
	h.nextEvent(t, "client_event")
}
