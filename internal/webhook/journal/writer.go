package journal

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

const (
	houseTime = time.Second
	// A commit that failed is tried again after 100 ms, 200 ms, … 5 s.
	firstAgain   = 100 * time.Millisecond
	longestAgain = 5 * time.Second
)

// writer is the goroutine that owns the database.
type writer struct {
	j    *Journal
	conn *sql.Conn
	text statements

	held   buffer                 // taken and not yet committed
	list   []*entry               // of held, each once
	rows   []newRow               // of unsealed, in this commit
	open   map[*endpoint]struct{} // those that have rows in unsealed
	bury   int64                  // change of the number of dead letters in this commit
	buried int64                  // and of their bytes
	again  time.Duration
	commit *time.Timer
	wal    wal
	house  house
	left   error // of the last commit, by Close
}

// newRow is a row in unsealed.
type newRow struct {
	endpoint *endpoint
	last     int64
}

// command is work for the writer that an operator waits for.
type command struct {
	places int   // how many places it needs
	first  int64 // the first of them
	run    func(*writer) error
	done   chan error // capacity 1
}

// run ends when the journal is closed.
func (w *writer) run() {
	defer close(w.j.ended)
	w.commit = time.NewTimer(time.Hour)
	defer w.commit.Stop()
	tick := time.NewTicker(houseTime)
	defer tick.Stop()
	for {
		select {
		case <-w.j.load:
			w.serve()
		case <-w.j.planned:
			w.plan()
		case <-w.commit.C:
			w.round()
		case <-tick.C:
			w.keepHouse()
			w.wal.since = walAsked // keeping house writes too
			w.checkpoint()
		case <-w.j.stop:
			w.finish()
			return
		}
	}
}

// plan sets the time of the next commit. After one that failed it is set already.
func (w *writer) plan() {
	w.j.mu.Lock()
	due := w.j.due
	w.j.mu.Unlock()
	if w.again == 0 && !due.IsZero() {
		w.commit.Reset(time.Until(due))
	}
}

func (w *writer) finish() {
	w.round()
	w.left = w.failure()
	if w.conn != nil {
		w.left = errors.Join(w.left, w.text.close(), w.conn.Close())
	}
	w.left = errors.Join(w.left, w.j.db.Close())
}

func (w *writer) failure() error {
	if text := w.j.fault.Load(); text != nil {
		return fmt.Errorf("close webhook journal: %d changes are not written: %s", w.held.count, *text)
	}
	return nil
}

// round commits what there is.
func (w *writer) round() {
	commands := w.takeMore()
	if w.held.count > 0 {
		w.note(w.timed(w.transaction))
	}
	for _, c := range commands {
		c.done <- w.obey(c)
	}
	w.checkpoint() // nobody waits for it
}

// obey runs a command in a transaction of its own. All changes from before it
// must have been committed, or its picture of the queues would be wrong.
func (w *writer) obey(c *command) error {
	if text := w.j.fault.Load(); text != nil {
		return errors.New("the journal cannot be written: " + *text)
	}
	return w.timed(func() error { return c.run(w) })
}

// takeMore adds what came since the last call to what is held.
func (w *writer) takeMore() []*command {
	b := w.j.take()
	if w.held.count == 0 {
		w.held = b
	} else {
		w.held.append(b)
	}
	commands := w.held.commands
	w.held.commands = nil
	return commands
}

func (b *buffer) append(more buffer) {
	b.endpoints = append(b.endpoints, more.endpoints...)
	if more.forget {
		b.forgetAll()
	}
	b.edges = append(b.edges, more.edges...)
	b.events = append(b.events, more.events...)
	b.payloads = append(b.payloads, more.payloads...)
	b.attempts = append(b.attempts, more.attempts...)
	b.commands = append(b.commands, more.commands...)
	b.count += more.count
	b.bytes += more.bytes
}

// timed measures a step that changes the database.
func (w *writer) timed(step func() error) error {
	began := time.Now()
	err := w.watched(step)
	w.j.metrics.commits.Observe(time.Since(began).Seconds())
	return err
}

// watched watches over a step that waits for the disk.
func (w *writer) watched(step func() error) error {
	began := time.Now()
	w.j.busySince.Store(began.UnixNano())
	late := time.AfterFunc(stuckAfter, w.isStuck)
	err := step()
	if took := time.Since(began); !late.Stop() {
		w.j.o.Log.Info("webhook journal: the disk answers again", "after", took.String())
	}
	w.j.busySince.Store(0)
	return err
}

// isStuck runs on a goroutine of the timer.
func (w *writer) isStuck() {
	w.j.o.Log.Error("webhook journal: the disk does not answer; webhooks go on without being kept")
	w.j.wakeAll()
}

// note takes the outcome of a commit.
func (w *writer) note(err error) {
	if err != nil {
		w.failed(err)
		return
	}
	w.committed()
	w.again = 0
	if w.j.fault.Swap(nil) != nil {
		w.j.o.Log.Info("webhook journal is written again")
	}
}

func (w *writer) failed(err error) {
	text := err.Error()
	if old := w.j.fault.Swap(&text); old == nil || *old != text {
		w.j.o.Log.Error("webhook journal cannot be written; webhooks go on without being kept", "error", text)
	}
	w.compact()
	w.again = min(max(2*w.again, firstAgain), longestAgain)
	w.commit.Reset(w.again)
	w.j.wakeAll() // payloads need not wait any more
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, driver.ErrBadConn) {
		w.conn = nil
	}
}

// reconnect takes a new connection.
func (w *writer) reconnect() error {
	conn, err := w.j.db.Conn(context.Background())
	if err != nil {
		return err
	}
	if err := errors.Join(setWAL(conn), w.text.prepare(conn)); err != nil {
		return errors.Join(err, conn.Close())
	}
	w.conn = conn
	return nil
}

// committed brings the picture of the database up to date, and tells the queues.
func (w *writer) committed() {
	wake := make(map[*endpoint]struct{})
	for _, e := range w.list {
		if e.to.state == Waiting && e.row != Waiting {
			e.committed.Store(true)
			wake[e.endpoint] = struct{}{}
		}
		e.row, e.listed, e.to = e.to.state, false, payloadChange{}
	}
	w.sealedRows()
	w.wal.grown(w.held.bytes)
	w.house.busy = true
	w.house.attempts += int64(len(w.held.attempts))
	for _, e := range w.held.endpoints {
		e.exists = true
	}
	w.j.addDead(w.bury, w.buried)
	w.j.metrics.changes.Add(float64(w.held.count))
	w.recycle()
	w.j.retained.Store(0)
	for e := range wake {
		w.j.queueOf(e).spec.Wake()
	}
}

// recycle gives the memory of what was written back to the intake.
func (w *writer) recycle() {
	clear(w.list)
	w.list = w.list[:0]
	b := w.held
	w.held = buffer{}
	clear(b.edges)
	clear(b.events)
	clear(b.payloads)
	clear(b.attempts)
	if b.count > 16*groupCount {
		return
	}
	w.j.mu.Lock()
	defer w.j.mu.Unlock()
	w.j.spare = buffer{edges: b.edges[:0], events: b.events[:0], payloads: b.payloads[:0], attempts: b.attempts[:0]}
}

func (j *Journal) queueOf(e *endpoint) *queue {
	j.mu.Lock()
	defer j.mu.Unlock()
	return e.queue
}

func (j *Journal) addDead(letters, bytes int64) {
	j.metrics.dead.Set(float64(j.deadCount.Add(letters)))
	j.metrics.deadBytes.Set(float64(j.deadBytes.Add(bytes)))
}

// compact makes what could not be written as small as it can be: only the last
// state of everything, and only so many dead letters and attempts.
func (w *writer) compact() {
	b := buffer{endpoints: w.held.endpoints, count: len(w.held.endpoints)}
	if w.held.forget {
		b.forgetAll()
		b.grown(0)
	}
	for edge, on := range w.held.lastEdges() {
		b.edges = append(b.edges, edgeChange{edge, on})
		b.grown(len(edge.Channel) + len(edge.UserID))
	}
	for _, e := range w.held.events {
		if e.Seq > e.endpoint.sealed {
			b.events = append(b.events, e)
			b.grown(len(e.JSON))
		}
	}
	for _, e := range w.list {
		e.listed = false
		switch {
		case e.row == absent && e.to.state == absent:
		case e.row == absent && e.to.state == Dead && b.bytes > w.j.o.BufferBytes/2:
			w.j.metrics.skipped.Add(float64(e.to.text.events))
		default:
			b.payloads = append(b.payloads, e.to)
			b.grown(e.to.text.size())
		}
	}
	clear(w.list)
	w.list = w.list[:0]
	b.attempts = w.held.attempts[max(0, len(w.held.attempts)-groupCount):]
	b.count += len(b.attempts)
	w.held = b
	w.j.retained.Store(int64(b.bytes))
}
