package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/hub"
)

// Options are the settings of a [Log].
type Options struct {
	Registry *apps.Registry // required: whose events are kept, and for how long

	// One of the two: the file of an SQLite database, which is made if need be, in a
	// directory that exists; or the URL of a PostgreSQL database.
	File string
	URL  string

	BufferBytes int              // events that wait for the database; 0: 32 MiB
	Log         *slog.Logger     // nil: nothing is logged
	Metrics     Registerer       // nil: not registered
	Now         func() time.Time // nil: time.Now
}

// Log is the history of all apps. Append and Page may be called concurrently;
// Open, Run and Close once each.
type Log struct {
	// set by New, immutable
	registry *apps.Registry
	log      *slog.Logger
	now      func() time.Time
	metrics  *logMetrics
	buffer   *buffer
	store    store
	closing  chan struct{} // closed by Close
	ended    chan struct{} // closed when Run returns

	opened      atomic.Bool // the store; set by Open and Run
	failing     atomic.Bool // the last attempt to write failed; set by Run
	readFailing atomic.Bool // the last page failed

	mu     sync.Mutex
	sealed bool               // by Close
	abort  context.CancelFunc // of Run, nil before
	left   int                // events that Run could not write
}

var (
	_ hub.SharedEventLog = (*Log)(nil)
	_ hub.History        = (*Log)(nil)
)

// New returns a log, without touching its database. It fails if the URL is none
// of a PostgreSQL database, or if its metrics are registered already.
func New(o Options) (*Log, error) {
	var s store = &sqliteStore{path: o.File}
	if o.URL != "" {
		var err error
		if s, err = newPostgresStore(o.URL); err != nil {
			return nil, err
		}
	}
	return newLog(o, s)
}

func newLog(o Options, s store) (*Log, error) {
	l := &Log{
		registry: o.Registry,
		log:      o.Log,
		now:      o.Now,
		metrics:  newMetrics(),
		store:    s,
		closing:  make(chan struct{}),
		ended:    make(chan struct{}),
	}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	l.buffer = newBuffer(cmp.Or(o.BufferBytes, 32<<20))
	if o.Metrics != nil {
		if err := l.metrics.register(o.Metrics, l.buffer); err != nil {
			return nil, fmt.Errorf("register history metrics: %w", err)
		}
	}
	return l, nil
}

// Open opens a database that is a file, if an app has history, so that one that
// cannot be opened is known before anything is served. PostgreSQL is left to Run:
// it may be away and come back.
func (l *Log) Open(ctx context.Context) error {
	if l.store.remote() || !l.needed() {
		return nil
	}
	return l.open(ctx)
}

// needed reports whether some app has history.
func (l *Log) needed() bool {
	for _, app := range l.registry.All() {
		if app.History.Enabled() {
			return true
		}
	}
	return false
}

// open opens the store, if it is not open yet.
func (l *Log) open(ctx context.Context) error {
	if l.opened.Load() {
		return nil
	}
	if err := l.store.open(ctx); err != nil {
		return fmt.Errorf("open history: %w", err)
	}
	l.opened.Store(true)
	return nil
}

// Append implements [hub.EventLog]. Once Close was called it only counts.
func (l *Log) Append(a hub.Accepted) {
	if reason := l.buffer.put(a, l.now().UnixMilli()); reason != "" {
		l.metrics.lose(a.App.ID, reason, 1)
	}
}

// Settle implements [hub.SharedEventLog]. It takes 500 ms at most, and nothing while
// the database does not answer.
func (l *Log) Settle() {
	if !l.failing.Load() {
		l.buffer.settle(context.Background(), settleTimeout)
	}
}

// Time limits of the answer to a query: of the wait for what was appended before
// it, and of the whole.
const (
	settleTimeout = 500 * time.Millisecond
	pageTimeout   = 5 * time.Second
)

// Page implements [hub.History].
func (l *Log) Page(ctx context.Context, q hub.HistoryQuery) (hub.HistoryPage, error) {
	query, err := newSpan(q)
	if err != nil {
		return hub.HistoryPage{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	if !l.failing.Load() {
		l.buffer.settle(ctx, settleTimeout)
	}
	if !l.opened.Load() {
		return hub.HistoryPage{}, fmt.Errorf("%w: the database is not open yet", hub.ErrHistoryUnavailable)
	}
	rows, err := l.store.page(ctx, query)
	l.noteRead(err)
	if err != nil {
		return hub.HistoryPage{}, fmt.Errorf("%w: %w", hub.ErrHistoryUnavailable, err)
	}
	return query.pageOf(rows), nil
}

// noteRead tells once that queries fail, and once that they work again. A client
// that has gone away is no failure.
func (l *Log) noteRead(err error) {
	failed := err != nil
	if failed {
		l.metrics.readFailures.Inc()
	}
	if errors.Is(err, context.Canceled) || l.readFailing.Swap(failed) == failed {
		return
	}
	if failed {
		l.log.Error("history cannot be read", "error", err)
		return
	}
	l.log.Info("history can be read again")
}

// pageBytes bounds what a page holds, unless its first event alone is larger: a
// full page of the largest default events would be 20 MiB.
const pageBytes = 4 << 20

// pageOf makes a page of rows, of which there may be one more than asked for.
func (s *span) pageOf(rows []row) hub.HistoryPage {
	var page hub.HistoryPage
	size := 0
	for i := range rows {
		size += len(rows[i].data)
		if i == s.limit || i > 0 && size > pageBytes {
			page.Next = rows[i-1].position().String()
			break
		}
		page.Events = append(page.Events, rows[i].event())
	}
	return page
}

func (r *row) event() hub.PastEvent {
	return hub.PastEvent{
		ID:       strconv.FormatInt(r.id, 10),
		Time:     time.UnixMilli(r.timeMS),
		Name:     r.name,
		Data:     r.data,
		SocketID: r.socketID,
		UserID:   r.userID,
	}
}
