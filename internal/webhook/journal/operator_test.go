package journal

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/webhook"
)

// bury makes dead letters of the next payloads of a lane.
func (l *laneOf) bury(count int) (ids []int64) {
	l.tb.Helper()
	for range count {
		p := l.pop()
		p.Failures = 3
		ids = append(ids, p.ID)
		l.Dead(p, webhook.DropExpired)
	}
	return ids
}

func ids(entries []Entry) (all []int64) {
	for _, e := range entries {
		all = append(all, e.ID)
	}
	return all
}

func list(t *testing.T, j *Journal, f Filter, p Page) []Entry {
	t.Helper()
	flush(t, j)
	entries, err := j.List(t.Context(), f, p)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestList(t *testing.T) {
	j := open(t, file(t), Options{})
	l := lane(t, j, hookURL)
	other := laneFor(t, j, webhook.QueueSpec{App: "2", URL: "https://other.example/", MaxBytes: 1 << 20})
	began := time.Now()
	l.put(3)
	dead := l.bury(1)
	between := time.Now()
	clockAfter(t, between) // so that the next id is in a later microsecond
	other.put(2)
	all := ids(list(t, j, Filter{}, Page{}))
	want(t, "all", len(all), 5)
	for name, c := range map[string]struct {
		filter Filter
		page   Page
		want   []int64
	}{
		"of an app":              {Filter{App: "2"}, Page{}, all[3:]},
		"of an endpoint":         {Filter{Endpoint: hookURL}, Page{}, all[:3]},
		"of an endpoint, public": {Filter{Endpoint: "https://hooks.example/in", App: "1"}, Page{}, all[:3]},
		"dead":                   {Filter{State: Dead}, Page{}, dead},
		"waiting":                {Filter{State: Waiting}, Page{}, all[1:]},
		"from":                   {Filter{From: between}, Page{}, all[3:]},
		"to":                     {Filter{To: between}, Page{}, all[:3]},
		"before all":             {Filter{To: began}, Page{}, nil},
		"by id":                  {Filter{IDs: []int64{all[4], all[2], 5}}, Page{}, []int64{all[2], all[4]}},
		"first page":             {Filter{}, Page{Limit: 2}, all[:2]},
		"second page":            {Filter{}, Page{Limit: 2, After: all[1]}, all[2:4]},
		"dead, no page left":     {Filter{State: Dead}, Page{After: dead[0]}, nil},
		"of nobody":              {Filter{App: "3"}, Page{}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			want(t, "ids", ids(list(t, j, c.filter, c.page)), c.want)
		})
	}
	e := list(t, j, Filter{State: Dead}, Page{})[0]
	if e.App != "1" || e.Endpoint != "https://hooks.example/in" || e.State != Dead || e.Reason != "expired" || e.Failures != 3 ||
		e.Events != 1 || e.Bytes != len("body 1") || e.Died.Before(e.Sealed) || time.Since(e.Sealed) > time.Minute {
		t.Errorf("dead letter %+v", e)
	}
}

// clockAfter returns when the clock shows a later microsecond.
func clockAfter(t *testing.T, at time.Time) {
	t.Helper()
	for time.Now().UnixMicro() <= at.UnixMicro() {
		if t.Context().Err() != nil {
			t.Fatal("the clock stands still")
		}
	}
}

func TestShow(t *testing.T) {
	j := open(t, file(t), Options{})
	l := lane(t, j, hookURL)
	l.put(1)
	p := l.pop()
	start := time.Now().Truncate(time.Millisecond)
	l.j.LogAttempt(webhook.Attempt{
		App: "1", URL: hookURL, Payload: p.ID, Start: start, Took: 1500 * time.Microsecond,
		Outcome: webhook.Status5xx, Status: 503, Answer: []byte("busy"),
	})
	l.j.LogAttempt(webhook.Attempt{App: "1", URL: hookURL, Payload: p.ID, Start: start, Outcome: webhook.TimedOut, Error: "slow"})
	flush(t, j)
	d, err := j.Show(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "body", string(d.Body), "body 1")
	want(t, "attempts", fmt.Sprintf("%+v", d.Attempts), fmt.Sprintf("%+v", []Attempt{
		{p.ID, "1", "https://hooks.example/in", start, 1500 * time.Microsecond, "http_5xx", 503, []byte("busy"), ""},
		{p.ID, "1", "https://hooks.example/in", start, 0, "timeout", 0, []byte{}, "slow"},
	}))
	l.Done(p)
	flush(t, j)
	if d, err = j.Show(t.Context(), p.ID); err != nil || d.Entry != nil || len(d.Attempts) != 2 {
		t.Errorf("after delivery %+v, %v, want its two attempts", d, err)
	}
	if _, err = j.Show(t.Context(), 5); !errors.Is(err, ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

func TestReplay(t *testing.T) {
	for name, window := range map[string]int{"all in memory": 1 << 20, "most on disk": 20} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			j := open(t, path, Options{WindowBytes: window})
			l := lane(t, j, hookURL)
			bodies := l.put(6)
			dead := l.bury(3)
			n, err := j.Replay(t.Context(), Filter{IDs: dead[1:]})
			if n != 2 || err != nil {
				t.Fatalf("replayed %d, %v", n, err)
			}
			l.n = 10
			bodies = append(bodies[3:6:6], bodies[1], bodies[2], l.put(1)[0])
			flush(t, j)
			copied := crash(t, path)
			want(t, "order", l.all(), bodies)
			want(t, "dead", ids(list(t, j, Filter{State: Dead}, Page{})), dead[:1])
			l = lane(t, open(t, copied, Options{}), hookURL)
			want(t, "order after a crash", l.all(), bodies)
		})
	}
}

// A payload is sealed anew when it is replayed, and then keeps its seal.
func TestReplayedPayloadsAreSealedAnew(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l := lane(t, j, hookURL)
	old := payload(1)
	old.TimeMS -= time.Hour.Milliseconds()
	l.Put(old)
	id := l.bury(1)[0]
	if n, err := j.Replay(t.Context(), Filter{App: "1", State: Dead}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	p := l.pop()
	if p.ID != id || p.TimeMS <= old.TimeMS || p.Signature != "new" || p.Failures != 0 {
		t.Errorf("got %+v", p)
	}
	sealed := p.TimeMS
	flush(t, j)
	p = lane(t, open(t, crash(t, path), Options{}), hookURL).pop()
	if p.TimeMS != sealed || p.Signature != "new" {
		t.Errorf("after a crash %+v", p)
	}
}

// Dead letters of an endpoint that is not configured wait for it.
func TestReplayWithoutAnEndpoint(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	l := lane(t, j, hookURL)
	l.put(3)
	l.bury(2)
	shut(t, j)
	j = open(t, path, Options{})
	if n, err := j.Replay(t.Context(), Filter{Endpoint: hookURL}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	l = lane(t, j, hookURL)
	want(t, "order", l.all(), []string{"body 3", "body 1", "body 2"})
}

func TestDrop(t *testing.T) {
	for name, window := range map[string]int{"all in memory": 1 << 20, "most on disk": 20} {
		t.Run(name, func(t *testing.T) {
			path := file(t)
			j := open(t, path, Options{WindowBytes: window})
			l := lane(t, j, hookURL)
			l.put(8)
			dead := l.bury(1)
			out := l.pop()
			all := ids(list(t, j, Filter{}, Page{}))
			n, err := j.Drop(t.Context(), Filter{IDs: []int64{dead[0], out.ID, all[3], all[7]}})
			if n != 4 || err != nil {
				t.Fatalf("dropped %d, %v", n, err)
			}
			want(t, "listed", ids(list(t, j, Filter{}, Page{})), []int64{all[2], all[4], all[5], all[6]})
			want(t, "waiting", l.Waiting().Payloads, 4)
			out.Failures, out.Due = 1, time.Now()
			l.Put(out) // it was on its way when it was dropped
			want(t, "order", l.all(), []string{"body 3", "body 5", "body 6", "body 7"})
			l = lane(t, open(t, crash(t, path), Options{}), hookURL)
			want(t, "after a crash", l.all(), []string{"body 3", "body 5", "body 6", "body 7"})
		})
	}
}

func TestDropWithoutAnEndpoint(t *testing.T) {
	path := file(t)
	j := open(t, path, Options{})
	lane(t, j, hookURL).put(3)
	flush(t, j)
	shut(t, j)
	j = open(t, path, Options{})
	first := list(t, j, Filter{}, Page{})[0].ID
	if n, err := j.Drop(t.Context(), Filter{IDs: []int64{first}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	l := lane(t, j, hookURL)
	want(t, "waiting", l.Waiting().Payloads, 2)
	want(t, "order", l.all(), []string{"body 2", "body 3"})
}

func TestCommandsNeedASelection(t *testing.T) {
	j := open(t, file(t), Options{})
	if _, err := j.Drop(t.Context(), Filter{State: Waiting}); !errors.Is(err, ErrNoSelection) {
		t.Errorf("Drop: %v", err)
	}
	if _, err := j.Replay(t.Context(), Filter{}); !errors.Is(err, ErrNoSelection) {
		t.Errorf("Replay: %v", err)
	}
}

// A command on more payloads than one transaction takes.
func TestDropMany(t *testing.T) {
	j := open(t, file(t), Options{WindowBytes: 1000})
	l := lane(t, j, hookURL)
	l.put(2*commandCount + 10)
	flush(t, j)
	if n, err := j.Drop(t.Context(), Filter{App: "1"}); n != 2*commandCount+10 || err != nil {
		t.Fatal(n, err)
	}
	l.until(func() bool { return l.Waiting().Payloads == 0 })
	if w := l.Waiting(); w.Bytes != 0 || w.Events != 0 || j.waiting.Load() != 0 {
		t.Errorf("waiting %+v, %d bytes in all", w, j.waiting.Load())
	}
}
