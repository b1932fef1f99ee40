package chaos

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// outage is for how long receivers are down.
func outage(t *testing.T) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(cmp.Or(os.Getenv("PIPESOCKETD_CHAOS_OUTAGE"), "3s"))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// site is a server under a steady load, with a receiver that is well and, but for
// the control, another one that is down for a while.
type site struct {
	name    string
	process *process
	healthy *inbox
	dead    *inbox // nil for the control
	refuses bool   // the dead one, connections
	senders []*sender
}

// A receiver that refuses connections or hangs for a while, with a retry_for that
// covers it, gets everything in the end: once, unchanged and in order per channel.
// The log tells what a receiver beside it felt, and one of a server without it.
func TestOutage(t *testing.T) {
	lasts := outage(t)
	ctx, leave := context.WithCancel(t.Context())
	var loads sync.WaitGroup
	defer loads.Wait()
	defer leave()
	sites := openSites(t, min(10*time.Second, max(lasts/6, attemptTimeout)))
	for _, s := range sites {
		for _, sender := range s.senders {
			loads.Go(func() { sender.run(ctx, s.process.public) })
		}
	}
	pause(t.Context(), lasts)
	back := time.Now()
	each(sites, func(s *site) { s.recover(t) })
	deadline := back.Add(settling + min(2*lasts, 6*time.Minute)) // the pauses of retries grow to 5 minutes
	each(sites, func(s *site) { s.await(t, deadline, steadyChannels) })
	caughtUp := time.Now()
	leave()
	loads.Wait()
	each(sites, func(s *site) { s.await(t, time.Now().Add(settling), 0) })
	t.Logf("down for %v, all delivered %v later", lasts, caughtUp.Sub(back).Round(time.Second))
	each(sites, func(s *site) { s.report(t, "meanwhile", time.Time{}, back) })
	each(sites, func(s *site) { s.report(t, "while they caught up", back, caughtUp) })
	each(sites, func(s *site) { s.check(t) })
}

func each(sites []*site, do func(*site)) {
	for _, s := range sites {
		do(s)
	}
}

func openSites(t *testing.T, timeout time.Duration) []*site {
	t.Helper()
	sites := []*site{{name: "without one"}, {name: "one refuses", refuses: true}, {name: "one hangs"}}
	binary := program(t)
	for i, s := range sites {
		for n := range steadyChannels {
			s.senders = append(s.senders, newSender(fmt.Sprint("private-outage-", n)))
		}
		s.healthy = newInbox(s.senders)
		s.healthy.open(t, "127.0.0.1:0")
		if i > 0 {
			s.dead = newInbox(s.senders)
			s.fail(t)
		}
		s.process = start(t, binary, s.configure(t, timeout))
	}
	return sites
}

// fail begins the outage.
func (s *site) fail(t *testing.T) {
	t.Helper()
	s.dead.down.Store(true)
	s.dead.open(t, "127.0.0.2:0") // nothing else takes a port of this address meanwhile
	if s.refuses {
		s.dead.close()
	}
}

// recover ends it.
func (s *site) recover(t *testing.T) {
	t.Helper()
	if s.dead == nil {
		return
	}
	s.dead.down.Store(false)
	if s.refuses {
		s.dead.open(t, s.dead.address)
	}
}

func (s *site) configure(t *testing.T, timeout time.Duration) string {
	t.Helper()
	dir := t.TempDir()
	text := fmt.Sprintf(`listen: 127.0.0.1:0
ops: {listen: 127.0.0.1:0}
data_dir: %s
webhooks: {allow_addresses: [127.0.0.0/8], timeout: %s}
apps:
  - id: "1"
    keys: [{key: %s, secret: %s}]
    client_events: true
    client_event_rate: 10000
    webhooks:
`, filepath.Join(dir, "data"), timeout, appKey, appSecret)
	for _, in := range s.inboxes() {
		text += fmt.Sprintf("      - {url: http://%s/hook, events: [client_event], retry_for: 1h}\n", in.address)
	}
	path := filepath.Join(dir, "pipesocketd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s *site) inboxes() []*inbox {
	if s.dead == nil {
		return []*inbox{s.healthy}
	}
	return []*inbox{s.healthy, s.dead}
}

func (s *site) sent() (n int) {
	for _, sender := range s.senders {
		n += sender.count()
	}
	return n
}

// await waits until every receiver has got all that was sent but some.
func (s *site) await(t *testing.T, deadline time.Time, but int) {
	t.Helper()
	for _, in := range s.inboxes() {
		for in.count() < s.sent()-but {
			if faults := in.found(); len(faults) > 0 || time.Now().After(deadline) {
				t.Fatalf("%s: %d of %d events were delivered: %q\nlog of the server:\n%s",
					s.name, in.count(), s.sent(), faults, s.process.stderr.String())
			}
			pause(t.Context(), 100*time.Millisecond)
		}
	}
}

func (s *site) check(t *testing.T) {
	t.Helper()
	if s.sent() == 0 {
		t.Error("nothing was sent")
	}
	for _, sender := range s.senders {
		if sender.fault != "" {
			t.Errorf("%s, %s: %s", s.name, sender.channel, sender.fault)
		}
	}
	if !strings.Contains(s.process.metrics(), "webhook_journal_dead_letters 0\n") {
		t.Errorf("%s: there are dead letters", s.name)
	}
	for _, in := range s.inboxes() {
		if faults := in.found(); len(faults) > 0 {
			t.Errorf("%s: %q", s.name, faults)
		}
		t.Logf("%s: %d events sent, %d delivered, %d more than once", s.name, s.sent(), in.count(), in.repeated)
	}
	s.process.kill()
}

// report prints how late events of an interval reached the receiver that is well.
func (s *site) report(t *testing.T, when string, from, to time.Time) {
	t.Helper()
	late := s.healthy.between(from, to)
	if len(late) == 0 {
		return
	}
	slices.Sort(late)
	at := func(percent int) time.Duration { return late[(len(late)-1)*percent/100].Round(10 * time.Microsecond) }
	t.Logf("%s, %s: from sending to arrival p50 %v, p99 %v of %d events", when, s.name, at(50), at(99), len(late))
}
