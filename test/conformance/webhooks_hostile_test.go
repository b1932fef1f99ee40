package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/test/conformance/hostile"
)

// hostileTimeout is that of an attempt. Whoever waits for a receiver that hangs
// waits at least this long.
const hostileTimeout = 3 * time.Second

// One app has an endpoint for each kind of misbehaviour, and one that is well.
func TestWebhookHostileReceivers(t *testing.T) {
	villains := make(map[hostile.Behaviour]*hostile.Receiver)
	hooks := []hook{{events: "channel_occupied"}}
	for _, behaviour := range hostile.All() {
		r := newHostile(t, hostile.Always(behaviour))
		villains[behaviour] = r
		hooks = append(hooks, hook{url: r.URL(), events: "channel_occupied"})
	}
	proveHooks(t, ", grace_delay: 0s, timeout: "+hostileTimeout.String(), []hookTest{{
		name:  "P-240 P-241 P-243 P-245 receivers that misbehave do not slow another and get everything once they are well",
		hooks: hooks,
		prove: func(t *testing.T, h *hooked) { hookBesideVillains(t, h, villains) },
	}})
}

// newHostile starts a receiver that ends with the test. Call it before the
// server starts, so that the server is stopped first.
func newHostile(t *testing.T, plan hostile.Plan) *hostile.Receiver {
	t.Helper()
	r, err := hostile.Start("127.0.0.1:0", plan)
	if err != nil {
		t.Fatalf("start a hostile receiver: %v", err)
	}
	t.Cleanup(r.Close)
	return r
}

func hookBesideVillains(t *testing.T, h *hooked, villains map[hostile.Behaviour]*hostile.Receiver) {
	base := h.usageWithLanes(t, len(villains)+1)
	c := h.connect(t)
	var channels []string
	var worst time.Duration
	for range besideChannels {
		channel := unique("x-")
		channels = append(channels, channel)
		began := time.Now()
		c.subscribe(t, channel)
		worst = max(worst, h.expectHook(t, hookOccupied(channel)).at.Sub(began))
	}
	if worst >= hostileTimeout {
		t.Errorf("a notice took %v to the receiver that is well", worst)
	}
	for _, r := range villains {
		r.Plan(hostile.Always(hostile.Accept))
	}
	for behaviour, r := range villains {
		if behaviour == hostile.Surplus {
			continue // an answer that nobody asked for can be taken for that of the next request
		}
		attempts := attemptsUntilAll(t, h, behaviour, r, channels)
		if behaviour.Delivers() && attempts != len(channels) {
			t.Errorf("%s: %d attempts for %d payloads, though each was a delivery", behaviour, attempts, len(channels))
		}
	}
	for _, r := range villains {
		r.Close()
	}
	if err := h.returnsTo(base); err != nil {
		t.Error(err)
	}
}

// usageWithLanes returns what the server holds once the goroutines of so many
// endpoints have begun, which is when there are that many and they do not become
// more.
func (h *hooked) usageWithLanes(t *testing.T, lanes int) (base []usage) {
	t.Helper()
	err := errors.New("not measured")
	var before []usage
	if !poll(30*time.Second, func() bool {
		before = base
		base, err = h.usage()
		return err == nil && slices.EqualFunc(before, base, func(a, b usage) bool {
			return a.goroutines == b.goroutines && b.goroutines > float64(lanes)
		})
	}) {
		t.Fatalf("%d endpoints do not begin: %+v, %v", lanes, base, err)
	}
	return base
}

// attemptsUntilAll reads requests until each channel has been told with an
// answer of 2xx, checks each of them and returns how many there were.
func attemptsUntilAll(t *testing.T, h *hooked, behaviour hostile.Behaviour, r *hostile.Receiver, channels []string) (attempts int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	told := make(map[string]bool)
	bodies := make(map[string]string) // by channel
	for len(told) < len(channels) {
		got, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("%s: %d of %d channels told: %v", behaviour, len(told), len(channels), err)
		}
		attempts++
		if got.Path == hostile.RedirectPath {
			t.Fatalf("%s: a redirect was followed", behaviour)
		}
		d := delivery{header: got.Header, body: string(got.Body)}
		d.signedBy(t, h.app)
		channel := onlyChannel(t, got.Body)
		if before, ok := bodies[channel]; ok && before != d.body {
			t.Errorf("%s: the body of a repetition is %s, was %s", behaviour, d.body, before)
		}
		bodies[channel] = d.body
		if got.Behaviour.Delivers() {
			told[channel] = true
		}
	}
	if got := slices.Sorted(maps.Keys(told)); !slices.Equal(got, slices.Sorted(slices.Values(channels))) {
		t.Errorf("%s: told of %q, want %q", behaviour, got, channels)
	}
	return attempts
}

func onlyChannel(t *testing.T, body []byte) string {
	t.Helper()
	var d delivery
	if err := json.Unmarshal(body, &d); err != nil || len(d.Events) != 1 || d.Events[0]["name"] != "channel_occupied" {
		t.Fatalf("body %s: %v", body, err)
	}
	channel, _ := d.Events[0]["channel"].(string)
	return channel
}
