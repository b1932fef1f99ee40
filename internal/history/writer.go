package history

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/pipesocket/pipesocketd/internal/apps"
	"github.com/pipesocket/pipesocketd/internal/protocol"
)

const (
	// gatherFor is how long the first event after a pause waits for others, and about
	// what a power cut can cost. At 5,000 events a second on a thousand channels the
	// history takes a third less CPU than with 10 ms: a page of the index is written
	// once for several of them. What comes during a transaction makes up the next.
	gatherFor = 50 * time.Millisecond

	// batchChunks bounds a transaction, to 4,096 events: beyond that they hardly
	// become cheaper.
	batchChunks = 16

	// trimEvery is how often events are looked for that have to go.
	trimEvery = time.Second

	// calm is how long no event may be lost before that is told.
	calm = 10 * time.Second

	// The pause between attempts to write doubles from the first to the last.
	firstPause, lastPause = 100 * time.Millisecond, 5 * time.Second
)

// Run writes what is appended, and trims, until Close has had everything written;
// then it returns nil, as it does at once after Close. The end of ctx aborts it:
// what has not been written is lost, and the cause is returned. The database is
// closed when it returns.
func (l *Log) Run(ctx context.Context) error {
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	if !l.begin(cancel) {
		return l.store.close()
	}
	defer close(l.ended)
	w := &writer{Log: l}
	w.run(running)
	if err := l.store.close(); err != nil {
		return fmt.Errorf("close history: %w", err)
	}
	return context.Cause(ctx)
}

func (l *Log) begin(abort context.CancelFunc) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sealed {
		close(l.ended)
		return false
	}
	l.abort = abort
	return true
}

// Close has everything written that was appended, and then ends Run. When ctx
// ends it gives up what is left, which is counted as lost and told by the error.
func (l *Log) Close(ctx context.Context) error {
	l.buffer.close()
	l.mu.Lock()
	l.sealed = true
	abort := l.abort
	l.mu.Unlock()
	close(l.closing)
	if abort == nil {
		(&writer{Log: l}).abandon() // Run has not begun, and will not
		return l.leftBehind()
	}
	select {
	case <-l.ended:
	case <-ctx.Done():
		abort()
		<-l.ended
	}
	return l.leftBehind()
}

func (l *Log) leftBehind() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left > 0 {
		return fmt.Errorf("%d events of the history were not written", l.left)
	}
	return nil
}

// writer is what the goroutine of Run owns.
type writer struct {
	*Log
	taken   []*chunk
	events  []event
	number  uint64 // of the last batch
	trimDue bool

	losing bool      // told so
	lostAt time.Time // when losses were last seen
}

func (w *writer) run(ctx context.Context) {
	tick := time.NewTicker(trimEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			w.abandon()
			return
		case <-w.closing:
			w.writeAll(ctx)
			w.abandon() // nothing is left unless ctx has ended
			return
		case <-w.buffer.wake:
			w.gather(ctx)
		case <-tick.C:
			w.trimDue = true
		}
		w.work(ctx, tick.C)
	}
}

// gather waits for a few more events, unless somebody waits for these.
func (w *writer) gather(ctx context.Context) {
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.buffer.hurry:
	case <-w.closing:
	case <-ctx.Done():
	}
}

// work writes and trims in turns until there is nothing to do for now.
func (w *writer) work(ctx context.Context, tick <-chan time.Time) {
	for ctx.Err() == nil {
		wrote := w.writeSome(ctx)
		select {
		case <-tick:
			w.trimDue = true
		default:
		}
		if w.trimDue {
			w.trimDue = w.trim(ctx)
		}
		w.noteOverflow()
		if !wrote && !w.trimDue {
			return
		}
	}
}

func (w *writer) writeAll(ctx context.Context) {
	for w.writeSome(ctx) && ctx.Err() == nil {
	}
}

// writeSome writes one batch; false if there is none.
func (w *writer) writeSome(ctx context.Context) bool {
	w.taken = w.buffer.take(w.taken[:0], batchChunks)
	if len(w.taken) == 0 {
		return false
	}
	w.read()
	w.number++
	if w.write(ctx, &batch{w.number, w.events}) {
		w.metrics.wrote(w.events)
	} else {
		w.lose(LostStopped)
	}
	clear(w.events) // they refer to the frames
	w.buffer.done(w.taken)
	clear(w.taken)
	return true
}

// read decodes what was taken.
func (w *writer) read() {
	w.events = w.events[:0]
	for _, c := range w.taken {
		for i := range c.n {
			r := &c.records[i]
			e, err := protocol.ReadEvent(r.Frame)
			if err != nil {
				w.log.Error("event left out of the history: its frame cannot be read", "app", r.App.ID, "error", err)
				w.metrics.lose(r.App.ID, LostUnreadable, 1)
				continue
			}
			w.events = append(w.events, event{
				app: r.App, channel: r.Channel, timeMS: r.timeMS,
				name: e.Name, data: e.Data, socketID: r.SocketID, userID: e.UserID,
			})
		}
	}
}

// write tries until the batch is kept, or ctx ends.
func (w *writer) write(ctx context.Context, b *batch) bool {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		began := time.Now()
		err := w.attempt(ctx, b)
		w.noteWrite(err)
		if err == nil {
			w.metrics.commits.Observe(time.Since(began).Seconds())
			return true
		}
		if !sleep(ctx, pause/2+rand.N(pause/2)) { //nolint:gosec // jitter is no secret
			return false
		}
		w.noteOverflow()
	}
}

func (w *writer) attempt(ctx context.Context, b *batch) error {
	if err := w.open(ctx); err != nil {
		return err
	}
	return w.store.write(ctx, b)
}

// sleep returns false if ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// noteWrite tells once that the database fails, and once that it works again.
func (w *writer) noteWrite(err error) {
	failed := err != nil
	if failed {
		w.metrics.failures.Inc()
	}
	if w.failing.Swap(failed) == failed {
		return
	}
	if failed {
		events, bytes := w.buffer.held()
		w.log.Error("history cannot be written, events wait", "error", err, "events", events, "bytes", bytes)
		return
	}
	w.log.Info("history is written again")
}

// noteOverflow tells once that events find no room, and once that all do again.
func (w *writer) noteOverflow() {
	if w.buffer.overflowed() > 0 {
		w.lostAt = time.Now()
		if !w.losing {
			w.log.Error("history loses events: too many wait for the database", "limit_bytes", w.buffer.limit)
		}
		w.losing = true
		return
	}
	if w.losing && time.Since(w.lostAt) >= calm {
		w.losing = false
		w.log.Info("history loses no events any more")
	}
}

// lose gives up the batch in hand.
func (w *writer) lose(reason LossReason) {
	for i := range w.events {
		w.metrics.lose(w.events[i].app.ID, reason, 1)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left += len(w.events)
}

// abandon gives up all that waits.
func (w *writer) abandon() {
	w.buffer.close()
	for {
		w.taken = w.buffer.take(w.taken[:0], batchChunks)
		if len(w.taken) == 0 {
			return
		}
		w.read()
		w.lose(LostStopped)
		w.buffer.done(w.taken)
	}
}

// trim deletes some of what has to go; true if there is more of it.
func (w *writer) trim(ctx context.Context) (more bool) {
	if !w.opened.Load() {
		if w.needed() {
			err := w.open(ctx)
			w.noteWrite(err)
		}
		return false
	}
	done, err := w.store.trim(ctx, w.now(), w.limitsOf)
	if err != nil {
		w.metrics.failures.Inc()
		w.log.Debug("history cannot be trimmed", "error", err) // writing tells of a database that fails
	}
	for _, t := range done {
		w.metrics.trimmed(t)
		more = more || t.more
	}
	return more && err == nil
}

func (l *Log) limitsOf(id apps.ID) (limits, bool) {
	app := l.registry.ByID(id)
	if app == nil || !app.History.Enabled() {
		return limits{}, false
	}
	return limitsFrom(&app.History), true
}
