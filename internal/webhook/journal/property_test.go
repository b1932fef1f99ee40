package journal

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// model is what must be in a journal, told in the plainest way.
type model struct {
	told     []hub.Edge
	unsealed []string
	payloads []*modelPayload // in order; those that are not yet delivered
}

type modelPayload struct {
	body     string
	failures int
	p        *webhook.Payload // handed out
}

func (m *model) clone() *model {
	c := &model{told: slices.Clone(m.told), unsealed: slices.Clone(m.unsealed)}
	for _, p := range m.payloads {
		c.payloads = append(c.payloads, &modelPayload{body: p.body, failures: p.failures})
	}
	return c
}

func (m *model) out() (all []*modelPayload) {
	for _, p := range m.payloads {
		if p.p != nil {
			all = append(all, p)
		}
	}
	return all
}

func (m *model) bodies() (all []string) {
	for _, p := range m.payloads {
		all = append(all, fmt.Sprint(p.body, " ", p.failures))
	}
	return all
}

// Whatever is done in whatever order, a crash leaves the state of some moment
// since the last thing that is known to be committed, and nothing else: nothing
// is lost, changed or out of order.
func TestCrashesLeaveAStateThatWas(t *testing.T) {
	// Ten times as many take most of a minute; -rapid.checks is for those who wait.
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		_ = checks.Value.Set("10")
		defer func() { _ = checks.Value.Set(checks.DefValue) }()
	}
	rapid.Check(t, func(rt *rapid.T) {
		path := file(t)
		j := open(t, path, Options{WindowBytes: rapid.SampledFrom([]int{10, 50, 1 << 20}).Draw(rt, "window")})
		l := lane(t, j, hookURL)
		m := &model{}
		history := []*model{{}} // states since the last that is known to be committed
		n := 0
		lastSeq := int64(0)
		changed := func() { history = append(history, m.clone()) }
		check := func(path string) {
			found := look(t, path)
			for _, was := range history {
				if equal(found, was) {
					return
				}
			}
			rt.Fatalf("found %+v %q, last was %+v %q of %d", found, found.bodies(), m, m.bodies(), len(history))
		}
		defer func() { shut(t, j) }()
		rt.Repeat(map[string]func(*rapid.T){
			"record": func(*rapid.T) {
				n++
				e := edgeOf(fmt.Sprint("c", n%3))
				r := webhook.Record{Edge: e, Change: webhook.GoesOn}
				if i := slices.Index(m.told, e); i >= 0 {
					r.Change = webhook.GoesOff
					m.told = slices.Delete(m.told, i, i+1)
				} else {
					m.told = append(m.told, e)
				}
				r.Events = []webhook.RecordedEvent{{Queue: l.queue, JSON: fmt.Append(nil, n)}}
				m.unsealed = append(m.unsealed, fmt.Sprint(n))
				j.Record(r, func(s int64) { lastSeq = s })
				changed()
			},
			"forget": func(rt *rapid.T) {
				e := edgeOf(fmt.Sprint("c", rapid.IntRange(0, 2).Draw(rt, "which")))
				m.told = slices.DeleteFunc(m.told, func(told hub.Edge) bool { return told == e })
				j.Forget(e)
				changed()
			},
			"forget all": func(*rapid.T) {
				m.told = nil
				j.ForgetAll()
				changed()
			},
			"seal": func(*rapid.T) {
				if len(m.unsealed) == 0 {
					return
				}
				p := payload(n)
				p.Channels = nil // its order alone is of interest
				p.Body, p.Seq = []byte(fmt.Sprint(m.unsealed)), lastSeq
				m.payloads = append(m.payloads, &modelPayload{body: string(p.Body)})
				m.unsealed = nil
				l.Put(p)
				changed()
			},
			"pop": func(*rapid.T) {
				p := l.Pop(time.Now().Add(time.Hour), webhook.TurnFirst|webhook.TurnRetry)
				if p == nil {
					return
				}
				i := slices.IndexFunc(m.payloads, func(x *modelPayload) bool { return x.body == string(p.Body) })
				if i < 0 || m.payloads[i].p != nil {
					rt.Fatalf("popped %s", p.Body)
				}
				m.payloads[i].p = p
			},
			"done": func(rt *rapid.T) {
				out := m.out()
				if len(out) == 0 {
					return
				}
				x := rapid.SampledFrom(out).Draw(rt, "which")
				l.Done(x.p)
				m.payloads = slices.DeleteFunc(m.payloads, func(y *modelPayload) bool { return x == y })
				changed()
			},
			"fail": func(rt *rapid.T) {
				out := m.out()
				if len(out) == 0 {
					return
				}
				x := rapid.SampledFrom(out).Draw(rt, "which")
				x.failures++
				x.p.Failures, x.p.Due = x.failures, time.Now()
				l.Put(x.p)
				x.p = nil
				changed()
			},
			"commit": func(*rapid.T) {
				flush(t, j)
				history = history[len(history)-1:]
			},
			"crash": func(*rapid.T) { check(crash(t, path)) },
			"start again": func(*rapid.T) {
				shut(t, j)
				history = []*model{m.clone()}
				check(path)
				j = open(t, path, Options{WindowBytes: 50})
				l = lane(t, j, hookURL)
				l.Unsealed()
				for _, p := range m.payloads {
					p.p = nil
				}
			},
			"": func(*rapid.T) {
				if got, want := l.Waiting().Payloads, len(m.payloads)-len(m.out()); got != want {
					rt.Fatalf("%d wait, want %d", got, want)
				}
			},
		})
	})
}

// look opens a journal and reads it without changing it.
func look(t *testing.T, path string) *model {
	t.Helper()
	j := open(t, path, Options{})
	defer shut(t, j)
	l := lane(t, j, hookURL)
	m := &model{told: j.Told(), unsealed: texts(l.Unsealed())}
	for l.Waiting().Payloads > 0 {
		l.until(func() bool {
			l.Waiting()
			return len(l.stored) == 0
		})
		for p := l.Pop(time.Now(), webhook.TurnFirst); p != nil; p = l.Pop(time.Now(), webhook.TurnFirst) {
			m.payloads = append(m.payloads, &modelPayload{body: string(p.Body), p: p})
		}
		for p := l.Pop(time.Now().Add(time.Hour), webhook.TurnRetry); p != nil; p = l.Pop(time.Now().Add(time.Hour), webhook.TurnRetry) {
			m.payloads = append(m.payloads, &modelPayload{body: string(p.Body), failures: p.Failures, p: p})
		}
	}
	slices.SortFunc(m.payloads, func(a, b *modelPayload) int { return int(a.p.ID - b.p.ID) })
	return m
}

func equal(a, b *model) bool {
	told := func(m *model) []string {
		all := []string{}
		for _, e := range m.told {
			all = append(all, fmt.Sprint(e))
		}
		slices.Sort(all)
		return all
	}
	return slices.Equal(told(a), told(b)) && slices.Equal(a.unsealed, b.unsealed) && slices.Equal(a.bodies(), b.bodies())
}
