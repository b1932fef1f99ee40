package webhook

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelQueue is memoryQueue told in the plainest way.
type modelQueue struct {
	max  int
	list []*modelPayload // by age
}

type modelPayload struct {
	p         *Payload
	attempted bool
	out       bool
}

func (m *modelQueue) find(p *Payload) int {
	return slices.IndexFunc(m.list, func(e *modelPayload) bool { return e.p == p })
}

func (m *modelQueue) put(p *Payload) (dropped []*Payload) {
	if i := m.find(p); i >= 0 {
		m.list[i].out = false
	} else {
		m.list = append(m.list, &modelPayload{p: p})
	}
	for m.waiting().Bytes > m.max {
		i := slices.IndexFunc(m.list, func(e *modelPayload) bool { return !e.out })
		dropped = append(dropped, m.list[i].p)
		m.list = slices.Delete(m.list, i, i+1)
	}
	return dropped
}

func (m *modelQueue) pop(now time.Time, turn Turn) *Payload {
	var next *modelPayload
	for _, e := range m.list {
		due := turn&TurnRetry != 0 && e.attempted && !e.out && !e.p.Due.After(now)
		if due && (next == nil || e.p.Due.Before(next.p.Due)) {
			next = e
		}
	}
	for _, e := range m.list {
		if next == nil && turn&TurnFirst != 0 && !e.attempted {
			next = e
		}
	}
	if next == nil {
		return nil
	}
	next.attempted, next.out = true, true
	return next.p
}

func (m *modelQueue) waiting() Backlog {
	var b Backlog
	for _, e := range m.list {
		if e.out {
			continue
		}
		b.Payloads++
		b.Events += e.p.Events
		b.Bytes += len(e.p.Body)
		if !e.attempted {
			b.First = true
		} else if b.Retry.IsZero() || e.p.Due.Before(b.Retry) {
			b.Retry = e.p.Due
		}
	}
	return b
}

func TestMemoryQueueIsLikeItsModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		bound := rapid.IntRange(1, 60).Draw(rt, "max bytes")
		q, m := newMemoryQueue(bound), &modelQueue{max: bound}
		now, seq := time.UnixMilli(0), 0
		var out []*Payload
		takeOut := func() *Payload {
			i := rapid.IntRange(0, len(out)-1).Draw(rt, "which")
			p := out[i]
			out = slices.Delete(out, i, i+1)
			return p
		}
		put := func(p *Payload) {
			if got, want := q.Put(p), m.put(p); !slices.Equal(got, want) {
				rt.Fatalf("dropped %d, want %d", len(got), len(want))
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"new": func(rt *rapid.T) {
				seq++
				put(&Payload{TimeMS: int64(seq), Events: 1 + seq%3, Body: make([]byte, rapid.IntRange(1, 20).Draw(rt, "size"))})
			},
			"pop": func(rt *rapid.T) {
				turn := Turn(rapid.IntRange(0, 3).Draw(rt, "turn"))
				got, want := q.Pop(now, turn), m.pop(now, turn)
				if got != want {
					rt.Fatalf("popped %+v, want %+v", got, want)
				}
				if got != nil {
					out = append(out, got)
				}
			},
			"fail": func(rt *rapid.T) {
				if len(out) == 0 {
					rt.Skip()
				}
				p := takeOut()
				seq++
				p.Failures++
				p.Due = now.Add(time.Duration(rapid.IntRange(0, 9).Draw(rt, "due"))*time.Second + time.Duration(seq)) // none equal
				put(p)
			},
			"done": func(rt *rapid.T) {
				if len(out) == 0 {
					rt.Skip()
				}
				p := takeOut()
				q.Done(p)
				i := m.find(p)
				m.list = slices.Delete(m.list, i, i+1)
			},
			"time": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 5).Draw(rt, "seconds")) * time.Second)
			},
			"": func(rt *rapid.T) {
				if got, want := q.Waiting(), m.waiting(); got != want {
					rt.Fatalf("waiting %+v, want %+v", got, want)
				}
				if w := q.Waiting(); w.Bytes > bound {
					rt.Fatalf("%d bytes wait, want at most %d", w.Bytes, bound)
				}
			},
		})
	})
}

func TestIntakeKeepsOrderAndBound(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		q := &intake{maxBytes: 40}
		var want [][]byte
		dropped, gotDropped := 0, 0
		size := func() (n int) {
			for _, w := range want {
				n += len(w)
			}
			return n
		}
		for i := range rapid.IntRange(0, 200).Draw(rt, "steps") {
			if rapid.Bool().Draw(rt, "put") {
				e := event{json: make([]byte, rapid.IntRange(1, 4).Draw(rt, "size"))}
				e.json[0] = byte(i)
				q.put(e)
				want = append(want, e.json)
				for size() > 40 {
					want = want[1:]
					dropped++
				}
				continue
			}
			var buf [7]event
			n, d, more, closed := q.take(buf[:])
			gotDropped += d
			if n != min(7, len(want)) || more != (len(want) > 7) || closed {
				rt.Fatalf("took %d of %d, more %v, closed %v", n, len(want), more, closed)
			}
			for i, e := range buf[:n] {
				if &e.json[0] != &want[i][0] {
					rt.Fatalf("event %d is not the one put", i)
				}
			}
			want = want[n:]
			if gotDropped != dropped {
				rt.Fatalf("told of %d dropped, want %d", gotDropped, dropped)
			}
		}
	})
}
