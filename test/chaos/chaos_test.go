package chaos

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
)

const (
	pairs    = 8
	settling = 1 * time.Minute // for retries, which come after up to a minute

	// durable is when an event survives a kill at the latest. The promise is 50 ms
	// on a machine that has time for it; with other tests beside it stalls for half
	// a second. The log tells how old the oldest was.
	durable = 2 * time.Second
)

func TestMain(m *testing.M) { testkit.Main(m) }

// kills is how often the server is killed.
func kills(t *testing.T) int {
	t.Helper()
	text, ok := os.LookupEnv("PIPESOCKETD_CHAOS_KILLS")
	if !ok {
		return 3
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// world is all that takes part.
type world struct {
	t         *testing.T
	receivers []*receiver
	pairs     []*pair
	killed    []time.Time
}

func TestKills(t *testing.T) {
	var life atomic.Int64
	var calm atomic.Bool
	var running atomic.Pointer[target]
	w := &world{t: t, receivers: receivers(t, &life, &calm)}
	binary, config := program(t), configure(t, w.receivers)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var clients sync.WaitGroup
	for i := range pairs {
		p := &pair{channel: fmt.Sprint("private-chaos-", i), target: &running, seen: make(map[int]sighting)}
		w.pairs = append(w.pairs, p)
		clients.Go(func() { p.run(ctx) })
	}
	live := func() *process {
		life.Add(1)
		p := start(t, binary, config)
		running.Store(&target{p.public, len(w.killed)})
		return p
	}
	for range kills(t) {
		p := live()
		pause(t.Context(), 200*time.Millisecond+rand.N(1500*time.Millisecond))
		running.Store(nil)
		w.killed = append(w.killed, p.kill())
	}
	p := live()
	pause(t.Context(), time.Second)
	calm.Store(true)
	leave()
	clients.Wait()
	w.settle(p)
	w.check()
	if !t.Failed() {
		p.kill()
	}
}

// settle waits until everything is delivered: the last channels are vacated and
// nothing waits.
func (w *world) settle(p *process) {
	w.t.Helper()
	deadline := time.Now().Add(settling)
	for !w.quiet(p) {
		if time.Now().After(deadline) {
			w.t.Errorf("not everything is delivered after %v\n%s", settling, p.dump())
			return
		}
		pause(w.t.Context(), 100*time.Millisecond)
	}
}

func (w *world) quiet(p *process) bool {
	w.t.Helper()
	for _, r := range w.receivers {
		if e := r.edges(); len(e.on()) > 0 || len(e.last) == 0 {
			return false
		}
	}
	return strings.Contains(p.metrics(), "\npipesocketd_webhook_queue_payloads{app=\"1\"} 0\n")
}

func (w *world) check() {
	w.t.Helper()
	for _, r := range w.receivers {
		w.t.Run(r.kind, func(t *testing.T) {
			for _, fault := range r.faults {
				t.Error(fault)
			}
			for _, fault := range r.edges().faults {
				t.Error(fault)
			}
			w.checkOrder(t, r)
			w.checkLost(t, r)
			w.checkRepeated(t, r)
		})
	}
}

// checkOrder checks that the events of each channel came in the order in which
// they were sent, and in one payload each.
func (w *world) checkOrder(t *testing.T, r *receiver) {
	t.Helper()
	last := make(map[string]int)
	for _, p := range r.payloads {
		for _, e := range p.events {
			if e.Name != "client_event" {
				continue
			}
			n, err := strconv.Atoi(e.Data)
			if err != nil || e.Event != "client-n" || n > w.pair(e.Channel).sent {
				t.Errorf("event %+v was never sent", e)
			}
			if n <= last[e.Channel] {
				t.Errorf("%s: %d after %d", e.Channel, n, last[e.Channel])
			}
			last[e.Channel] = n
		}
	}
}

func (w *world) pair(channel string) *pair {
	for _, p := range w.pairs {
		if p.channel == channel {
			return p
		}
	}
	w.t.Fatalf("no channel has the name %q", channel)
	return nil
}

// checkLost checks that what subscribers have seen came to the receiver too,
// unless the server was killed right afterwards.
func (w *world) checkLost(t *testing.T, r *receiver) {
	t.Helper()
	came := make(map[string]bool)
	for _, p := range r.payloads {
		for _, e := range p.events {
			came[e.Channel+" "+e.Data] = true
		}
	}
	seen, lost, oldest := 0, 0, time.Duration(0)
	for _, p := range w.pairs {
		for n, s := range p.seen {
			seen++
			if came[fmt.Sprint(p.channel, " ", n)] {
				continue
			}
			lost++
			if s.life == len(w.killed) {
				t.Errorf("%s: event %d is lost without a kill", p.channel, n)
				continue
			}
			age := w.killed[s.life].Sub(s.at) // negative if it was under way at the kill
			oldest = max(oldest, age)
			if age > durable {
				t.Errorf("%s: event %d is lost, %v before a kill", p.channel, n, age)
			}
		}
	}
	t.Logf("%d kills; of %d events that subscribers saw %d were not yet committed, the oldest of them %v old",
		len(w.killed), seen, lost, oldest)
	if seen == 0 {
		t.Error("no events were seen")
	}
}

// checkRepeated counts payloads that were accepted more than once. That needs a
// kill in between, or an answer that was too late for the server.
func (w *world) checkRepeated(t *testing.T, r *receiver) {
	t.Helper()
	repeated, late := 0, 0
	for _, p := range r.payloads {
		if len(p.accepted) == 0 {
			t.Error("a payload was given up")
		}
		for i := 1; i < len(p.accepted); i++ {
			before, now := p.accepted[i-1], p.accepted[i]
			switch {
			case now.life > before.life || w.killedShortlyBefore(before.at):
				repeated++
			case now.at.Sub(before.at) > attemptTimeout:
				late++
			default:
				t.Errorf("a payload was sent twice without reason: %v", p.accepted)
			}
		}
	}
	t.Logf("%d payloads; %d accepted again after a kill, %d after a late answer", len(r.payloads), repeated, late)
}

// killedShortlyBefore reports whether a request that was accepted then can be of a
// process that had been killed: what it had sent was still there to be read.
func (w *world) killedShortlyBefore(accepted time.Time) bool {
	return slices.ContainsFunc(w.killed, func(at time.Time) bool {
		since := accepted.Sub(at)
		return since >= 0 && since < attemptTimeout
	})
}

// edges are what a receiver was told of channels and members.
type edges struct {
	last   map[string]bool
	faults []string
}

func (r *receiver) edges() edges {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := edges{last: make(map[string]bool)}
	for _, p := range r.payloads {
		for _, e := range p.events {
			switch e.Name {
			case "channel_occupied", "member_added":
				all.turn(e, true)
			case "channel_vacated", "member_removed":
				all.turn(e, false)
			}
		}
	}
	return all
}

func (e *edges) turn(ev event, on bool) {
	name := ev.Channel + " " + ev.UserID
	if e.last[name] == on {
		e.faults = append(e.faults, fmt.Sprintf("%s of %s comes twice", ev.Name, name))
	}
	e.last[name] = on
}

// on returns what is on in the end.
func (e *edges) on() (names []string) {
	for name, on := range e.last {
		if on {
			names = append(names, name)
		}
	}
	return names
}
