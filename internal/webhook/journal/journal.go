package journal

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/hub"
	"github.com/pipesocket/pipesocketd/internal/webhook"
)

const (
	// groupDelay is how long a change waits for others to be committed with it, at
	// most groupCount of them. A commit costs a flush of the disk.
	groupDelay = 5 * time.Millisecond
	groupCount = 512
	// lazyDelay is the same for changes whose loss costs at most a repetition.
	lazyDelay = 25 * time.Millisecond
	// stuckAfter is how long a commit may take until payloads are handed out without
	// waiting for it.
	stuckAfter = time.Second
	// starvedWindows bounds the window that everything is held back in.
	starvedWindows = 8
	// readAgain is how long payloads wait that could not be read.
	readAgain = 30 * time.Second
)

// Options are the settings of a [Journal]. Zero values work.
type Options struct {
	Log     *slog.Logger // nil: none
	Metrics Registerer   // nil: not registered

	MaxBytes    int64         // waiting in all queues together; 0: 4 GiB
	MaxAge      time.Duration // of what waits, from its sealing on; 0: 72 h
	DeadBytes   int64         // dead letters; 0: 256 MiB
	DeadAge     time.Duration // of dead letters, from giving up on; 0: 7 days
	AttemptAge  time.Duration // how long attempts are kept; 0: 24 h
	MaxAttempts int64         // how many attempts are kept; 0: 200,000

	WindowBytes int // of each queue in memory; 0: 1 MiB
	BufferBytes int // changes that wait for the disk; of each queue while that fails; 0: 64 MiB
}

func (o Options) withDefaults() Options {
	o.MaxBytes = cmp.Or(o.MaxBytes, 4<<30)
	o.MaxAge = cmp.Or(o.MaxAge, 72*time.Hour)
	o.DeadBytes = cmp.Or(o.DeadBytes, 256<<20)
	o.DeadAge = cmp.Or(o.DeadAge, 7*24*time.Hour)
	o.AttemptAge = cmp.Or(o.AttemptAge, 24*time.Hour)
	o.MaxAttempts = cmp.Or(o.MaxAttempts, 200_000)
	o.WindowBytes = cmp.Or(o.WindowBytes, 1<<20)
	o.BufferBytes = cmp.Or(o.BufferBytes, 64<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Journal is the journal of a server. Its methods may be called concurrently,
// but Close only once all queues are out of use.
type Journal struct {
	// Set by Open, immutable.
	o       Options
	db      *sql.DB
	metrics *metrics
	writer  *writer

	// Capacity 1, never closed: there is a due, or an earlier one; requests to load.
	planned, load chan struct{}
	stop          chan struct{} // closed by Close
	ended         chan struct{} // closed by the writer

	fault     atomic.Pointer[string] // why the last commit was not made, nil if it was
	busySince atomic.Int64           // Unix nanoseconds: when a commit began that has not ended, or 0
	retained  atomic.Int64           // bytes of what the last commit should have written
	waiting   atomic.Int64           // bytes in all queues
	deadCount atomic.Int64
	deadBytes atomic.Int64

	mu        sync.Mutex
	closed    bool
	due       time.Time // when next is to be written; zero: it is empty
	urgent    bool      // there is something in next that payloads wait for
	seq       int64
	next      buffer
	spare     buffer // next after the next take: the one that was written last
	asking    []*queue
	endpoints map[endpointKey]*endpoint
	told      []hub.Edge
}

var (
	_ webhook.Journal    = (*Journal)(nil)
	_ webhook.AttemptLog = (*Journal)(nil)
)

// Open opens the journal in a file, or makes one, and starts its writer. The
// directory must exist, and no other process may use the file.
func Open(ctx context.Context, path string, o Options) (*Journal, error) {
	j := &Journal{
		o:         o.withDefaults(),
		planned:   make(chan struct{}, 1),
		load:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
		ended:     make(chan struct{}),
		endpoints: make(map[endpointKey]*endpoint),
	}
	j.metrics = newMetrics(j.unsafe)
	if err := j.open(ctx, path); err != nil {
		return nil, err
	}
	go j.writer.run() //nolint:contextcheck // it outlives the call; Close ends it
	return j, nil
}

// Told implements [webhook.Journal].
func (j *Journal) Told() []hub.Edge {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := j.told
	j.told = nil
	return all
}

// Faults tells what keeps the journal from writing; nothing if all is well.
func (j *Journal) Faults() []string {
	if text := j.fault.Load(); text != nil {
		return []string{"webhooks cannot be written to disk: " + *text}
	}
	if j.stuck() {
		return []string{"webhooks cannot be written to disk: it does not answer"}
	}
	return nil
}

// unsafe reports whether payloads have to go on without being committed.
func (j *Journal) unsafe() bool { return j.fault.Load() != nil || j.stuck() }

// stuck reports whether the disk does not answer.
func (j *Journal) stuck() bool {
	since := j.busySince.Load()
	return since != 0 && time.Now().UnixNano()-since >= int64(stuckAfter)
}

// wakeAll lets every lane see a change of the journal's state.
func (j *Journal) wakeAll() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, e := range j.endpoints {
		if e.queue != nil {
			e.queue.spec.Wake()
		}
	}
}

// Close commits what there is and closes the file. If the disk does not let it
// until ctx ends, it returns an error.
func (j *Journal) Close(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	close(j.stop)
	select {
	case <-j.ended:
		return j.writer.left
	case <-ctx.Done():
		return fmt.Errorf("close webhook journal: %w", context.Cause(ctx))
	}
}
