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
	p   *Payload
	out bool
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

// free returns the waiting payloads that share no channel with an earlier one.
func (m *modelQueue) free() (free []*modelPayload) {
	for i, e := range m.list {
		shares := slices.ContainsFunc(m.list[:i], func(before *modelPayload) bool {
			return slices.ContainsFunc(before.p.Channels, func(c uint64) bool { return slices.Contains(e.p.Channels, c) })
		})
		if !e.out && !shares {
			free = append(free, e)
		}
	}
	return free
}

func (m *modelQueue) pop(now time.Time, turn Turn) *Payload {
	var next *modelPayload
	for _, e := range m.free() {
		due := turn&TurnRetry != 0 && e.p.Failures > 0 && !e.p.Due.After(now)
		if due && (next == nil || e.p.Due.Before(next.p.Due)) {
			next = e
		}
	}
	for _, e := range m.free() {
		if next == nil && turn&TurnFirst != 0 && e.p.Failures == 0 {
			next = e
		}
	}
	return hand(next)
}

func (m *modelQueue) popExpired(before time.Time) *Payload {
	i := slices.IndexFunc(m.list, func(e *modelPayload) bool { return !e.out })
	if i < 0 || m.list[i].p.TimeMS >= before.UnixMilli() {
		return nil
	}
	return hand(m.list[i])
}

func hand(e *modelPayload) *Payload {
	if e == nil {
		return nil
	}
	e.out = true
	return e.p
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
		if b.Oldest.IsZero() {
			b.Oldest = time.UnixMilli(e.p.TimeMS)
		}
	}
	for _, e := range m.free() {
		if e.p.Failures == 0 {
			b.First = true
		} else if b.Retry.IsZero() || e.p.Due.Before(b.Retry) {
			b.Retry = e.p.Due
		}
	}
	return b
}

func (m *modelQueue) remove(p *Payload) {
	i := m.find(p)
	m.list = slices.Delete(m.list, i, i+1)
}

// Held back is exactly what shares a channel with an earlier payload, and all
// else is handed out in order, whatever fails, is dropped or given up.
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
				put(drawPayload(rt, seq, now))
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
				m.remove(p)
			},
			"expire": func(rt *rapid.T) {
				before := now.Add(-time.Duration(rapid.IntRange(0, 20).Draw(rt, "age")) * time.Second)
				got, want := q.PopExpired(before), m.popExpired(before)
				if got != want {
					rt.Fatalf("popped %+v as expired, want %+v", got, want)
				}
				if got != nil {
					q.Dead(got, DropExpired)
					m.remove(got)
				}
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

// drawPayload draws a new payload, or one of an earlier process that has failed.
func drawPayload(rt *rapid.T, seq int, now time.Time) *Payload {
	p := &Payload{
		TimeMS:   now.UnixMilli(),
		Events:   1 + seq%3,
		Body:     make([]byte, rapid.IntRange(1, 20).Draw(rt, "size")),
		Channels: rapid.SliceOfN(rapid.Uint64Range(0, 5), 0, 3).Draw(rt, "channels"),
	}
	if rapid.IntRange(0, 4).Draw(rt, "failed before") == 0 {
		p.Failures, p.Due = 1, now.Add(time.Duration(seq))
	}
	return p
}

// What a burst of channels took is given back, and an empty schedule holds
// nothing of the payloads that were in it.
func TestScheduleGivesBackMemory(t *testing.T) {
	var s Schedule
	for i := range uint64(shrinkFrom) {
		s.Add(&Payload{Channels: []uint64{i}})
	}
	for p := s.Pop(time.Now(), TurnFirst); p != nil; p = s.Pop(time.Now(), TurnFirst) {
		s.Remove(p)
	}
	if s.ends != nil || s.oldest != nil || s.newest != nil || len(s.fresh) > 0 {
		t.Errorf("left: %d channels, %d payloads", len(s.ends), len(s.fresh))
	}
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
