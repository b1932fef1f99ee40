package hostile_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/test/conformance/hostile"
)

// How long the sender of these tests waits for what comes, and for what does not.
const (
	long  = 10 * time.Second
	short = 300 * time.Millisecond
)

func start(t *testing.T, plan hostile.Plan) *hostile.Receiver {
	t.Helper()
	r, err := hostile.Start("127.0.0.1:0", plan)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// post sends one request by Go's own client, which follows no redirects here.
// It returns what came of the body within the time.
func post(t *testing.T, transport http.RoundTripper, url string, within time.Duration) (status int, body string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	resp, err := transport.RoundTrip(request(ctx, t, url))
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return resp.StatusCode, "", nil
	}
	read, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	return resp.StatusCode, string(read), err
}

// Each behaviour looks to a sender as it is described.
func TestBehaviours(t *testing.T) {
	tests := map[hostile.Behaviour]struct {
		status  int
		timeout bool // waiting for the head or the body
		least   int  // bytes of body
		broken  bool // the body or, without a status, the answer
	}{
		hostile.Accept:         {status: 200},
		hostile.AcceptAndClose: {status: 200},
		hostile.SlowBody:       {status: 200, timeout: true, least: 1},
		hostile.HugeBody:       {status: 200, least: 8 << 20},
		hostile.BadChunks:      {status: 200, broken: true, least: 5},
		hostile.ShortBody:      {status: 200, broken: true, least: 5},
		hostile.Fail:           {status: 500, least: 7},
		hostile.Busy:           {status: 429},
		hostile.Redirect:       {status: 307},
		hostile.Upgrade:        {status: 101},
		hostile.Surplus:        {status: 500},
		hostile.Hang:           {timeout: true},
		hostile.SlowHead:       {timeout: true},
		hostile.HugeHead:       {broken: true},
		hostile.EndlessHint:    {broken: true},
		hostile.Garbage:        {broken: true},
		hostile.HalfAnswer:     {broken: true},
		hostile.CloseLate:      {broken: true},
		hostile.CloseEarly:     {broken: true},
		hostile.CloseAtOnce:    {broken: true},
	}
	for _, behaviour := range hostile.All() {
		t.Run(string(behaviour), func(t *testing.T) {
			want, ok := tests[behaviour]
			if !ok {
				t.Fatal("no expectation")
			}
			within := long
			if want.timeout {
				within = short
			}
			r := start(t, hostile.Always(behaviour))
			transport := &http.Transport{MaxResponseHeaderBytes: 64 << 10}
			defer transport.CloseIdleConnections()
			status, body, err := post(t, transport, r.URL(), within)
			timeout := errors.Is(err, context.DeadlineExceeded)
			if status != want.status || timeout != want.timeout || len(body) < want.least || (err != nil) != (want.broken || want.timeout) {
				t.Errorf("status %d, %d bytes, error %v; want %+v", status, len(body), err, want)
			}
			if behaviour.Delivers() != (want.status == http.StatusOK) {
				t.Errorf("Delivers is %t", behaviour.Delivers())
			}
			requests := r.Requests()
			if recorded := len(requests) == 1; recorded != behaviour.Records() {
				t.Fatalf("%d requests recorded", len(requests))
			}
			for _, got := range requests {
				if got.N != 1 || string(got.Body) != "hello" || got.Path != "/hook" || got.Behaviour != behaviour || got.Header.Get("Content-Length") == "" {
					t.Errorf("got %+v", got)
				}
			}
		})
	}
}

func TestPlans(t *testing.T) {
	for name, test := range map[string]struct {
		plan hostile.Plan
		want []hostile.Behaviour
	}{
		"always": {hostile.Always(hostile.Fail), []hostile.Behaviour{hostile.Fail, hostile.Fail, hostile.Fail}},
		"times":  {hostile.Times(2, hostile.Busy), []hostile.Behaviour{hostile.Busy, hostile.Busy, hostile.Accept}},
		"cycle":  {hostile.Cycle(hostile.Fail, hostile.Accept), []hostile.Behaviour{hostile.Fail, hostile.Accept, hostile.Fail}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, test.plan)
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for i, want := range test.want {
				if _, _, err := post(t, transport, r.URL(), long); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), long)
				got, err := r.Next(ctx)
				cancel()
				if err != nil || got.N != i+1 || got.Behaviour != want {
					t.Errorf("request %d: %+v, %v, want %s", i+1, got, err, want)
				}
			}
		})
	}
}

// Close ends whoever waits, and the address can be used again.
func TestClose(t *testing.T) {
	r := start(t, hostile.Always(hostile.Hang))
	failed := make(chan error, 1)
	go func() {
		_, err := (&http.Transport{}).RoundTrip(request(t.Context(), t, r.URL()))
		failed <- err
	}()
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.Close()
	r.Close()
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
	again, err := hostile.Start(strings.TrimSuffix(strings.TrimPrefix(r.URL(), "http://"), "/hook"), hostile.Always(hostile.Accept))
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := again.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func request(ctx context.Context, t *testing.T, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	return req
}
