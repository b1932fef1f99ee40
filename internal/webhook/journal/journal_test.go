package journal

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/protocol"
	"github.com/pipesocket/pipesocketd/internal/testkit"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

const hookURL = "https://user:secret@hooks.example/in?token=secret"

// file returns the name of a journal that does not exist yet.
func file(tb testing.TB) string {
	tb.Helper()
	return filepath.Join(tb.TempDir(), "webhooks.db")
}

// open opens a journal until the end of the test.
func open(tb testing.TB, path string, o Options) *Journal {
	tb.Helper()
	j, err := Open(tb.Context(), path, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if j != nil && !closedAlready(j) {
			_ = j.Close(context.Background()) //nolint:usetesting // the context of the test has ended
		}
	})
	return j
}

func closedAlready(j *Journal) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}

func shut(tb testing.TB, j *Journal) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	if err := j.Close(ctx); err != nil {
		tb.Fatal(err)
	}
}

// flush returns when all that was handed over before is committed.
func flush(tb testing.TB, j *Journal) {
	tb.Helper()
	if err := j.settle(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// crash copies what a journal has on disk, as another process would find it, and
// returns the name of the copy.
func crash(tb testing.TB, path string) string {
	tb.Helper()
	to := file(tb)
	for _, suffix := range []string{"", "-wal"} { // in this order the copy has a state that was
		copyFile(tb, path+suffix, to+suffix)
	}
	return to
}

func copyFile(tb testing.TB, from, to string) {
	tb.Helper()
	src, err := os.Open(from)
	if err != nil {
		tb.Fatal(err)
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatal(err)
	}
	defer dst.Close()
	if _, err := io.Copy(dst, src); err != nil {
		tb.Fatal(err)
	}
}

// laneOf is a queue and what its lane would do.
type laneOf struct {
	*queue
	tb      testing.TB
	wake    chan struct{}
	dropped map[webhook.DropReason]int
	n       int
}

func lane(tb testing.TB, j *Journal, url string) *laneOf {
	tb.Helper()
	return laneFor(tb, j, webhook.QueueSpec{App: "1", URL: url, MaxBytes: 1 << 30})
}

func laneFor(tb testing.TB, j *Journal, spec webhook.QueueSpec) *laneOf {
	tb.Helper()
	l := &laneOf{tb: tb, wake: make(chan struct{}, 1), dropped: make(map[webhook.DropReason]int)}
	spec.Label = "https://hooks.example/in"
	spec.Wake = func() { signal(l.wake) }
	spec.Dropped = func(reason webhook.DropReason, events int) { l.dropped[reason] += events }
	spec.Reseal = func(p *webhook.Payload) {
		p.TimeMS, p.Signature = time.Now().UnixMilli(), "new"
	}
	l.queue = j.OpenQueue(spec).(*queue)
	return l
}

// payload returns a payload with one event of one channel.
func payload(n int) *webhook.Payload {
	return &webhook.Payload{
		App: "1", URL: hookURL, Key: "key", Signature: fmt.Sprint("signature ", n), TimeMS: time.Now().UnixMilli(),
		Events: 1, Body: fmt.Appendf(nil, "body %d", n), Channels: []uint64{uint64(n)},
	}
}

// put puts so many new payloads and returns their bodies.
func (l *laneOf) put(count int) (bodies []string) {
	for range count {
		l.n++
		p := payload(l.n)
		bodies = append(bodies, string(p.Body))
		l.Put(p)
	}
	return bodies
}

// pop waits until a payload is handed out.
func (l *laneOf) pop() (p *webhook.Payload) {
	l.tb.Helper()
	l.until(func() bool {
		p = l.Pop(time.Now(), webhook.TurnFirst|webhook.TurnRetry)
		return p != nil
	})
	return p
}

func (l *laneOf) until(cond func() bool) {
	l.tb.Helper()
	deadline := time.After(10 * time.Second)
	for !cond() {
		select {
		case <-l.wake:
		case <-deadline:
			l.tb.Fatalf("waited in vain; %+v", l.Waiting())
		}
	}
}

// all takes everything out, without ending it, and returns the bodies.
func (l *laneOf) all() (bodies []string) {
	l.tb.Helper()
	for l.Waiting().Payloads > 0 {
		bodies = append(bodies, string(l.pop().Body))
	}
	return bodies
}

func want[T any](tb testing.TB, what string, got, want T) {
	tb.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		tb.Errorf("%s\n got %v\nwant %v", what, got, want)
	}
}

func edgeOf(channel string) hub.Edge {
	return hub.Edge{App: apps.ID("1"), Channel: protocol.ChannelName(channel)}
}

func TestMain(m *testing.M) {
	if path := os.Getenv(writeForever); path != "" {
		writeUntilKilled(path)
		return
	}
	testkit.Main(m)
}
