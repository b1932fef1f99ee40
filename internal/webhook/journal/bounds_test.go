package journal

import (
	"os"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

func reasons(entries []Entry) (all []string) {
	for _, e := range entries {
		all = append(all, e.Reason)
	}
	return all
}

func TestQueueBound(t *testing.T) {
	j := open(t, file(t), Options{})
	l := laneFor(t, j, webhook.QueueSpec{App: "1", URL: hookURL, MaxBytes: 3 * len("body 1")})
	l.put(1)
	out := l.pop() // is not waiting
	l.put(3)
	var dropped []*webhook.Payload
	for n := range 2 {
		dropped = append(dropped, l.Put(payload(5+n))...)
	}
	want(t, "dropped", len(dropped), 2)
	want(t, "the oldest", string(dropped[0].Body), "body 2")
	l.Done(out)
	want(t, "left", l.all(), []string{"body 4", "body 5", "body 6"})
	dead := list(t, j, Filter{State: Dead}, Page{})
	want(t, "dead letters", reasons(dead), []string{"overflow", "overflow"})
}

// The bound of all queues is at the cost of the largest.
func TestCommonBound(t *testing.T) {
	j := open(t, file(t), Options{MaxBytes: 10 * int64(len("body 1"))})
	large, small := lane(t, j, hookURL), lane(t, j, "https://small.example/")
	large.put(8)
	small.put(4)
	large.until(func() bool { large.Waiting(); return large.dropped[webhook.DropOverflow] == 2 })
	want(t, "of the large", large.all(), []string{"body 3", "body 4", "body 5", "body 6", "body 7", "body 8"})
	want(t, "of the small", small.all(), []string{"body 1", "body 2", "body 3", "body 4"})
	want(t, "dead letters", len(list(t, j, Filter{State: Dead}, Page{})), 2)
}

func TestAgeBound(t *testing.T) {
	j := open(t, file(t), Options{MaxAge: time.Hour})
	l := lane(t, j, hookURL)
	old := payload(1)
	old.TimeMS -= 61 * time.Minute.Milliseconds()
	l.Put(old)
	l.n = 1
	l.put(1)
	want(t, "handed out", string(l.pop().Body), "body 2")
	want(t, "told", l.dropped, map[webhook.DropReason]int{webhook.DropExpired: 1})
	want(t, "dead letters", reasons(list(t, j, Filter{State: Dead}, Page{})), []string{"expired"})
}

// What waits for an endpoint that is gone expires too, and is not counted twice
// if the endpoint returns.
func TestOrphansExpire(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l := lane(t, j, hookURL)
	for n := range 3 {
		p := payload(n)
		if n > 0 {
			p.TimeMS -= time.Hour.Milliseconds()
		}
		l.Put(p)
	}
	flush(t, j)
	shut(t, j)
	j = open(t, path, Options{MaxAge: time.Minute})
	testkit.WaitFor(t, func() bool { return j.deadCount.Load() == 2 }, "the old ones to expire")
	l = lane(t, j, hookURL)
	want(t, "waiting", l.Waiting().Payloads, 1)
	want(t, "left", l.all(), []string{"body 0"})
}

// A dead letter that is replayed for an endpoint that is gone has its time anew.
func TestReplayedOrphansDoNotExpireAtOnce(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l := lane(t, j, hookURL)
	l.put(1)
	dead := l.bury(1)
	old := payload(2)
	old.TimeMS -= time.Hour.Milliseconds()
	l.Put(old)
	flush(t, j)
	shut(t, j)
	j = open(t, path, Options{MaxAge: time.Minute})
	if n, err := j.Replay(t.Context(), Filter{IDs: dead}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	testkit.WaitFor(t, func() bool { return j.deadCount.Load() > 0 }, "the old one to expire")
	want(t, "waiting", ids(list(t, j, Filter{State: Waiting}, Page{})), dead)
	want(t, "left", lane(t, j, hookURL).all(), []string{"body 1"})
}

func TestDeadLettersAreBounded(t *testing.T) {
	t.Run("by bytes", func(t *testing.T) {
		j := open(t, file(t), Options{DeadBytes: 2 * int64(len("body 1"))})
		l := lane(t, j, hookURL)
		l.put(5)
		dead := l.bury(5)
		flush(t, j)
		testkit.WaitFor(t, func() bool { return j.deadCount.Load() == 2 }, "the oldest to go")
		want(t, "left", ids(list(t, j, Filter{State: Dead}, Page{})), dead[3:])
	})
	t.Run("by age", func(t *testing.T) {
		j := open(t, file(t), Options{DeadAge: time.Nanosecond})
		l := lane(t, j, hookURL)
		l.put(2)
		l.bury(1)
		flush(t, j)
		testkit.WaitFor(t, func() bool { return j.deadCount.Load() == 0 }, "the old one to go")
		want(t, "left", len(list(t, j, Filter{}, Page{})), 1)
	})
}

func TestAttemptsAreBounded(t *testing.T) {
	for name, o := range map[string]Options{"by number": {MaxAttempts: 2}, "by age": {AttemptAge: time.Hour}} {
		t.Run(name, func(t *testing.T) {
			j := open(t, file(t), o)
			l := lane(t, j, hookURL)
			l.put(1)
			p := l.pop()
			for n := range 5 {
				a := webhook.Attempt{App: "1", URL: hookURL, Payload: p.ID, Start: time.Now(), Status: 200 + n}
				if n < 3 {
					a.Start = a.Start.Add(-2 * time.Hour)
				}
				j.LogAttempt(a)
			}
			flush(t, j)
			testkit.WaitFor(t, func() bool {
				d, err := j.Show(t.Context(), p.ID)
				return err == nil && len(d.Attempts) == 2 && d.Attempts[0].Status == 203
			}, "the oldest three to go")
		})
	}
}

// The file shrinks when a backlog has been delivered.
func TestFileShrinks(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l := lane(t, j, hookURL)
	body := make([]byte, 100<<10)
	for n := range 200 { // 20 MB
		p := payload(n)
		p.Body = body
		l.Put(p)
	}
	flush(t, j)
	for range 200 {
		l.Done(l.pop())
	}
	flush(t, j)
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if size() < 10<<20 {
		t.Fatalf("the file has %d bytes before", size())
	}
	testkit.WaitFor(t, func() bool { return size() < 6<<20 }, "the file to shrink")
}

// A queue keeps only a window of what waits in memory.
func TestMemoryOfABacklog(t *testing.T) {
	j := open(t, file(t), Options{WindowBytes: 10 << 10})
	l := lane(t, j, hookURL)
	for n := range 1000 {
		p := payload(n)
		p.Channels = []uint64{1} // each is held back by the one before
		p.Body = append(p.Body, make([]byte, 1000-len(p.Body))...)
		l.Put(p)
		if n%100 == 0 {
			flush(t, j)
			l.Waiting()
		}
	}
	flush(t, j)
	w := l.Waiting()
	if w.Payloads != 1000 || w.Bytes != 1000*1000 {
		t.Errorf("waiting %+v", w)
	}
	if l.held > 12<<10 {
		t.Errorf("%d bytes are in memory; near %d pending %d stored %v", l.held, l.near, len(l.pending), l.stored)
	}
	for n := range 1000 {
		p := l.pop()
		if want := payload(n).Body; string(p.Body[:len(want)]) != string(want) {
			t.Fatalf("%d is %s", n, p.Body[:10])
		}
		l.Done(p)
		if l.held > starvedWindows*10<<10+12<<10 {
			t.Fatalf("%d bytes are in memory", l.held)
		}
	}
}

// What leaves memory while older payloads are on their way back is not forgotten.
func TestSpillsDuringLoads(t *testing.T) {
	j := open(t, file(t), Options{WindowBytes: 20})
	l := lane(t, j, hookURL)
	bodies := l.put(5) // of which one leaves memory
	flush(t, j)
	l.Waiting()
	unblock := block(t, j)
	for !l.loading {
		p := l.pop()
		bodies = bodies[1:]
		l.Done(p)
	}
	bodies = append(bodies, l.put(1)...)
	l.pending[0].committed.Store(true) // as if the writer had done that first
	l.Waiting()
	if len(l.pending) != 0 {
		t.Fatal("the new one is still in memory")
	}
	unblock()
	flush(t, j)
	var got []string
	for l.Waiting().Payloads > 0 {
		p := l.pop()
		got = append(got, string(p.Body))
		l.Done(p)
	}
	want(t, "order", got, bodies)
}

// If all that is in memory is held back by one payload, others are fetched.
func TestStarvedWindows(t *testing.T) {
	j := open(t, file(t), Options{WindowBytes: 100})
	l := lane(t, j, hookURL)
	for n := range 100 {
		p := payload(n)
		p.Channels = []uint64{1}
		if n == 99 {
			p.Channels = []uint64{2}
		}
		l.Put(p)
	}
	first := l.pop()
	first.Failures, first.Due = 1, time.Now().Add(time.Hour)
	l.Put(first)
	want(t, "another channel", string(l.pop().Body), "body 99")
}
