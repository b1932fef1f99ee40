package webhook

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
)

// attemptList keeps attempts in memory.
type attemptList struct {
	mu  sync.Mutex
	all []Attempt
}

// LogAttempt implements [AttemptLog].
func (l *attemptList) LogAttempt(a Attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, a)
}

func (l *attemptList) list() []Attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}

// roundTrip is a function in the place of the network.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestAttemptsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		long := strings.Repeat("x", keptBytes)
		n := 0
		answer := func(req *http.Request) (*http.Response, error) {
			time.Sleep(20 * time.Millisecond)
			switch n++; n {
			case 1:
				return nil, errors.New("cannot " + strings.Repeat("x", 2*reportBytes))
			case 2:
				return &http.Response{StatusCode: http.StatusInternalServerError, Body: io.NopCloser(strings.NewReader(long + "y")), Request: req}, nil
			case 3:
				return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("thanks")), Request: req}, nil
			}
			<-req.Context().Done()
			return nil, req.Context().Err()
		}
		var log attemptList
		app := newApp("1", hook(), hook())
		app.Webhooks[0].Events = []string{}
		d := start(t, Options{Transport: roundTrip(answer), Attempts: &log})
		began := time.Now()
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "c", ""))
		time.Sleep(10 * time.Second)
		first, second := began.UnixMicro(), time.Now().UnixMicro()
		d.Emit(edgeNotice(app, hub.ChannelOccupied, "d", ""))
		synctest.Wait()
		stopped, cancel := contextThatEnded(t)
		defer cancel()
		_ = d.Close(stopped)

		got := log.list()
		if len(got) != 4 {
			t.Fatalf("logged %d attempts, want 4: %+v", len(got), got)
		}
		for i, want := range []Attempt{
			{Payload: first, Outcome: NotConnected, Error: "cannot " + strings.Repeat("x", reportBytes-len("cannot "))},
			{Payload: first, Outcome: Status5xx, Status: 500, Answer: []byte(long)},
			{Payload: first, Outcome: Delivered, Status: 200, Answer: []byte("thanks")},
			{Payload: second, Outcome: Aborted, Error: "context canceled"},
		} {
			a := got[i]
			if a.App != "1" || a.URL != hookURL || a.Nth != 1 {
				t.Errorf("attempt %d is of %s %s %d", i, a.App, a.URL, a.Nth)
			}
			if a.Payload != want.Payload || a.Outcome != want.Outcome || a.Status != want.Status ||
				string(a.Answer) != string(want.Answer) || a.Error != want.Error {
				t.Errorf("attempt %d\n got %+v\nwant %+v", i, a, want)
			}
			if i < 3 && a.Took != 20*time.Millisecond {
				t.Errorf("attempt %d took %v, want 20 ms", i, a.Took)
			}
		}
		if !got[0].Start.Equal(began) || got[1].Start.Sub(began) < 800*time.Millisecond {
			t.Errorf("attempts began at %v and %v", got[0].Start, got[1].Start)
		}
	})
}

// The first bytes of an answer are kept though it ends badly, and never more is
// read than without keeping them.
func TestAnswersThatAreKept(t *testing.T) {
	for name, c := range map[string]struct {
		body io.Reader
		want string
	}{
		"empty":    {strings.NewReader(""), ""},
		"cut off":  {io.MultiReader(strings.NewReader("so far"), brokenReader{}), "so far"},
		"endless":  {endlessReader{}, strings.Repeat("x", keptBytes)},
		"no UTF-8": {strings.NewReader("\xff\x00"), "\xff\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			var read int64
			s := &sender{keep: keptBytes, timeout: time.Minute, transport: roundTrip(func(req *http.Request) (*http.Response, error) {
				body := io.NopCloser(io.TeeReader(c.body, counter{&read}))
				return &http.Response{StatusCode: http.StatusOK, Body: body, Request: req}, nil
			})}
			a := s.post(t.Context(), samplePayload(hookURL))
			if a.outcome != Delivered || string(a.answer) != c.want {
				t.Errorf("ended %s, kept %q, want %q", a.outcome, a.answer, c.want)
			}
			if read > drainBytes+1 {
				t.Errorf("read %d bytes, want at most %d", read, drainBytes+1)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type endlessReader struct{}

func (endlessReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

type counter struct{ n *int64 }

func (c counter) Write(p []byte) (int, error) {
	*c.n += int64(len(p))
	return len(p), nil
}
