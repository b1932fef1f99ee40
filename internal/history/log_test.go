package history

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
)

var errBroken = errors.New("the disk is full")

// fakeStore is a database in memory that can be told to fail or to hang.
type fakeStore struct {
	mu      sync.Mutex
	broken  bool
	hang    chan struct{} // write waits until it is closed; nil: it does not
	names   []string
	batches int
	tries   int
	trims   int
	closed  int
}

func (s *fakeStore) set(change func(*fakeStore)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *fakeStore) remote() bool               { return false }
func (s *fakeStore) open(context.Context) error { return nil }

func (s *fakeStore) write(ctx context.Context, b *batch) error {
	s.mu.Lock()
	hang := s.hang
	s.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries++
	if s.broken {
		return errBroken
	}
	s.batches++
	for _, e := range b.events {
		s.names = append(s.names, e.name)
	}
	return nil
}

func (s *fakeStore) page(context.Context, *span) ([]row, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return nil, errBroken
	}
	return make([]row, len(s.names)), nil
}

func (s *fakeStore) trim(context.Context, time.Time, limitsOf) ([]trimmed, error) {
	s.set(func(s *fakeStore) { s.trims++ })
	return nil, nil
}

func (s *fakeStore) close() error {
	s.set(func(s *fakeStore) { s.closed++ })
	return nil
}

// bubble runs test in fake time with a log that runs.
func bubble(t *testing.T, test func(t *testing.T, f *fixture, s *fakeStore), change ...func(*Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{}
		f := newFixture(t, s, change...)
		f.run()
		test(t, f, s)
	})
}

func (f *fixture) wantLogged(message string, times int) {
	f.t.Helper()
	if got := len(f.capture.Find(message)); got != times {
		f.t.Errorf("%q is logged %d times, want %d:\n%s", message, got, times, f.capture)
	}
}

const (
	failsMessage = "history cannot be written, events wait"
	worksMessage = "history is written again"
	losesMessage = "history loses events: too many wait for the database"
	calmMessage  = "history loses no events any more"
)

func TestGroupCommit(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture, s *fakeStore) {
		want := func(batches int, last string, events int) {
			t.Helper()
			synctest.Wait()
			s.set(func(s *fakeStore) {
				if s.batches != batches || len(s.names) != events || events > 0 && s.names[events-1] != last {
					t.Errorf("%d events in %d transactions, want %d in %d", len(s.names), s.batches, events, batches)
				}
			})
		}
		for i := range 100 {
			f.append("c", fmt.Sprint(i), "")
			if i%50 == 49 {
				time.Sleep(gatherFor / 4)
			}
		}
		want(0, "", 0)
		time.Sleep(gatherFor)
		want(1, "99", 100)
		for i := range 10_000 {
			f.append("c", fmt.Sprint(i), "")
		}
		time.Sleep(gatherFor)
		want(4, "9999", 10_100)
		if got := f.metric("events_written_total", "app=1"); got != 10_100 {
			t.Errorf("%v counted", got)
		}
		f.close()
	})
}

// Whoever asks for a page sees what was appended before, without waiting for the
// rest of the time in which events gather.
func TestPagesHaveWhatWasAppendedBefore(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture, _ *fakeStore) {
		for i := range 3 {
			f.append("c", "e", "")
			began := time.Now()
			if got := len(f.page("c").Events); got != i+1 {
				t.Errorf("%d events after %d", got, i+1)
			}
			if took := time.Since(began); took > 0 {
				t.Errorf("it took %v", took)
			}
		}
		f.close()
	})
}

func TestFailingDatabases(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture, s *fakeStore) {
		s.set(func(s *fakeStore) { s.broken = true })
		began := time.Now()
		for i := range 1000 {
			f.append("c", fmt.Sprint(i), "")
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("appending took %v", took)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		f.wantLogged(failsMessage, 1)
		if s.tries < 700 || s.tries > 1600 { // a pause of 2.5 to 5 s between them
			t.Errorf("%d attempts in an hour", s.tries)
		}
		if got := f.metric("write_failures_total"); got != float64(s.tries) {
			t.Errorf("%v failures counted of %d", got, s.tries)
		}
		_, err := f.log.Page(t.Context(), *query("c"))
		if !errors.Is(err, hub.ErrHistoryUnavailable) || !errors.Is(err, errBroken) {
			t.Errorf("page: %v", err)
		}
		f.wantLogged("history cannot be read", 1)
		if took := time.Since(began); took != time.Hour {
			t.Errorf("a page waited %v for a database that fails", took-time.Hour)
		}
		s.set(func(s *fakeStore) { s.broken = false })
		time.Sleep(lastPause)
		synctest.Wait()
		f.wantLogged(worksMessage, 1)
		if len(s.names) != 1000 || s.names[999] != "999" || f.metric("events_lost_total") != 0 {
			t.Errorf("%d written, %v lost", len(s.names), f.metric("events_lost_total"))
		}
		f.page("c")
		f.wantLogged("history can be read again", 1)
		f.close()
	})
}

// A database that hangs holds up nobody; what finds no room is lost and counted,
// and the memory is free again later.
func TestOverflow(t *testing.T) {
	const room = 1000
	size := len(protocol.Event{Channel: "c", Name: "0000", Data: protocol.Payload(`""`)}.Encode()) + recordBytes
	bubble(t, func(t *testing.T, f *fixture, s *fakeStore) {
		hang := make(chan struct{})
		s.set(func(s *fakeStore) { s.hang = hang })
		for i := range room {
			f.append("c", fmt.Sprintf("%04d", i), "")
		}
		time.Sleep(time.Minute) // the first batch is on its way
		for i := range 10 * room {
			f.append("c", fmt.Sprintf("%04d", i%room), "")
		}
		if got := f.metric("events_lost_total", "app=1", "reason=overflow"); got != 10*room {
			t.Errorf("%v lost, want %d", got, 10*room)
		}
		if events, bytes := f.metric("buffer_events"), f.metric("buffer_bytes"); events != room || bytes != float64(room*size) {
			t.Errorf("%v events of %v bytes wait", events, bytes)
		}
		close(hang)
		s.set(func(s *fakeStore) { s.hang = nil })
		synctest.Wait()
		f.wantLogged(losesMessage, 1)
		f.wantLogged(calmMessage, 0)
		for i := range room {
			f.append("c", fmt.Sprint(i), "")
		}
		time.Sleep(calm + 2*trimEvery)
		synctest.Wait()
		f.wantLogged(losesMessage, 1)
		f.wantLogged(calmMessage, 1)
		if len(s.names) != 2*room || f.metric("buffer_bytes") != 0 {
			t.Errorf("%d written, %v bytes wait", len(s.names), f.metric("buffer_bytes"))
		}
		f.close()
	}, func(o *Options) { o.BufferBytes = room * size })
}

func TestClose(t *testing.T) {
	t.Run("everything is written", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture, s *fakeStore) {
			for i := range 5000 {
				f.append("c", fmt.Sprint(i), "")
			}
			f.close()
			f.append("c", "late", "")
			if len(s.names) != 5000 || s.closed != 1 || f.metric("events_lost_total", "reason=closed") != 1 {
				t.Errorf("%d written, closed %d times, %v lost", len(s.names), s.closed, f.metric("events_lost_total"))
			}
		})
	})
	t.Run("a database that works again meanwhile", func(t *testing.T) {
		bubble(t, func(t *testing.T, f *fixture, s *fakeStore) {
			s.set(func(s *fakeStore) { s.broken = true })
			f.append("c", "a", "")
			time.Sleep(time.Minute)
			time.AfterFunc(5*time.Second, func() { s.set(func(s *fakeStore) { s.broken = false }) })
			f.close()
			if len(s.names) != 1 {
				t.Errorf("%d written", len(s.names))
			}
		})
	})
	t.Run("what is left is told and counted", func(t *testing.T) {
		for name, change := range map[string]func(*fakeStore){
			"a database that fails": func(s *fakeStore) { s.broken = true },
			"a database that hangs": func(s *fakeStore) { s.hang = make(chan struct{}) },
		} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T, f *fixture, s *fakeStore) {
					s.set(change)
					for i := range 5000 {
						f.append("c", fmt.Sprint(i), "")
					}
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					began := time.Now()
					err := f.log.Close(ctx)
					if err == nil || !strings.Contains(err.Error(), "5000 events") || time.Since(began) != time.Minute {
						t.Errorf("after %v: %v", time.Since(began), err)
					}
					if got := f.metric("events_lost_total", "reason=stopped"); got != 5000 || s.closed != 1 {
						t.Errorf("%v lost, closed %d times", got, s.closed)
					}
				})
			})
		}
	})
	t.Run("before Run", func(t *testing.T) {
		s := &fakeStore{}
		f := newFixture(t, s)
		f.append("c", "a", "")
		if err := f.log.Close(t.Context()); err == nil || f.metric("events_lost_total", "reason=stopped") != 1 {
			t.Errorf("error %v", err)
		}
		if err := f.log.Run(t.Context()); err != nil || s.closed != 1 || len(s.names) > 0 {
			t.Errorf("%v, closed %d times, %d written", err, s.closed, len(s.names))
		}
	})
}

func TestRunIsAborted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &fakeStore{broken: true}
		f := newFixture(t, s)
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- f.log.Run(ctx) }()
		f.append("c", "a", "")
		time.Sleep(time.Minute)
		f.append("c", "b", "")
		cancel(errBroken)
		if err := <-ended; !errors.Is(err, errBroken) {
			t.Errorf("error %v", err)
		}
		f.append("c", "c", "")
		if stopped, closed := f.metric("events_lost_total", "reason=stopped"), f.metric("events_lost_total", "reason=closed"); stopped != 2 || closed != 1 {
			t.Errorf("%v and %v lost", stopped, closed)
		}
	})
}

func TestTrimmingIsRegular(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture, s *fakeStore) {
		f.append("c", "e", "")
		time.Sleep(time.Minute + gatherFor)
		synctest.Wait()
		if s.trims < 59 || s.trims > 61 {
			t.Errorf("%d trims in a minute", s.trims)
		}
		f.close()
	})
}

// Events that come all the time do not keep those from going that have to go.
func TestTrimmingUnderLoad(t *testing.T) {
	f := newFixture(t, sqliteFile(t), func(o *Options) { o.BufferBytes = 2 << 20 })
	f.limit("1", func(h *apps.History) { h.MaxBytes = 1 << 20 })
	f.run()
	deadline := time.Now().Add(2 * time.Second)
	n := 0
	for time.Now().Before(deadline) {
		f.append(fmt.Sprint("c", n%100), "e", strings.Repeat("x", 1000))
		if n++; n%256 == 0 {
			runtime.Gosched()
		}
	}
	f.waitSettled()
	stored := func() float64 { return f.metric("events_written_total") - f.metric("events_expired_total") }
	const most = 1 << 20 / (rowBytes + 1000)
	testkit.WaitFor(t, func() bool { return stored() <= most }, "the room to be what it may be")
	f.close()
	if got := f.metric("stored_bytes", "app=1"); stored() < most-10 || got > 1<<20 || got < 1<<20-2000 {
		t.Errorf("%v events of %v bytes are left", stored(), got)
	}
	if written, lost := f.metric("events_written_total"), f.metric("events_lost_total"); written+lost != float64(n) {
		t.Errorf("of %d events %v were written and %v lost", n, written, lost)
	}
}

// Appending takes no memory but now and then a chunk, however many shards append.
func TestAllocations(t *testing.T) {
	f := newFixture(t, &fakeStore{})
	a := hub.Accepted{App: f.registry.ByID("1"), Channel: "c", Frame: protocol.Event{Channel: "c", Name: "e", Data: protocol.Payload(`""`)}.Encode()}
	var taken []*chunk
	n := 0
	got := testing.AllocsPerRun(10_000, func() {
		f.log.Append(a)
		if n++; n%1024 == 0 {
			taken = f.log.buffer.take(taken[:0], 16)
			f.log.buffer.done(taken)
		}
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestConcurrentAppends(t *testing.T) {
	s := &fakeStore{}
	f := newFixture(t, s)
	f.run()
	var publishers sync.WaitGroup
	for p := range 8 {
		publishers.Go(func() {
			for i := range 5000 {
				f.append(fmt.Sprint("c", p), fmt.Sprintf("%d %d", p, i), "")
			}
		})
	}
	publishers.Wait()
	f.close()
	next := make([]int, 8)
	for _, name := range s.names {
		var p, i int
		if _, err := fmt.Sscan(name, &p, &i); err != nil || i != next[p] {
			t.Fatalf("%s, %v; want %d", name, err, next[p])
		}
		next[p]++
	}
	if len(s.names) != 40_000 {
		t.Errorf("%d written", len(s.names))
	}
}

func TestUnreadableFrames(t *testing.T) {
	bubble(t, func(t *testing.T, f *fixture, s *fakeStore) {
		f.append("c", "a", "")
		f.log.Append(hub.Accepted{App: f.registry.ByID("1"), Channel: "c", Frame: protocol.PingFrame()})
		f.append("c", "b", "")
		f.close()
		if strings.Join(s.names, " ") != "a b" || f.metric("events_lost_total", "reason=unreadable") != 1 {
			t.Errorf("written %q, %v lost", s.names, f.metric("events_lost_total"))
		}
	})
}

func TestMetricsAreRegisteredOnce(t *testing.T) {
	f := newFixture(t, &fakeStore{})
	if _, err := newLog(Options{Registry: f.registry, Metrics: f.metrics}, &fakeStore{}); err == nil {
		t.Error("registered twice")
	}
}
